"""dlt: one load package with the files of one load, into the raw log; imported only when a load is committed.

dlt copies the files into ``<raw>/<source>/<table>/`` and writes its mark into ``_dlt_loads`` last. It gets a working folder that nothing else
uses and that is thrown away, keeps no state, reads neither the environment nor ``.dlt/*.toml``, and sends nothing anywhere. Which records are
in the files does not belong here (``landing``), nor how they are read back (``views``).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from salesgauge.errors import SourceError

LAYOUT = "{table_name}/{load_id}.{file_id}.{ext}"
_ONE_AT_A_TIME = threading.Lock()  # dlt keeps the active pipeline and its run context per process
_SETTINGS = {
    "runtime": {"dlthub_telemetry": False, "log_level": "CRITICAL", "intercept_signals": False},
    "restore_from_destination": False,
    "enable_runtime_trace": False,
    "load": {"workers": 2, "raise_on_max_retries": 3, "delete_completed_jobs": True, "truncate_staging_dataset": False},
    "normalize": {"workers": 1},
}


def commit(raw_dir: Path, work_dir: Path, source: str, load_id: str, files: Mapping[str, list[Path]]) -> None:
    """Append ``files`` (table → Parquet files) to the raw log of ``source`` as load ``load_id``: all of them, or none that counts.

    ``work_dir`` must be empty and is the caller's to remove. SourceError if dlt could not finish; the load then has no mark.
    """
    with _ONE_AT_A_TIME:
        try:
            _prepare(raw_dir / source)
            _run(raw_dir, work_dir, source, load_id, files)
        except Exception as error:
            raise SourceError(
                f"{source}: the raw log could not be written to {raw_dir.name}/{source}: {_cause(error)}"
            ) from error


@contextmanager
def isolated(work_dir: Path) -> Iterator[None]:
    """dlt with our settings only, one user at a time: it keeps its context per process."""
    from dlt.common.runtime.run_context import switched_run_context

    with _ONE_AT_A_TIME, switched_run_context(_context(work_dir)):
        yield


def _run(raw_dir: Path, work_dir: Path, source: str, load_id: str, files: Mapping[str, list[Path]]) -> None:
    import dlt
    from dlt.common.runtime.run_context import switched_run_context

    with switched_run_context(_context(work_dir)):
        destination = dlt.destinations.filesystem(bucket_url=raw_dir.resolve().as_uri(), layout=LAYOUT)
        with _load_id(load_id), _files_as_they_are(), _told_once(destination):
            pipeline = dlt.pipeline(
                pipeline_name=source, pipelines_dir=str(work_dir), destination=destination, dataset_name=source
            )
            try:
                pipeline.run([_resource(table, paths) for table, paths in files.items()], loader_file_format="parquet")
            finally:
                pipeline.deactivate()
    loaded = list((raw_dir / source / "_dlt_loads").glob(f"*__{load_id}.jsonl"))
    if len(loaded) != 1:
        raise SourceError(f"dlt did not mark load {load_id}")


def _prepare(dataset: Path) -> None:
    """Make the folder of a source with dlt's note of its version, in one step.

    dlt makes the one and then the other, and refuses for ever a folder that a killed run left without the note, or with half of it.
    """
    from dlt.destinations.impl.filesystem.filesystem import CURRENT_VERSION, INIT_FILE_NAME

    note = dataset / INIT_FILE_NAME
    try:
        if isinstance(json.loads(note.read_text(encoding="utf-8")), dict):
            return
    except (FileNotFoundError, ValueError):
        pass
    dataset.mkdir(parents=True, exist_ok=True)
    beside = dataset / f"{INIT_FILE_NAME}.new"
    beside.write_text(
        json.dumps({"initial_version": CURRENT_VERSION, "current_version": CURRENT_VERSION}), encoding="utf-8"
    )
    beside.replace(note)


def _resource(table: str, paths: list[Path]) -> Any:
    import dlt

    def files() -> Iterator[Any]:
        for path in paths:
            yield dlt.mark.with_file_import(str(path), "parquet")

    return dlt.resource(
        files, name=table, table_name=table, write_disposition="append", max_table_nesting=0, columns=_columns(paths[0])
    )


def _columns(path: Path) -> Any:
    """The columns of the Parquet file for dlt, which makes no table without any."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from dlt.common.libs.pyarrow import py_arrow_to_table_schema_columns

    fields = [
        pa.field(field.name, pa.string()) if isinstance(field.type, pa.BaseExtensionType | pa.StructType) else field
        for field in pq.read_schema(path)
    ]
    return py_arrow_to_table_schema_columns(pa.schema(fields))


@contextmanager
def _load_id(load_id: str) -> Iterator[None]:
    """Make dlt name its next package ``load_id``.

    dlt takes its own clock for it and offers no argument; ours has to sort after every load there is, whatever the clock does. ``_run``
    checks that the mark bears it, so a dlt that ignores this can't go unnoticed.
    """
    from dlt.extract import storage

    original = storage.create_load_id
    storage.create_load_id = lambda: load_id
    try:
        yield
    finally:
        storage.create_load_id = original


@contextmanager
def _files_as_they_are() -> Iterator[None]:
    """Make dlt move Parquet files like files of any other format.

    It would look into them and rewrite those whose columns differ from those of the first file of the table, but each file has just the columns
    that its source has.
    """
    from dlt.normalize import worker

    original = worker.ArrowItemsNormalizer
    worker.ArrowItemsNormalizer = worker.FileImportNormalizer  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        worker.ArrowItemsNormalizer = original  # type: ignore[misc]


@contextmanager
def _told_once(destination: Any) -> Iterator[None]:
    """Let dlt work out once what it asks again and again: what ``destination`` can do, and the types of dlt's own dictionaries.

    It is the same at each of ten and of eighty times, and was a quarter of what a small load does.
    """
    from dlt.common import validation

    found: dict[Any, Any] = {}
    original, hints = destination.capabilities, validation.get_type_hints

    def capabilities(config: Any = None, naming: Any = None) -> Any:
        if config is not None:
            return original(config, naming)
        if (key := type(naming)) not in found:
            found[key] = original(None, naming)
        return found[key].copy()

    types: dict[Any, Any] = {}

    def types_of(spec: Any, globalns: Any = None) -> Any:
        if spec not in types:
            types[spec] = hints(spec, globalns=globalns)
        return types[spec]

    destination.capabilities = capabilities
    validation.get_type_hints = types_of  # type: ignore[assignment]
    try:
        yield
    finally:
        del destination.capabilities
        validation.get_type_hints = hints


def _context(work_dir: Path) -> Any:
    from dlt.common.configuration.providers.doc import CustomLoaderDocProvider
    from dlt.common.runtime.run_context import RunContext

    class Isolated(RunContext):
        """Settings from this module only."""

        @property
        def global_dir(self) -> str:
            return str(work_dir)

        @property
        def run_dir(self) -> str:
            return str(work_dir)

        @property
        def local_dir(self) -> str:
            return str(work_dir)

        @property
        def data_dir(self) -> str:
            return str(work_dir)

        def initial_providers(self) -> list[Any]:
            return [CustomLoaderDocProvider("salesgauge", lambda: _SETTINGS, supports_secrets=True)]

    return Isolated(str(work_dir))


def _cause(error: BaseException) -> str:
    """The innermost reason in one line: dlt wraps it in several layers of text about itself."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:400]
