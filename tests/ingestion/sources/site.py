"""A company directory whose CRM or field-service system is up, for the tests of its connector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import demo.company
from demo.crms import Server
from demo.log import CompanyLog
from demo.serve import DemoServers
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from salesgauge.settings import Company, SourceSettings
from salesgauge.warehouse import connect


class Site:
    """``root``: the company directory; ``server``: the system that it runs."""

    def __init__(self, root: Path, log: CompanyLog, servers: DemoServers) -> None:
        self.root, self.log, self.servers, self.name = root, log, servers, servers.crm_name
        self.later = timedelta()
        unvisited = replace(
            log, web_events=log.web_events.head(0)
        )  # the CRM does not know them, and they are 600 files
        demo.company.write(
            root, unvisited, crm_name=self.name, crm_url=servers.crm_url, typeform_url=servers.typeform_url
        )

    @property
    def company(self) -> Company:
        return Company.open(self.root, environ={})

    @property
    def settings(self) -> SourceSettings:
        return self.company.source(self.name)

    @property
    def server(self) -> Any:
        return self.servers.crm

    @property
    def now(self) -> datetime:
        """When the next load is: ``later`` after the log's end."""
        return self.log.as_of + self.later

    def set(self, line: str, file: str = "config") -> None:
        """Add or replace a line of the source's section."""
        path = self.root / ".dlt" / f"{file}.toml"
        key, section = line.partition("=")[0], f"[sources.{self.name}]"
        kept = [one for one in path.read_text(encoding="utf-8").splitlines() if one.partition("=")[0] != key]
        path.write_text("\n".join(kept).replace(section, f"{section}\n{line}"), encoding="utf-8")

    def unset(self, key: str, file: str = "secrets") -> None:
        """Take a line out."""
        path = self.root / ".dlt" / f"{file}.toml"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(one for one in lines if one.partition("=")[0].strip() != key), encoding="utf-8")

    def run(self) -> SourceResult:
        """One load of the source."""
        self.server.traffic.reset()
        return extract(self.company, None, received_at=self.now, names=[self.name])[0]  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the raw log, as far as the source's own tables and ``raw_log`` say it."""
        with connect(":memory:") as con:
            create_views(con, self.company, [self.name])
            return con.execute(sql).fetchall()

    def newest(self, table: str) -> dict[str, dict[str, Any]]:
        """Id → the newest record of a raw table."""
        rows = self.query(
            f"select id, cast(record as varchar) from raw_{self.name}.{table} "
            "qualify row_number() over (partition by id order by _load_id desc, _row desc) = 1"
        )
        return {row[0]: json.loads(row[1]) for row in rows}


@contextmanager
def site(root: Path, log: CompanyLog, name: str, server: Server) -> Iterator[Site]:
    """A ``Site`` while its servers are up."""
    with DemoServers(log, name, crm_server=server) as servers:
        yield Site(root, log, servers)
