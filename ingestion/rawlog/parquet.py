"""What a Parquet file of the raw log says beyond its columns, and how its rows are read whole: columns that were received, constants, an original.

Files of bulk tables hold nothing twice. Their metadata has as JSON ``received``, the labels of the columns that were received
(``AsReceived.label``), ``constants``, what is the same in all its rows, and ``original``, the name of a file in ``<raw>/<source>/_originals`` that
was kept as it came and whose row n is row n of theirs. Which files are kept how belongs to ``landing``, the views over them to ``views``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingestion.rawlog.declarations import SAME_AS, received_value
from ingestion.sql.text import identifier, path_literal, quote

_RECEIVED, _CONSTANTS, _ORIGINAL = "received", "constants", "original"
_FOLDER = "_originals"
# DuckDB's own names for the place of a row: a column of an original that is called so would stand before them.
_PLACES = {"file_index", "file_row_number", "filename"}
# What writers say of columns. Other metadata, and the dictionary that Arrow keeps of a categorical column, may name somebody whom no row names.
_SCHEMAS = {
    "ARROW:schema",
    "pandas",
    "parquet.avro.schema",
    "org.apache.spark.version",
    "org.apache.spark.sql.parquet.row.metadata",
}
# Types whose values are not written to another file, or to JSON, as they are read.
_ODD = ("json", "variant", "geometry")


@dataclass(frozen=True)
class Constant:
    """A column with one value for all rows of a file. ``type``: a DuckDB type; ``text``: the value, which is no null."""

    name: str
    type: str
    text: str


@dataclass(frozen=True)
class _Form:
    """What files must have in common to be read by one query. ``shape``: the columns of their originals with their types."""

    labels: tuple[str, ...]
    received: str | None
    constants: tuple[str, ...]
    shape: str | None


def metadata(labels: Sequence[str], constants: Sequence[Constant] = (), original: str | None = None) -> list[str]:
    """The option of a DuckDB ``copy`` that writes the metadata of a file of the raw log; none where there is nothing to say."""
    texts = {
        _RECEIVED: json.dumps(labels, ensure_ascii=False) if labels else None,
        _CONSTANTS: json.dumps([astuple(one) for one in constants], ensure_ascii=False) if constants else None,
        _ORIGINAL: original,
    }
    listed = ", ".join(f"{key}: {quote(text)}" for key, text in texts.items() if text is not None)
    return [f"kv_metadata {{{listed}}}"] if listed else []


def metadata_of_copy(file: Path) -> list[str]:
    """That option for a copy of ``rows`` of ``file``, in which constants and what was received have become columns."""
    return metadata(json.loads(_about(file).get(_RECEIVED, "[]")))


def recorded(files: Sequence[Path]) -> str | None:
    """A query for the rows of ``files`` with all their columns, ``file_row_number``, and ``record`` as JSON; None without files."""
    groups: dict[_Form, list[Path]] = {}
    for file in files:
        groups.setdefault(_form(file), []).append(file)
    parts = []
    for form, members in groups.items():
        if not form.labels:
            parts.append(rows(members))
            continue
        kept = set(_kept(members[0]))
        values = ", ".join(received_value(label, label in kept) for label in form.labels)
        columns = "* exclude (received)" if kept else "*"
        parts.append(f"select {columns}, to_json(struct_pack({values})) as record from ({rows(members)})")
    return " union all by name ".join(parts) or None


def columns_of(files: Sequence[Path]) -> str:
    """SQL of a table function with the columns that Parquet files hold themselves, and ``file_row_number``."""
    listed = ", ".join(path_literal(file) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false, file_row_number = true)"


def rows(files: Sequence[Path]) -> str:
    """A query for the rows of ``files``, which are of one form: all their columns, ``file_row_number``, and what was received in ``received``."""
    abouts = [_about(file) for file in files]
    joined = f"select *, file_index from {columns_of(files)}"
    if _ORIGINAL in abouts[0]:
        originals = [_folder(file) / about[_ORIGINAL] for file, about in zip(files, abouts, strict=True)]
        fields = ", ".join(
            f"{identifier(label)} := {identifier(label.removesuffix(SAME_AS))}" for label in _kept(files[0])
        )
        received = f"select file_index, file_row_number, struct_pack({fields}) as received from {columns_of(originals)}"
        joined = f"select * from ({joined}) join ({received}) using (file_index, file_row_number)"
    if _CONSTANTS in abouts[0]:
        listed = [json.loads(about[_CONSTANTS]) for about in abouts]
        names = ", ".join(identifier(name) for name, *_ in listed[0])
        values = ", ".join(
            f"({index}, {', '.join(f'cast({quote(text)} as {kind})' for _, kind, text in constants)})"
            for index, constants in enumerate(listed)
        )
        joined = f"select * from ({joined}) join (values {values}) as constants(file_index, {names}) using (file_index)"
    return f"select * exclude (file_index) from ({joined})"


def shape_of(file: Path) -> str | None:
    """The columns of a Parquet file with their order and types: files with the same can be read as one.

    None where it is no such file, its rows can't be told by their place, or its columns by their names.
    """
    import pyarrow as pa

    try:
        schema = _metadata(file).schema
        names = [name.casefold() for name in schema.to_arrow_schema().names]
    except (pa.ArrowException, OSError, ValueError):
        return None
    if not all(names) or len(set(names)) < len(names) or not _PLACES.isdisjoint(names):
        return None
    return "\n".join(str(schema.column(position)) for position in range(len(schema)))


def can_be_original(con: duckdb.DuckDBPyConnection, file: Path) -> bool:
    """Whether a Parquet file can be kept as it came: all of it can be read at any time, written anew without some rows, and it holds nothing else."""
    if shape_of(file) is None:
        return False
    schema = _schema(file)
    if not {key.decode(errors="replace") for key in schema.metadata or {}} <= _SCHEMAS or "dictionary<" in str(
        schema.remove_metadata()
    ):
        return False
    reader = f"read_parquet({path_literal(file)}, hive_partitioning = false)"
    try:
        kinds = [kind.lower() for _, kind, *_ in con.execute(f"describe select * from {reader}").fetchall()]
        if any(odd in kind for odd in _ODD for kind in kinds):
            return False
        con.execute(f"select bit_xor(hash(columns(*))) from {reader}").fetchall()
    except duckdb.Error:
        return False
    return True


def names_of(file: Path) -> list[str]:
    """The columns of a Parquet file."""
    return list(_schema(file).names)


def labels_of_original(original: Path) -> list[str]:
    """The labels of the columns of a file that is kept as it came."""
    return [f"{name}{SAME_AS}" for name in names_of(original)]


def place_originals(dataset: Path, originals: Mapping[str, Path]) -> list[Path]:
    """Move files (name → where it is) to the originals of the source with the folder ``dataset``, before the load that they are of is committed."""
    for name, path in originals.items():
        (dataset / _FOLDER).mkdir(parents=True, exist_ok=True)
        shutil.move(path, dataset / _FOLDER / name)
    return [dataset / _FOLDER / name for name in originals]


def is_whole(file: Path) -> bool:
    """Whether a Parquet file has its end: one that was being copied when its load was killed has none."""
    import pyarrow as pa

    try:
        _metadata(file)
    except (pa.ArrowException, OSError, ValueError):
        return False
    return True


def original_of(file: Path) -> Path | None:
    """The original of a file of the raw log; None where it has none."""
    name = _about(file).get(_ORIGINAL)
    return None if name is None else _folder(file) / name


def remove_unnamed_originals(dataset: Path) -> int:
    """Remove the originals of a source that no file of its raw log names; returns how many. Call it only while nothing is loaded."""
    originals = set((dataset / _FOLDER).glob("*.parquet"))
    if not originals:
        return 0
    unnamed = originals - {original_of(file) for file in dataset.glob("[!_]*/*.parquet")}
    for original in unnamed:
        original.unlink()
    return len(unnamed)


# Importing Arrow takes longer than many a command needs.
def _metadata(file: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_metadata(file)


def _schema(file: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_schema(file)


def _about(file: Path) -> dict[str, str]:
    found = _metadata(file).metadata or {}
    return {key: found[key.encode()].decode() for key in (_RECEIVED, _CONSTANTS, _ORIGINAL) if key.encode() in found}


def _folder(file: Path) -> Path:
    return file.parent.parent / _FOLDER


def _kept(file: Path) -> list[str]:
    """The fields of ``received`` that the rows of ``file`` have."""
    if original := original_of(file):
        return labels_of_original(original)
    schema = _schema(file)
    return [field.name for field in schema.field("received").type] if "received" in schema.names else []


def _form(file: Path) -> _Form:
    about, schema = _about(file), _schema(file)
    original = original_of(file)
    # files of the first version list no labels: they have a field for each column
    labels = json.loads(about[_RECEIVED]) if _RECEIVED in about else _kept(file)
    constants = tuple(name for name, *_ in json.loads(about.get(_CONSTANTS, "[]")))
    received = str(schema.field("received").type) if "received" in schema.names else None
    return _Form(tuple(labels), received, constants, shape_of(original) if original else None)
