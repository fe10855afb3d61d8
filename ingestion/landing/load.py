"""Landing: received records become typed Parquet files, bad ones go to quarantine, everything is counted, one load is committed at once.

What a source's records look like belongs to its connector (``RawTable``), how they are fetched too; how rows are written to ``rows``, how the raw log is read to ``rawlog``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from ingestion import rawlog
from ingestion.landing.rows import Writer, completed, judged, scalar, typed_columns, with_verdict
from ingestion.privacy.suppression import Suppressions, without
from ingestion.rawlog.accounting import TableCount
from ingestion.rawlog.declarations import AsReceived, RawColumn, RawTable
from ingestion.rawlog.parquet import can_be_original, place_originals
from ingestion.sql.lines import read_lines, sanitise
from ingestion.sql.text import identifier, path_literal, quote
from salesgauge.errors import SourceError
from salesgauge.settings import Company
from salesgauge.warehouse import connect

_MEMORY = "1GB"
_AT_ONCE = 128 << 20  # bytes read by one statement: what it buffers to keep the order grows with its input


class Landing:
    """One load of one source. Nothing of it exists before ``commit``; leaving the ``with`` block removes its working files.

    ``received_at`` (UTC, naive) becomes ``_loaded_at`` and, with what the raw log holds already, decides the load id.
    At most one landing per source may be open at a time; different sources may land side by side.

    ``counts`` are those of the load that ``commit`` will write, ``total`` those of the parts that were kept before (``kept``) too.
    """

    def __init__(self, company: Company, source: str, *, received_at: datetime) -> None:
        self.company = company
        self.source = source
        self.received_at = received_at
        self.load_id = ""
        self.counts: dict[str, TableCount] = {}
        self.notes: list[str] = []
        self.parts: list[str] = []
        self.con: duckdb.DuckDBPyConnection
        self.folder: Path
        self._files: dict[str, list[Path]] = {}
        self._originals: dict[str, Path] = {}
        self._cursors: dict[str, Any] = {}
        self.kept: dict[str, TableCount] = {}
        self._rows: dict[str, int] = {}
        self._keys: dict[str, tuple[str, ...]] = {"_quarantine": ("table_name", "record_key")}

    def __enter__(self) -> Landing:
        home = self.company.work_dir / "landing" / self.source
        for leftover in (home, self._dlt_home):  # of a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        self.folder = home / uuid.uuid4().hex[:8]
        self.folder.mkdir(parents=True)
        self._connect()
        self.load_id = rawlog.next_load_id(self.company, self.source, self.received_at)
        self._previous = rawlog.cursors(self.company, self.source)
        return self

    def _connect(self) -> None:
        self.con = connect(":memory:")
        self.con.execute(f"set memory_limit = '{_MEMORY}'")
        self.con.execute(f"set temp_directory = {quote(str(self.folder / 'spill'))}")

    def renew(self) -> None:
        """Open ``con`` anew: an error within DuckDB makes it unusable. What was landed stays, tables that others made on it are gone."""
        self.con.close()
        self._connect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.con.close()
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def records(self, table: RawTable, files: Sequence[Path], duplicates: int = 0) -> TableCount:
        """Land JSON-lines files, one received record a line (blank lines are none); ``duplicates`` were received too but left out.

        A record without a required value, with a value of the wrong type, or that is no JSON object goes to quarantine.
        """
        count = TableCount(duplicates, 0, 0, duplicates)
        for group in _groups(files):
            try:
                count += self._lines(table, read_lines(group))
            except duckdb.InvalidInputException:
                # bytes that are no UTF-8, or a line longer than the reader's buffer
                with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                    safe = [sanitise(path, Path(folder)) for path in group]
                    longest = max(file.longest for file in safe)
                    count += self._lines(table, read_lines([file.path for file in safe], longest))
        return self._count(table.name, count)

    def _lines(self, table: RawTable, source: str) -> TableCount:
        paths = ", ".join(quote(column.path) for column in table.columns)
        values = ", ".join(
            f"v[{position}] as {identifier(column.name)}" for position, column in enumerate(table.columns, 1)
        )
        sql = (
            f"select {values}, record, cast(null as varchar) as _file, "
            "case when v is null then 'the record is no valid JSON' end as _reason "
            f"from (select line as record, try(json_extract_string(line, [{paths}])) as v from {source})"
        )
        received, lines = self.con.execute(f"select count(line), count(*) from {source}").fetchall()[0]
        count = self._write(table, sql, dict.fromkeys((column.name for column in table.columns), "varchar"), received)
        self._rows[table.name] += lines - received  # blank lines have a place
        return count

    def relation(
        self,
        table: RawTable,
        sql: str,
        *,
        duplicates: int = 0,
        superseded: int = 0,
        filtered: int = 0,
        received: int | None = None,
        also: Sequence[RawColumn] = (),
        as_received: Sequence[AsReceived] | None = None,
    ) -> TableCount:
        """Land the rows of the DuckDB query ``sql`` (run on ``self.con``).

        It has the table's columns by name (of their type, or text that is cast as in ``records``) and ``record`` (JSON as text). It may have
        ``_line`` (place in the source; default: place in the query, for quarantined rows), ``_file``, and ``_reason`` (not null: quarantine the row
        for it).
        ``also``: columns of the query that must fit too, but are not written. ``received``: the number of rows, where it is known. ``duplicates`` were
        received too but left out; ``superseded`` of the rows are older versions of others, ``filtered`` rows were left out before. ``as_received``: keep
        these columns of the source instead of ``record``, which is far cheaper than JSON and says the same.
        """
        query, types = completed(self.con, table, sql, also)
        if received is None:
            received = scalar(self.con, f"select count(*) from ({sql})")
        count = self._write(table, query, types, received, also, as_received)
        return self._count(table.name, count + TableCount(duplicates, 0, 0, duplicates, superseded, filtered))

    def relation_if_clean(
        self,
        table: RawTable,
        sql: str,
        *,
        received: int,
        duplicates: int = 0,
        also: Sequence[RawColumn] = (),
        as_received: Sequence[AsReceived] | None = None,
        original: Path | None = None,
        is_keyed: bool = False,
    ) -> bool:
        """Like ``relation``, but where a row does not fit, or can't be read, nothing is landed or counted, and the answer is False.

        The same holds where ``is_keyed`` and two rows have the same key.

        Columns that were received as they were typed (``AsReceived.is_copied``) are not kept twice.
        ``original``: the Parquet file in the landing's folder whose rows ``sql`` gives, all in their order; it is kept itself instead.
        """
        query, types = completed(self.con, table, sql, also)
        checked = with_verdict(typed_columns(table, types, also), query)
        try:
            for is_lean in (
                (True, False) if not original and self._writer.is_same(checked, as_received or ()) else (False,)
            ):
                file, loaded = self._write_good(table, checked, types, as_received, is_lean=is_lean, original=original)
                if loaded == received and not (is_keyed and self._writer.shares_a_key(table, file)):
                    self._keep(table.name, file, loaded)
                    if original and loaded:
                        self._originals[self._writer.name_of(original)] = original
                    self._rows[table.name] = self._rows.get(table.name, 0) + received
                    self._count(table.name, TableCount(received + duplicates, loaded, 0, duplicates))
                    return True
                file.unlink()
        except (duckdb.InvalidInputException, duckdb.IOException, duckdb.NotImplementedException):
            pass
        return False

    def original(self, path: Path) -> Path | None:
        """A copy of the Parquet file ``path`` that can be kept with its rows (``relation_if_clean``). OSError where it can't be read.

        None where its rows have to be kept column by column: the file can't be an original, or there are erased persons, whose rows go.
        """
        if len(Suppressions(self.company)):
            return None
        copy = self._writer.path("original")
        shutil.copyfile(path, copy)
        if can_be_original(self.con, copy):
            return copy
        copy.unlink()
        return None

    def good_rows(self, table: RawTable, sql: str, also: Sequence[RawColumn] = ()) -> str:
        """A query for the rows of ``sql`` that ``relation`` would load, with the typed value of column ``x`` as ``t:x``."""
        return f"select * from ({judged(self.con, table, sql, also)[0]}) where not _bad"

    def refuse(self, table: str, file: str, reason_text: str) -> TableCount:
        """Record that ``file`` was refused as a whole: one quarantine row without line and record."""
        target = self._writer.refused(table, file, reason_text)
        self._files.setdefault("_quarantine", []).append(target)
        return self._count(table, TableCount(1, 0, 1, 0))

    def cursor(self, table: str, value: Any) -> None:
        """Remember ``value`` (anything JSON can hold; None: forget it) with this load: ``rawlog.last_cursor`` returns it once the load is committed."""
        self._cursors[table] = json.loads(json.dumps(value))

    def written(self, table: str) -> list[Path]:
        """The files with the good rows of ``table`` in this load; their columns are those of the raw table."""
        return list(self._files.get(table, []))

    def note(self, text: str) -> None:
        """Something that people should know of this load, though nothing failed: the end of the run tells it."""
        self.notes.append(text)

    def keep(self) -> str | None:
        """Commit what was landed so far as a load of its own and go on with the next one: a crash after it costs only what came after.

        For loads that take long: land a part, hand over with ``cursor`` how far it reaches, then ``keep``. The next run reads that cursor and goes on.
        Until ``commit`` ends the first load of a source its parts are in the raw log but not in the views: nobody sees half a company. Returns the
        id of the part, or None where there was nothing to keep.
        """
        load_id = self._append(is_part=True)
        if load_id is None:
            return None
        self.parts.append(load_id)
        self.kept = self.total
        self._previous = {**self._previous, **self._cursors, **self._unfinished(is_part=True)}
        self.counts, self._files, self._originals, self._cursors, self._rows = {}, {}, {}, {}, {}
        self.load_id = rawlog.next_load_id(self.company, self.source, self.received_at)
        return load_id

    def commit(self) -> str | None:
        """Append the load to the raw log, all of it or nothing. Returns its id, or None where nothing was new (no row, no cursor that moved)."""
        return self._append(is_part=False)

    @property
    def total(self) -> dict[str, TableCount]:
        """The counts by table of this load and of the parts kept before it."""
        tables = {**self.kept, **self.counts}
        return {name: self.kept.get(name, TableCount()) + self.counts.get(name, TableCount()) for name in tables}

    def since(self, before: Mapping[str, TableCount]) -> dict[str, TableCount]:
        """What was landed after ``counts`` were ``before``, by table."""
        return {name: count - before.get(name, TableCount()) for name, count in self.counts.items()}

    def _unfinished(self, is_part: bool) -> dict[str, Any]:
        """The note that the first load is not at its end; null once it is. A source that was loaded as a whole has none."""
        is_first = not rawlog.has_loads(self.company, self.source)
        if is_first and is_part:
            return {rawlog.UNFINISHED: True}
        return {rawlog.UNFINISHED: None} if self._previous.get(rawlog.UNFINISHED) else {}

    def _append(self, is_part: bool) -> str | None:
        self._leave_out_erased()
        state = {**self._cursors, **self._unfinished(is_part)}
        moved = any(self._previous.get(table) != value for table, value in state.items())
        if not self._files and not moved:
            return None
        self._cursors = state
        files = {
            **self._files,
            "_accounting": [self._writer.accounting(self.counts, {**self._previous, **self._cursors})],
        }
        work = self._dlt_home / uuid.uuid4().hex[:8]
        work.mkdir(parents=True)
        from ingestion.rawlog import commit  # importing dlt takes a second: only when there is something to commit

        placed = place_originals(self.company.raw_dir / self.source, self._originals)
        try:
            commit.commit(self.company.raw_dir, work, self.source, self.load_id, files)
        except Exception:
            if self.load_id not in rawlog.committed(self.company, self.source):
                for original in placed:
                    original.unlink(missing_ok=True)
            raise
        finally:
            shutil.rmtree(self._dlt_home, ignore_errors=True)
        return self.load_id

    def _leave_out_erased(self) -> None:
        """Take the records of erased persons out of what was written: they were received, and count as duplicates."""
        suppressions = Suppressions(self.company)
        if not len(suppressions):
            return
        for table, key in self._keys.items():
            place = self.source if table == "_quarantine" else f"{self.source}|{table}"
            for file in list(self._files.get(table, [])):
                found = suppressions.find(self.con, file, place, key)
                gone = without(self.con, file, found, key) if found else []
                for place_of_row in gone:
                    name = str(place_of_row).partition("|")[0] if table == "_quarantine" else table
                    change = TableCount(0, 0, -1, 1) if table == "_quarantine" else TableCount(0, -1, 0, 1)
                    self._count(name, change)
                if gone and not scalar(self.con, f"select count(*) from read_parquet({path_literal(file)})"):
                    self._files[table].remove(file)
        self._files = {table: files for table, files in self._files.items() if files}

    @property
    def _writer(self) -> Writer:
        return Writer(self.con, self.folder, self.load_id, self.received_at)

    @property
    def _dlt_home(self) -> Path:
        return self.company.work_dir / "dlt" / self.source

    def _write(
        self,
        table: RawTable,
        sql: str,
        types: Mapping[str, str],
        received: int,
        also: Sequence[RawColumn] = (),
        as_received: Sequence[AsReceived] | None = None,
    ) -> TableCount:
        """Write the good rows of ``sql`` to one file and the bad ones to another."""
        columns = typed_columns(table, types, also)
        checked = with_verdict(columns, sql)
        file, loaded = self._write_good(table, checked, types, as_received)
        self._keep(table.name, file, loaded)
        quarantined = 0
        if loaded != received:
            bad, quarantined = self._writer.quarantine(table, columns, checked, types)
            self._keep("_quarantine", bad, quarantined)
        if loaded + quarantined != received:
            raise SourceError(
                f"{self.source}.{table.name}: {received} records received, but {loaded} loaded and {quarantined} quarantined; nothing was kept"
            )
        self._rows[table.name] = self._rows.get(table.name, 0) + received
        return TableCount(received, loaded, quarantined, 0)

    def _write_good(
        self,
        table: RawTable,
        checked: str,
        types: Mapping[str, str],
        as_received: Sequence[AsReceived] | None,
        *,
        is_lean: bool = False,
        original: Path | None = None,
    ) -> tuple[Path, int]:
        self._keys[table.name] = table.key
        base = self._rows.get(table.name, 0)
        return self._writer.good(table, checked, types, as_received, base, is_lean=is_lean, original=original)

    def _keep(self, table: str, file: Path, rows: int) -> None:
        if rows:
            self._files.setdefault(table, []).append(file)

    def _count(self, table: str, count: TableCount) -> TableCount:
        self.counts[table] = self.counts.get(table, TableCount()) + count
        return count


def _groups(files: Sequence[Path]) -> Iterator[list[Path]]:
    """``files`` that are not empty, in their order, in groups of about ``_AT_ONCE`` bytes."""
    group: list[Path] = []
    size = 0
    for file in files:
        length = file.stat().st_size
        if group and size + length > _AT_ONCE:
            yield group
            group, size = [], 0
        if length:
            group.append(file)
            size += length
    if group:
        yield group
