"""What a source gave in one run against what the raw log knows: only new and changed records are loaded, the rest are duplicates.

So a connector may read overlaps and whole listings again and again: a sync without changes loads nothing. A full listing also tells which
records are gone (``absences``). How records are fetched belongs to the connector, how they are typed and committed to ``load``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ingestion import rawlog
from ingestion.landing.load import Landing
from ingestion.landing.spool import Spool, Tally, spool_folder
from ingestion.rawlog.declarations import RawColumn, RawTable
from ingestion.sql.lines import read_lines
from ingestion.sql.text import identifier, quote
from salesgauge.errors import SourceError
from salesgauge.progress import SILENT, Reporter
from salesgauge.settings import Company

_ALARMING = 0.5  # share of the known records that a listing may lack before it is refused
_FEW = 20
_PLAIN_LINES = "(format csv, header false, quote '', escape '', delimiter '\x01')"


def refuse_alarming(company: Company, source: str, table: str, missing: int, known: int) -> None:
    """SourceError where a full listing lacks so many of the ``known`` records that it is doubted, unless the company says that they are deleted."""
    accepts = str(company.source(source).get("accept_deletions", "")).lower() == "true"
    if missing > _FEW and missing > _ALARMING * known and not accepts:
        raise SourceError(
            f"{source}.{table}: the full listing lacks {missing:,} of {known:,} known records, which looks like a "
            "fault of the source and not like deletions. Nothing of this load was kept. If they were deleted, set accept_deletions = true "
            f"in [sources.{source}] of .dlt/config.toml for one run."
        )


def absences_table(source: str) -> RawTable:
    """The raw table of records that vanished from a full listing, and of those that came back: the newest row of an ``id`` counts."""
    columns = (
        RawColumn("table_name", "varchar", "$.table_name", required=True),
        RawColumn("id", "varchar", "$.id", required=True),
        RawColumn("is_absent", "boolean", "$.is_absent", required=True),
        RawColumn("since", "timestamp", "$.since", required=True),
    )
    return RawTable(source, "absences", columns, ("table_name", "id"))


class Changes:
    """The records of one run of one source, spooled by raw table until ``land``. A context manager; threads may write at the same time.

    ``received_at`` is UTC without zone. The folder of the spools is removed at the end.
    """

    def __init__(
        self, company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
    ) -> None:
        self.company, self.landing, self.received_at = company, landing, received_at
        self.source = landing.source
        self.tally = Tally(reporter, self.source)
        self.folder: Path
        self._spools: dict[str, tuple[RawTable, Spool, threading.Lock]] = {}
        self._complete: dict[str, tuple[RawTable, str, frozenset[str]]] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Changes:
        self._context = spool_folder(self.company.work_dir, self.source)
        self.folder = self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, spool, _ in self._spools.values():
            spool.__exit__(kind, error, trace)
        self._context.__exit__(kind, error, trace)

    def write(self, table: RawTable, records: Iterable[Any]) -> None:
        """Append ``records`` (as received) to those of ``table``."""
        _, spool, lock = self._spool(table)
        with lock:
            before = spool.count
            spool.write(records)
            count = spool.count - before
        self.tally.add(count)

    def complete(self, table: RawTable, where: str = "true", ids: Iterable[str] = ()) -> None:
        """What is written to ``table`` in this run, and ``ids``, is all that the source has: known records that are missing are gone.

        ``where``: an SQL condition on the table's columns, for a listing of a part of the records only. ``ids``: keys of records that are still
        there but need not be written.
        """
        self._spool(table)
        self._complete[table.name] = (table, where, frozenset(ids))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of an SQL query over ``newest`` relations."""
        with self._lock:
            return self.landing.con.execute(sql).fetchall()

    @contextmanager
    def exclusive(self) -> Iterator[Landing]:
        """The landing, for one thread at a time: to land what needs no comparison with the raw log, as the bulk results of a first load."""
        with self._lock:
            yield self.landing

    def newest(self, table: RawTable) -> str:
        """SQL of the newest committed version of every record of ``table``: its columns and ``record``."""
        keys = ", ".join(identifier(name) for name in table.key)
        return (
            f"(select * from ({rawlog.relation(self.company, table)}) "
            f"qualify row_number() over (partition by {keys} order by _load_id desc, _row desc) = 1)"
        )

    def known_keys(self, table: RawTable, where: str = "true") -> set[str]:
        """The keys of ``table`` in the raw log (parts joined by ``|``) for which ``where`` holds, without those that are known to be gone."""
        rows = self.query(f"select {_key(table)} as id from {self.newest(table)} where {where}")
        return {row[0] for row in rows} - self._absent(table)

    def land(self) -> None:
        """Land what was written: per table the records that are new or differ from the newest version known."""
        for table, where, ids in list(self._complete.values()):
            self._note_absences(table, where, ids)
        for table, spool, _ in self._spools.values():
            spool.close()
            self._land(table, spool)

    def _land(self, table: RawTable, spool: Spool) -> None:
        if not spool.count:
            return
        is_first = not rawlog.table_files(self.company, self.source, table.name) and not self._has_rejected(table)
        if is_first and self._is_distinct(
            table, spool
        ):  # nothing to compare with: a large first load shall not wait for it
            self.landing.records(table, [spool.path])
            return
        changed = self.folder / f"{table.name}.changed.jsonl"
        with self._lock:
            (kept,) = self.landing.con.execute(
                f"copy ({self._changed(table, spool)}) to {quote(str(changed))} {_PLAIN_LINES}"
            ).fetchall()[0]
        self.landing.records(table, [changed], duplicates=spool.count - kept)

    def _has_rejected(self, table: RawTable) -> bool:
        """Whether records of ``table`` wait in quarantine."""
        rejected = rawlog.quarantined(self.company, self.source)
        return bool(self.query(f"select 1 from ({rejected}) where table_name = {quote(table.name)} limit 1"))

    def _is_distinct(self, table: RawTable, spool: Spool) -> bool:
        """Whether no record came twice, as pages do that were read again."""
        rows = self.query(
            f"select count(*) = count(distinct {self._line_key(table)}) from {read_lines([spool.path], spool.longest)}"
        )
        return bool(rows[0][0])

    def _changed(self, table: RawTable, spool: Spool) -> str:
        """SQL for the lines that tell something new. A line is compared with the one before it of the same key, the first with the raw log;
        a record that waits in quarantine is new only if it changed.
        """
        return (
            "select line from ("
            f"select line, number, md5(line) as hash, {self._line_key(table)} as id from "
            f"(select line, row_number() over () as number from {read_lines([spool.path], spool.longest)})) as received "
            f"left join (select {_key(table)} as id, md5(cast(record as varchar)) as known_hash from {self.newest(table)}) as known "
            "using (id) "
            "qualify hash is distinct from coalesce(lag(hash) over (partition by received.id order by number), known_hash) "
            f"and not exists (select 1 from ({rawlog.quarantined(self.company, self.source)}) as rejected "
            f"where rejected.table_name = {quote(table.name)} and md5(rejected.record) = hash) "
            "order by number"
        )

    def _note_absences(self, table: RawTable, where: str, ids: frozenset[str]) -> None:
        spool = self._spools[table.name][1]
        spool.flush()
        known, absent = self.known_keys(table, where), self._absent(table)
        present = ids | (self._present(table, spool) if spool.count else set())
        missing = sorted(known - present)
        refuse_alarming(self.company, self.source, table.name, len(missing), len(known))
        since = self.received_at.isoformat(timespec="seconds") + "Z"
        flips = [(one, True) for one in missing] + [(one, False) for one in sorted(absent & present)]
        self.write(
            absences_table(self.source),
            ({"table_name": table.name, "id": one, "is_absent": gone, "since": since} for one, gone in flips),
        )

    def _present(self, table: RawTable, spool: Spool) -> set[str]:
        rows = self.query(f"select distinct {self._line_key(table)} from {read_lines([spool.path], spool.longest)}")
        return {row[0] for row in rows if row[0] is not None}

    def _absent(self, table: RawTable) -> set[str]:
        absences = absences_table(self.source)
        if not rawlog.table_files(self.company, self.source, absences.name):
            return set()
        rows = self.query(
            f"select id from {self.newest(absences)} where table_name = {quote(table.name)} and is_absent"
        )
        return {row[0] for row in rows}

    def _spool(self, table: RawTable) -> tuple[RawTable, Spool, threading.Lock]:
        with self._lock:
            if table.name not in self._spools:
                self._spools[table.name] = (table, Spool(self.folder / f"{table.name}.jsonl"), threading.Lock())
            return self._spools[table.name]

    def _line_key(self, table: RawTable) -> str:
        """SQL of the key (parts joined by ``|``) of a received record."""
        fields = [f"try(json_extract_string(line, {quote(self._path(table, name))}))" for name in table.key]
        return " || '|' || ".join(fields)

    @staticmethod
    def _path(table: RawTable, column: str) -> str:
        return next(one.path for one in table.columns if one.name == column)


def _key(table: RawTable) -> str:
    return " || '|' || ".join(f"cast({identifier(name)} as varchar)" for name in table.key)
