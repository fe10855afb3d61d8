"""Company directories and small loopback APIs for the connectors' tests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ingestion.catalogue import connector, create_views
from ingestion.landing.load import Landing
from salesgauge.progress import SILENT
from salesgauge.settings import Company
from salesgauge.warehouse import connect

TOKEN = "pat-secret-1234567890"
RECEIVED_AT = datetime(2026, 7, 1, 5)


class _Switch:
    """Many ASGI apps behind one port: the first part of the path is the number of the app."""

    def __init__(self) -> None:
        self.apps: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, number, rest = scope["path"].split("/", 2)
        await self.apps[int(number)]({**scope, "path": f"/{rest}"}, receive, send)


@pytest.fixture(scope="session")
def _server() -> Iterator[tuple[_Switch, str]]:
    switch = _Switch()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(switch, log_level="critical", lifespan="off", date_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield switch, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(5)
    listener.close()


@pytest.fixture
def serve(_server: tuple[_Switch, str]) -> Callable[[Any], str]:
    """``serve(app)`` makes an ASGI app answer on loopback and gives its address."""
    switch, address = _server

    def add(app: Any) -> str:
        switch.apps.append(app)
        return f"{address}/{len(switch.apps) - 1}"

    return add


class CompanyDirectory:
    """A company directory with one API source, and shortcuts to run it and to look into its raw log."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".dlt").mkdir(parents=True)
        (root / "data").mkdir()
        (root / "sources").mkdir()
        (root / "process.yml").write_text("company: {name: Test}\n", encoding="utf-8")

    def configure(self, source: str, **settings: Any) -> None:
        lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
        (self.root / ".dlt" / "config.toml").write_text("\n".join([f"[sources.{source}]", *lines]), encoding="utf-8")
        (self.root / ".dlt" / "secrets.toml").write_text(
            f'[sources.{source}]\naccess_token = "{TOKEN}"\n', encoding="utf-8"
        )

    @property
    def company(self) -> Company:
        return Company.open(self.root, environ={})

    def run(self, source: str) -> tuple[Landing, str | None, int]:
        """One load of ``source``: the landing with its counts, the load id (None: nothing new), the number of requests."""
        company = self.company
        with Landing(company, source, received_at=RECEIVED_AT) as landing:
            requests = connector(source).extract(company, None, landing, received_at=RECEIVED_AT, reporter=SILENT)
            assert isinstance(requests, int), requests
            return landing, landing.commit(), requests

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of ``sql`` over the views of the raw log."""
        with connect(":memory:") as con:
            create_views(con, self.company, self.company.configured_sources())
            return con.execute(sql).fetchall()


@pytest.fixture
def directory(tmp_path: Path) -> CompanyDirectory:
    return CompanyDirectory(tmp_path / "company")


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
