"""Dagster's event log in SQLite, with connections that stay open. What is an event, and when one is written, is Dagster's matter."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

KEPT = 4
BUSY_TIMEOUT_SECONDS = 30


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """As its parent, which opens a database anew for each statement: a run writes some 900 events, and two thirds of its time went into opening.

    ``home`` is the folder of the Dagster instance; the files are where Dagster would put them. A database that is open is
    synchronized at checkpoints only (SQLite's ``synchronous=normal``): a power cut may cost the last events, never the file.
    """

    def __init__(self, home: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
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

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        """The engine of one database; those that were not used for longest are closed."""
        engine = self._engines.pop(shard, None)
        if engine is None:
            engine = create_engine(
                create_db_conn_string(self._base_dir, shard), connect_args={"timeout": BUSY_TIMEOUT_SECONDS}
            )
            event.listen(engine, "connect", lambda raw, _: raw.execute("pragma synchronous = normal"))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        while len(self._engines) > KEPT:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        super().dispose()
        self._close()

    def _close(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()
