"""A failed run is written down and posted; a dead webhook hides nothing and leaks nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest

from ingestion import outcomes
from ingestion.rawlog.accounting import SourceResult
from orchestration import pipeline
from orchestration.alerts import send_alert
from orchestration.definitions import source_alert
from orchestration.resources import CompanyResource
from salesgauge.settings import Company

AT = datetime(2026, 7, 1, 5)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict]]]:
    received: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook/canary-token", received
    server.shutdown()
    server.server_close()


def company(tmp_path: Path, url: str = "") -> Company:
    (tmp_path / "process.yml").write_text("{}")
    return Company.open(tmp_path, {"SALESGAUGE__ALERT_WEBHOOK_URL": url})


def alerts(tmp_path: Path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "var/logs/alerts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_it_is_posted_and_written(tmp_path: Path, webhook: tuple[str, list[dict]]) -> None:
    url, received = webhook
    done = send_alert(
        company(tmp_path, url), at=AT, title="run failed", reasons=["no key"], run_id="r1", following=["checks"]
    )
    assert "answered 200" in done
    following = f"salesgauge --company {tmp_path} checks"
    served = "nothing is published yet"
    assert received[0]["text"] == f"run failed\n- no key\n{tmp_path}: {served}\nNext: {following}"
    assert alerts(tmp_path)[0] == {
        "at": "2026-07-01T05:00:00Z",
        "title": "run failed",
        "company": str(tmp_path),
        "served": served,
        "reasons": ["no key"],
        "next": [following],
        "run_id": "r1",
    }


def test_a_run_that_fails_alerts_whoever_started_it(tmp_path: Path) -> None:
    outcome = pipeline.run(company(tmp_path))
    assert outcome.exit_code == 2
    (alert,) = alerts(tmp_path)
    assert alert["title"] == "Salesgauge: a run failed"
    assert alert["reasons"] == (outcome.error or "").splitlines() and alert["reasons"]


def test_a_green_run_with_a_source_that_failed_alerts(tmp_path: Path) -> None:
    from tests.orchestration.test_standing import write

    one = write(tmp_path)
    for result in (SourceResult("crm", "unchanged"), SourceResult("crm", "failed", error="deals.csv is gone")):
        outcomes.save(one, result, AT)
        context = dg.build_run_status_sensor_context(
            sensor_name="source_alert",
            dagster_instance=dg.DagsterInstance.ephemeral(),
            dagster_run=dg.DagsterRun(job_name="refresh", run_id="r1"),
            dagster_event=dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "refresh"),
        )
        source_alert(context, company=CompanyResource(root=str(tmp_path)))
        assert (tmp_path / "var" / "logs" / "alerts.jsonl").exists() == (result.state == "failed")
    (alert,) = alerts(tmp_path)
    assert alert["reasons"] == ["crm: deals.csv is gone"]
    assert alert["next"][0].endswith("sources check")


def test_without_a_webhook_it_is_written(tmp_path: Path) -> None:
    assert "no alert_webhook_url" in send_alert(company(tmp_path), at=AT, title="t", reasons=[], run_id="r")
    assert len(alerts(tmp_path)) == 1


def test_a_dead_webhook_hides_nothing_and_shows_no_address(tmp_path: Path) -> None:
    done = send_alert(company(tmp_path, "http://127.0.0.1:9/canary-token"), at=AT, title="t", reasons=[], run_id="r")
    assert "could not be reached" in done
    assert "canary" not in done
    assert len(alerts(tmp_path)) == 1
