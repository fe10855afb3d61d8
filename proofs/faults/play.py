"""Plays fault scripts: a source is read while something goes wrong, then everything that its server holds must be in the raw log, once.

A sync that failed is run once more without the fault. Every play ends with one more change and one more sync, so that a cursor which went wrong shows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb

from demo.log import CompanyLog
from demo.servers.traffic import Loopback
from demo.simulation.simulate import simulate
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from proofs.faults.crms import CRMS
from proofs.faults.others import OTHERS
from proofs.faults.scripts import LARGE, SCRIPTS, Script
from proofs.faults.source import STEP, Row, Source, Table
from proofs.faults.wrapper import Fault, Faults, says
from salesgauge.settings import Company
from salesgauge.warehouse import connect

SOURCES = (*CRMS, *OTHERS)
_MOST_SECONDS = 120.0
_SEED, _SCALE = 3, 0.012


@cache
def company_log() -> CompanyLog:
    """The company whose records are read."""
    return simulate(_SEED, _SCALE)


class Stage:
    """A company directory with one source whose server plays faults."""

    def __init__(self, source: Source, log: CompanyLog, root: Path, **options: Any) -> None:
        self.source, self.root = source, root
        self.log: CompanyLog = log
        self.server = source.build(log, **options)
        self.faults = Faults(self.server.app)
        self._loop = Loopback(self.faults)
        self._added = source.grown
        self.later = timedelta()

    @contextmanager
    def up(self) -> Iterator[Stage]:
        """Serve."""
        self.url = self._loop.start()
        try:
            self.configure()
            yield self
        finally:
            self._loop.stop()

    def configure(
        self, config: Iterable[tuple[str, Any]] = (), secrets: Iterable[tuple[str, Any]] | None = None
    ) -> None:
        """Write the company directory; ``config`` on top of the source's settings, ``secrets`` instead of its own."""
        home = self.root / ".dlt"
        home.mkdir(parents=True, exist_ok=True)
        (self.root / "process.yml").write_text("company: {}\n", encoding="utf-8")
        settings = {**self.source.config(self.url), **dict(config)}
        hidden = self.source.secrets if secrets is None else dict(secrets)
        for name, values in (("config", settings), ("secrets", hidden)):
            lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
            (home / f"{name}.toml").write_text(f"[sources.{self.source.name}]\n{''.join(lines)}", encoding="utf-8")

    @property
    def company(self) -> Company:
        """The company, with what its directory says now."""
        return Company.open(self.root, environ={})

    def sync(self) -> SourceResult:
        """One load of the source."""
        return extract(self.company, None, received_at=self.log.as_of + self.later, names=[self.source.name])[0]  # type: ignore[arg-type]

    def add(self, at: datetime, count: int = 1) -> int:
        """``count`` new records of the moment ``at``; how many."""
        for _ in range(count):
            self._added += 1
            self.source.work.add(self.server, self._added, at)
        return count

    def work(self) -> int:
        """A new record and, where that can be, a changed one; how many."""
        self.add(self.log.as_of - STEP)
        if self.source.work.touch is None:
            return 1
        self.source.work.touch(self.server, self.log.as_of - STEP / 2)
        return 2

    def drop(self) -> int:
        """One record less; 1."""
        self.source.work.drop(self.server)  # type: ignore[misc]
        return 1

    def after_a_week(self) -> int:
        """So long that deletions must have been noticed; 1."""
        self.later = timedelta(days=8)
        return 1

    def catch_up(self) -> int:
        """The search index knows everything; how many records it did not know before. AssertionError where it knew all of them."""
        assert self.server.hidden, "the index did not lag"
        self.server.options = replace(self.server.options, search_lag=0.0)
        self.server.state = self.server.state
        return len(self.server.hidden)

    @contextmanager
    def raw_log(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the views of the source's raw log."""
        with connect(":memory:") as con:
            create_views(con, self.company, [self.source.name])
            yield con

    def lost(self, con: duckdb.DuckDBPyConnection) -> int:
        """Records that the server holds and the raw log lacks or has in an older version, and those that it has and the server does not."""
        lost, absent = 0, self._absent(con)
        for table in self.source.tables:
            held, found = table.held(self.server), self._newest(con, table, absent)
            lost += sum(key not in found or not _is_same(found[key], row) for key, row in held.items())
            lost += sum(key not in held for key in found)
        return lost

    def doubled(self, con: duckdb.DuckDBPyConnection) -> int:
        """Records that were loaded again although nothing of them had changed."""
        doubled = 0
        for table in self.source.tables:
            keys = ", ".join(column for column, _ in table.key)
            (row,) = con.execute(
                "select count(*) from (select md5(cast(record as varchar)) as hash, "
                f"lag(hash) over (partition by {keys} order by _load_id, _row) as before from raw_{self.source.name}.{table.name}) "
                "where hash = before"
            ).fetchall()
            doubled += row[0]
        return doubled

    def _absent(self, con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
        """(table, key) of records that are known to be gone."""
        name = f"raw_{self.source.name}"
        views = f"select 1 from duckdb_views() where schema_name = '{name}' and view_name = 'absences'"
        if not con.execute(views).fetchall():
            return set()
        rows = con.execute(
            f"select table_name, id from {name}.absences "
            "qualify row_number() over (partition by table_name, id order by _load_id desc, _row desc) = 1 and is_absent"
        ).fetchall()
        return {(table, one) for table, one in rows}

    def _newest(self, con: duckdb.DuckDBPyConnection, table: Table, absent: set[tuple[str, str]]) -> dict[str, Row]:
        keys = [column for column, _ in table.key]
        joined = " || '|' || ".join(f"cast({column} as varchar)" for column in keys)
        rows = con.execute(
            f"select {joined}, cast(record as varchar) from raw_{self.source.name}.{table.name} "
            f"qualify row_number() over (partition by {', '.join(keys)} order by _load_id desc, _row desc) = 1"
        ).fetchall()
        return {one: json.loads(record) for one, record in rows if (table.name, one) not in absent}


def _is_same(found: Row, held: Row) -> bool:
    """Whether all plain values that both have are the same."""
    common = [
        name
        for name, value in held.items()
        if name in found and not isinstance(value, dict | list | tuple) and not isinstance(found[name], dict | list)
    ]
    return bool(common) and all(held[name] == found[name] for name in common)


@dataclass
class Outcome:
    """What came of one script on one source."""

    source: str
    script: str
    seconds: float
    requests: int
    faults: int
    failed: str | None
    stuck: str | None
    reruns: int
    lost: int
    doubled: int
    unbalanced: int
    is_endless: bool

    @property
    def is_bad(self) -> bool:
        """Something is lost, doubled, uncounted, endless, not to be mended by one more run, or nothing happened at all."""
        is_wrong = bool(self.lost or self.doubled or self.unbalanced or self.stuck)
        return is_wrong or self.reruns > 1 or self.is_endless or not self.faults


def play(source: Source, script: Script, root: Path) -> Outcome:
    """One script on one source; ``root`` becomes the company directory."""
    with Stage(source, company_log(), root, **script.options).up() as stage:
        happened = script.before(stage) if script.before else 0
        if script.between:
            first = stage.sync()
            assert first.error is None, first.error
            happened += script.between(stage)
        rules = script.faults(stage) if script.faults else ()
        stage.faults.play(
            Fault(first=script.most_requests, times=None, answer=says(400, {"message": "endless"})), *rules
        )
        began = time.monotonic()
        result = stage.sync()
        seconds, requests, done = time.monotonic() - began, stage.faults.asked, stage.faults.done
        stage.faults.play()
        failed, reruns = result.error, 0
        while result.error and reruns < 2:
            reruns += 1
            result = stage.sync()
        if script.after:
            script.after(stage)
            result = stage.sync()
        with stage.raw_log() as con:
            lost = stage.lost(con)
        if not result.error:
            stage.add(stage.log.as_of - STEP / 4)
            result = stage.sync()
        with stage.raw_log() as con:
            lost += stage.lost(con)
            doubled = stage.doubled(con)
            (row,) = con.execute(
                "select count(*) from raw_log.loads where received <> loaded + quarantined + duplicates"
            ).fetchall()
        return Outcome(
            source.name, script.name, seconds, requests, done if script.faults else happened, failed, result.error, reruns, lost, doubled, row[0],
            is_endless=seconds > _MOST_SECONDS or requests >= script.most_requests,
        )  # fmt: skip


def _play_by_name(source: str, script: str, root: Path) -> Outcome:
    (one,) = (one for one in SOURCES if one.name == source)
    (other,) = (other for other in (*SCRIPTS, *LARGE) if other.name == script)
    return play(one, other, root / f"{source}-{script.replace(' ', '-').replace(',', '')}")


def run_all(
    folder: Path, scripts: Iterable[Script] = SCRIPTS, sources: Iterable[Source] = SOURCES, *, processes: int = 6
) -> Iterator[Outcome]:
    """Every script on every source that it is for, side by side in ``processes``: most of the time goes by waiting as a vendor asks for."""
    chosen = [(source.name, script.name) for script in scripts for source in sources if script.is_for(source)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_play_by_name, source, script, folder) for source, script in chosen]
        for future in as_completed(futures):
            yield future.result()
