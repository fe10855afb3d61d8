"""Dagster's event log in SQLite: connections stay open, and the events of a burst are written together. What is an event is Dagster's matter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import RLock, Timer
from typing import Any

from dagster import DagsterEventType
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen

KEPT = 4
BUSY_TIMEOUT_SECONDS = 30
SECONDS_WAITING = 1.0
MOST_WAITING = 500
# What comes by hundreds where a run plans its assets and where a step says what it made and checked.
IN_BURSTS = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.HANDLED_OUTPUT,
    }
)
# What the index of all runs holds as well as the file of the run.
INDEXED = frozenset({*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS})
Row = dict[str, Any]


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """As its parent, which opens a database anew for each statement and writes each event alone: that was most of what Dagster cost in a run.

    ``home`` is the folder of the Dagster instance; the files are where Dagster would put them. A database that is open is
    synchronized at checkpoints only (SQLite's ``synchronous=normal``): a power cut may cost the last events, never the file.
    Events of a burst wait in memory until another event comes, somebody reads, or ``SECONDS_WAITING`` are over: a process that is
    killed may take those of its last second with it.
    """

    def __init__(self, home: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._lock = RLock()
        self._engines: dict[str, Engine] = {}
        self._writing: dict[str, Connection] = {}
        self._waiting: list[tuple[EventLogEntry, Row]] = []
        self._timer: Timer | None = None
        # A table, column or index that is there stays there; the parent asks before every event.
        self._known: set[tuple[str, str]] = set()
        super().__init__(base_dir=str(Path(home) / "history" / "runs"), inst_data=inst_data)

    @classmethod
    def config_type(cls) -> Any:
        from dagster import StringSource

        return {"home": StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "KeptSqliteEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    def store_event(self, event: EventLogEntry) -> None:
        row = self._event_to_row(event)  # what can't be written is refused here, not when others are written with it
        with self._lock:
            self._waiting.append((event, row))
            if len(self._waiting) == MOST_WAITING or _type(event) not in IN_BURSTS:
                self._write()
            elif self._timer is None:
                self._timer = Timer(SECONDS_WAITING, self._write_late)
                self._timer.start()

    def _write_late(self) -> None:
        with self._lock:
            self._timer = None
            self._write()

    def _write(self) -> None:
        """Write what waits, in one transaction of each database. Where that fails all of it waits on, and the caller hears of it."""
        with self._lock:
            if not self._waiting:
                return
            of_runs: dict[str, list[tuple[EventLogEntry, Row]]] = {}
            for event, row in self._waiting:
                of_runs.setdefault(event.run_id, []).append((event, row))
            with ExitStack() as stack:
                stack.callback(self._writing.clear)
                for shard in (INDEX_SHARD_NAME, *of_runs):
                    self._writing[shard] = stack.enter_context(self._engine(shard).begin())
                for run_id, entries in of_runs.items():
                    self._insert(run_id, entries)
            self._waiting.clear()

    def _insert(self, run_id: str, entries: list[tuple[EventLogEntry, Row]]) -> None:
        """For many events of a run what the parent's ``store_event`` does for one."""
        index, table = self._writing[INDEX_SHARD_NAME], SqlEventLogStorageTable
        self._writing[run_id].execute(table.insert(), [row for _, row in entries])
        indexed = [(event, row) for event, row in entries if _type(event) in INDEXED]
        if not indexed:
            return
        inserted = index.execute(
            table.insert().returning(table.c.id, sort_by_parameter_order=True), [row for _, row in indexed]
        )
        event_ids: Sequence[int] = inserted.scalars().all()
        for (event, _), event_id in zip(indexed, event_ids, strict=True):
            if _type(event) in ASSET_EVENTS:
                self._store_asset_event_tags(index, [event], [event_id])
                self._store_asset_event(index, event, event_id)
            elif _type(event) in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._lock:
            if shard in self._writing:
                yield self._writing[shard]
                return
            self._write()  # whoever reads sees all
            with self._engine(shard).begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        return self._remembered("table", table_name, super().has_table)

    def has_secondary_index(self, name: str) -> bool:
        return self._remembered("index", name, super().has_secondary_index)

    def has_asset_key_col(self, column_name: str) -> bool:
        return self._remembered("column", column_name, super().has_asset_key_col)

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        return self._remembered("column", column_name, partial(super()._has_asset_key_col_on_connection, conn))

    def _remembered(self, kind: str, name: str, ask: Callable[[str], bool]) -> bool:
        if (kind, name) not in self._known and ask(name):
            self._known.add((kind, name))
        return (kind, name) in self._known

    def _engine(self, shard: str) -> Engine:
        """The engine of one database; those that were not used for longest are closed."""
        engine = self._engines.pop(shard, None)
        if engine is None:
            engine = create_engine(
                create_db_conn_string(self._base_dir, shard), connect_args={"timeout": BUSY_TIMEOUT_SECONDS}
            )
            listen(engine, "connect", lambda raw, _: raw.execute("pragma synchronous = normal"))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        for unused in [name for name in self._engines if name not in self._writing][:-KEPT]:
            self._engines.pop(unused).dispose()
        return engine

    def wipe(self) -> None:
        with self._lock:
            self._waiting.clear()
            self._known.clear()
            self._close()
            super().wipe()

    def dispose(self) -> None:
        super().dispose()
        with self._lock:
            self._write()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._close()

    def _close(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()


def _type(event: EventLogEntry) -> DagsterEventType | None:
    return event.dagster_event_type if event.is_dagster_event else None
