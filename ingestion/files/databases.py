"""A SQL database as a source: tables and views, mapped by ``sources/<name>.yml`` as files are, into ``raw_files.<entity>``.

A table is read as a whole, in the order of its key, into a Parquet file that is then a file like any other: unchanged content is not loaded
again, rows that were deleted are gone, a bad row is quarantined. What the mapping may say belongs to ``mapping``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ingestion import rawlog
from ingestion.connector.about import Finding
from ingestion.connector.places import stored
from ingestion.files.land import Landed, SourceFile, land
from ingestion.files.mapping.loading import load_tables
from ingestion.files.mapping.model import TableMapping
from ingestion.files.notes import FileNotes
from ingestion.files.run import meaning_of
from ingestion.files.state import FileStates, state_of_read
from ingestion.landing.load import Landing
from ingestion.rawlog import commit
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.masking import hide, masked
from salesgauge.process import Process
from salesgauge.progress import Reporter
from salesgauge.settings import Company

_CHUNK = 50_000  # rows in memory at a time
# A host that falls silent, and a table that somebody holds, end the load of this source; a query may take as long as it does.
_POSTGRES = {
    "connect_timeout": 15, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "options": "-c lock_timeout=60s",
}  # fmt: skip
_NONE = {"size": 0, "mtime_ns": 0, "sha256": ""}  # of a table that is not there


def extract_tables(
    company: Company, process: Process, landing: Landing, *, name: str, received_at: datetime, reporter: Reporter
) -> tuple[int, str | None]:
    """Land the tables of source ``name`` whose content is new. Returns how many were read, and what is wrong with those that were refused.

    ConfigurationError for a mistake in the mapping or a missing ``connection``; SourceError where the database can't be read.
    """
    path = company.sources_dir / f"{name}.yml"
    source = load_tables(path, process)
    states = FileStates(rawlog.cursors(company, name), meaning_of(path, process))
    url = company.source(name).secret("connection")
    problems = []
    notes = FileNotes()
    with _Database(name, url) as database, tempfile.TemporaryDirectory(dir=landing.folder) as folder:
        for number, entry in enumerate(source.tables):
            reporter.advance(name, number, len(source.tables), "tables")
            file = SourceFile(entry, Path(folder) / f"{number}.parquet", entry.table)
            known = states.known(entry.entity, file.name)
            missing = database.export(entry, file.path, Path(folder))
            state = {**_NONE, "refused": missing} if missing else state_of_read(stored(file.name, file.path), file.path)
            is_known = missing and known and known["refused"] == missing  # said before
            if known and (is_known or (not missing and known["sha256"] == state["sha256"])):
                state = known
            if state is not known:
                before = dict(landing.counts)
                landed = Landed(missing, None) if missing else land(process, landing, file, name, notes)
                if missing:
                    landing.refuse(entry.entity, file.name, missing)
                counts = landing.since(before)
                for fed in entry.feeds:
                    state = states.read(
                        fed,
                        file.name,
                        state,
                        landing.load_id,
                        landed.refused,
                        landed.rows,
                        counts.get(fed),
                        is_derived=fed != entry.entity,
                    )
            else:
                for fed in entry.feeds:
                    states.keep(fed, file.name, states.known(fed, file.name) or known)
            if state["refused"]:
                problems.append(f"{entry.table}: refused: {state['refused']}")
    entities = {fed for entry in source.tables for fed in entry.feeds}
    for entity, cursor in states.cursors(entities, lambda table: True).items():
        landing.cursor(entity, cursor)
    for text in notes.texts():
        landing.note(text)
    return len(source.tables), "; ".join(problems) or None


def check(company: Company, process: Process, name: str) -> list[Finding]:
    """The mapping, the address, then the right to read each table."""
    mapping = f"sources/{name}.yml"
    try:
        source = load_tables(company.sources_dir / f"{name}.yml", process)
    except ConfigurationError as error:
        return [Finding(mapping, is_ok=False, advice=str(error))]
    found = [Finding(mapping, is_ok=True)]
    try:
        database = _Database(name, company.source(name).secret("connection"))
    except ConfigurationError as error:
        return [*found, Finding("the address of the database", is_ok=False, advice=str(error))]
    with database:
        for entry in source.tables:
            try:
                problem = database.try_reading(entry.table)
            except SourceError as error:
                found.append(Finding(f"read {entry.table}", is_ok=False, advice=str(error)))
                continue
            advice = f"{mapping}: table {entry.table}: {problem}" if problem else ""
            found.append(Finding(f"read {entry.table}", is_ok=not problem, advice=advice))
    return found


class _Database:
    """Read access to one database; a context manager. Errors name its host and never its password."""

    def __init__(self, name: str, url: str) -> None:
        import sqlalchemy as sa

        self.name = name
        try:
            # an @ in a password ends it too early: what follows would be taken for the host, and shown
            parsed = sa.make_url(url) if url.partition("?")[0].count("@") <= 1 else None
        except (sa.exc.ArgumentError, ValueError):
            parsed = None
        if parsed is None:
            raise ConfigurationError(
                f".dlt/secrets.toml: 'connection' of [sources.{name}] is no database address. Write it like "
                "postgresql+psycopg://user:password@host:5432/database, with %40 for @ and %3A for : in the password."
            )
        hide(parsed.password or "")
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self._where = f"{parsed.drivername}://{parsed.host or ''}{f':{parsed.port}' if parsed.port else ''}/{parsed.database or ''}"
        options = _POSTGRES if parsed.drivername.startswith("postgresql") else {}
        try:
            self._engine = sa.create_engine(parsed, connect_args=options)
        except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigurationError(
                f"{name}: no driver for '{parsed.drivername}' is installed ({error}). Install it into the environment of Salesgauge."
            ) from None

    def __enter__(self) -> _Database:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.dispose()

    def export(self, entry: TableMapping, target: Path, work_dir: Path) -> str | None:
        """Write a table to ``target``; what is wrong where there is no such table. SourceError where it can't be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, _, table = entry.table.rpartition(".")
        with self._errors():
            if missing := self._missing(entry.table):
                return missing
            writer: Any = None
            for chunk in self._chunks(table, schema or None, entry, work_dir):
                writer = writer or pq.ParquetWriter(target, chunk.schema, compression="zstd")
                writer.write_table(chunk)
            if writer is None:
                pq.write_table(pa.table({source: pa.array([], pa.string()) for source in entry.sources}), target)
            else:
                writer.close()
        return None

    def try_reading(self, table: str) -> str | None:
        """What is wrong where there is no such table. SourceError where it can't be read."""
        import sqlalchemy as sa

        schema, _, name = table.rpartition(".")
        with self._errors():
            if missing := self._missing(table):
                return missing
            with self._engine.connect() as connection:
                connection.execute(sa.select(sa.text("1")).select_from(sa.table(name, schema=schema or None)).limit(1))
        return None

    def _missing(self, table: str) -> str | None:
        import sqlalchemy as sa

        schema, _, name = table.rpartition(".")
        inspector = sa.inspect(self._engine)
        names = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
        if name in names:
            return None
        return f"there is no such table or view; there are: {', '.join(sorted(names)[:20]) or 'none'}."

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the database as SourceError."""
        import sqlalchemy as sa

        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            first = (masked(str(getattr(error, "orig", None) or error)).splitlines() or [""])[0][:200]
            raise SourceError(
                f"{self.name}: {self._where} can't be read ({type(error).__name__}: {first}). Check 'connection' of [sources.{self.name}] in "
                ".dlt/secrets.toml, and that the user may read the table."
            ) from None

    def _chunks(self, table: str, schema: str | None, entry: TableMapping, work_dir: Path) -> Iterator[Any]:
        """The rows as Arrow tables, ordered by the key: the same content is then the same file."""
        from dlt.sources.sql_database import sql_table

        def ordered(query: Any, reflected: Any) -> Any:
            known = [reflected.c[name] for name in _order(entry, reflected) if name in reflected.c]
            return query.order_by(*known) if known else query

        with commit.isolated(work_dir):
            resource = sql_table(
                credentials=self._engine,
                table=table,
                schema=schema,
                chunk_size=_CHUNK,
                backend="pyarrow",
                reflection_level="full_with_precision",
                query_adapter_callback=ordered,
            )
            # dlt has read its settings by now; the query may take long, and others commit meanwhile
            chunks = iter(resource)
        yield from chunks


def _order(entry: TableMapping, reflected: Any) -> list[str]:
    """The columns by which a table is read in a fixed order: the mapped key, else the primary key, else all columns."""
    return [*entry.key_sources, *(column.name for column in reflected.primary_key)] or [c.name for c in reflected.c]
