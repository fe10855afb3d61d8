"""Alerts: a failed run becomes a line in ``var/logs/alerts.jsonl`` and, where a URL is set, a POST to a webhook."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from quality.versions import current
from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company

TIMEOUT_SECONDS = 10


def send_alert(
    company: Company, *, at: datetime, title: str, reasons: list[str], run_id: str, following: Sequence[str] = ()
) -> str:
    """Write the alert and post it to ``alert_webhook_url`` where that is set; what was done, in words.

    It names the company, what people see meanwhile and how old that is ``at`` (UTC), and the commands ``following``, with which to look further.
    A webhook that can't be reached never hides the alert: it is written first.
    """
    alert = {
        "at": f"{at.isoformat(timespec='seconds')}Z",
        "title": title,
        "company": str(company.root),
        "served": _served(company, at),
        "reasons": reasons,
        "next": [f"salesgauge --company {company.root} {one}" for one in following],
        "run_id": run_id,
    }
    company.logs_dir.mkdir(parents=True, exist_ok=True)
    with (company.logs_dir / "alerts.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(alert, ensure_ascii=False) + "\n")
    url = company.setting("alert_webhook_url")
    if not url:
        return "written to alerts.jsonl (no alert_webhook_url is set)"
    return _post(str(url), alert)


def _served(company: Company, at: datetime) -> str:
    version = current(company)
    if version is None:
        return "nothing is published yet"
    hours = (at - version.as_of).total_seconds() / 3600
    return f"people see version {version.name}, as of {version.as_of:%Y-%m-%d %H:%M} UTC ({hours:,.0f} hours old)"


def _post(url: str, alert: dict[str, Any]) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigurationError(".dlt/config.toml: [salesgauge] alert_webhook_url is no http(s) address.")
    following = [f"Next: {command}" for command in alert["next"]]
    reasons = [f"- {reason}" for reason in alert["reasons"]]
    text = "\n".join([alert["title"], *reasons, f"{alert['company']}: {alert['served']}", *following])
    try:
        # `text` is what Slack, Teams and Mattermost show; the rest is for programs.
        with _unlogged():
            answer = requests.post(url, json={"text": text, **alert}, timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        # The address may hold a secret: only the kind of the error is told.
        return f"written to alerts.jsonl; the webhook could not be reached ({type(error).__name__})"
    return f"written to alerts.jsonl; the webhook answered {answer.status_code}"


@contextmanager
def _unlogged() -> Iterator[None]:
    """Nothing in the HTTP library's log: it names every path, and that of a webhook is its secret."""
    log = logging.getLogger("urllib3.connectionpool")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
