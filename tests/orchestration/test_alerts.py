"""A failed run is written down and posted; a dead webhook hides nothing and leaks nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orchestration.alerts import send_alert
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
    done = send_alert(company(tmp_path, url), at=AT, title="run failed", reasons=["no key"], run_id="r1")
    assert "answered 200" in done
    assert received[0]["text"] == "run failed\n- no key"
    assert alerts(tmp_path)[0] == {
        "at": "2026-07-01T05:00:00Z",
        "title": "run failed",
        "reasons": ["no key"],
        "run_id": "r1",
    }


def test_without_a_webhook_it_is_written(tmp_path: Path) -> None:
    assert "no alert_webhook_url" in send_alert(company(tmp_path), at=AT, title="t", reasons=[], run_id="r")
    assert len(alerts(tmp_path)) == 1


def test_a_dead_webhook_hides_nothing_and_shows_no_address(tmp_path: Path) -> None:
    done = send_alert(company(tmp_path, "http://127.0.0.1:9/canary-token"), at=AT, title="t", reasons=[], run_id="r")
    assert "could not be reached" in done
    assert "canary" not in done
    assert len(alerts(tmp_path)) == 1
