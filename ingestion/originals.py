"""Parquet files that are kept as they came, beside a file with only the typed columns of their rows: where they are, and how the two become one.

Row n of the one is row n of the other. Originals stand in ``<raw>/<source>/_originals/<load_id>.<token>.parquet``; the metadata of the typed file
names its own. Which files are kept so belongs to ``files``, how the typed ones are written to ``landing``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.lines import identifier, path_literal
from ingestion.raw_tables import SAME_AS

# The key of a Parquet file's metadata under which it names its original.
ORIGINAL = "original"
_FOLDER = "_originals"
# DuckDB's own names for the place of a row: a column of the file that is called so would stand before them.
_PLACES = {"file_index", "file_row_number", "filename"}


def can_be_kept(file: Path) -> bool:
    """Whether the rows of a Parquet file can be found again by their place, and its columns by their names."""
    try:
        names = [name.casefold() for name in pq.read_schema(file).names]
    except (pa.ArrowException, OSError):
        return False
    return all(names) and len(set(names)) == len(names) and _PLACES.isdisjoint(names)


def place(dataset: Path, originals: Mapping[str, Path]) -> None:
    """Move files (name → where it is) to the originals of the source with the folder ``dataset``, before the load that they are of is committed."""
    for name, path in originals.items():
        (dataset / _FOLDER).mkdir(parents=True, exist_ok=True)
        shutil.move(path, dataset / _FOLDER / name)


def original_of(file: Path) -> Path | None:
    """The original of a file of the raw log; None where it has none."""
    name = (pq.read_metadata(file).metadata or {}).get(ORIGINAL.encode())
    return None if name is None else file.parent.parent / _FOLDER / name.decode()


def shape_of(original: Path) -> str:
    """What files must have in common to be read as one: names, order and types of their columns."""
    schema = pq.read_metadata(original).schema
    return "\n".join(str(schema.column(position)) for position in range(len(schema)))


def labels_of(original: Path) -> list[str]:
    """The labels (``AsReceived.label``) of its columns."""
    return [f"{name}{SAME_AS}" for name in pq.read_schema(original).names]


def united(files: Sequence[Path]) -> str:
    """A query for the rows of ``files``, all with originals of one shape: their columns, ``file_row_number``, and the originals' in ``received``."""
    originals = [original for file in files if (original := original_of(file))]
    fields = ", ".join(
        f"{identifier(label)} := {identifier(label.removesuffix(SAME_AS))}" for label in labels_of(originals[0])
    )
    received = f"select file_index, file_row_number, struct_pack({fields}) as received from {_read(originals)}"
    return (
        f"select * exclude (file_index) from (select *, file_index from {_read(files)}) "
        f"join ({received}) using (file_index, file_row_number)"
    )


def remove_unnamed(dataset: Path) -> int:
    """Remove the originals of a source that no file of its raw log names; returns how many. Call it only while nothing is loaded."""
    originals = set((dataset / _FOLDER).glob("*.parquet"))
    if not originals:
        return 0
    unnamed = originals - {original_of(file) for file in dataset.glob("[!_]*/*.parquet")}
    for original in unnamed:
        original.unlink()
    return len(unnamed)


def _read(files: Sequence[Path]) -> str:
    listed = ", ".join(path_literal(file) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false, file_row_number = true)"
