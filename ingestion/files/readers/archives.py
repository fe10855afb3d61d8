"""Compressed files: what is in a ``.gz`` or ``.zip``, as a file to read. How that is read does not belong here (``tabular``).

What a file is told by its first bytes, as names lie.
"""

from __future__ import annotations

import fnmatch
import gzip
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast
from zipfile import BadZipFile, ZipFile

from ingestion.files.readers.relation import RefusedError

_OFFICE = "[Content_Types].xml"  # a workbook is a zip file too


def is_packed(path: Path) -> bool:
    """Whether a file is a ``.gz`` or ``.zip`` that has to be unpacked. OSError."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK\x03\x04"):
        try:
            with ZipFile(path) as archive:
                return _OFFICE not in archive.namelist()
        except BadZipFile:
            return True  # who unpacks it says what is wrong
    return start.startswith(b"\x1f\x8b")


@contextmanager
def opened(path: Path, *, member: str | None = None) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked as they are read: what is only looked into is not unpacked as a whole. RefusedError; OSError."""
    with path.open("rb") as file:
        start = file.read(4)
    try:
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as content:
                yield cast("IO[bytes]", content)  # it has all of the methods, but no type of its own says so
        elif start.startswith(b"PK\x03\x04") and is_packed(path):
            with ZipFile(path) as archive, archive.open(_chosen(archive, member)) as content:
                yield content
        else:
            with path.open("rb") as content:
                yield content
    except (BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RefusedError(f"it can't be unpacked: {error or type(error).__name__}. Perhaps it was cut off.") from error
    except (RuntimeError, NotImplementedError) as error:
        raise RefusedError(
            f"it can't be unpacked: {error}. Pack it without a password, as an ordinary .zip."
        ) from error


def unpacked(path: Path, folder: Path, *, kind: str, member: str | None) -> Path:
    """``path`` itself, or its content, which is of ``kind``, in ``folder``. ``member``: which file of an archive.

    RefusedError where it can't be unpacked; OSError.
    """
    with path.open("rb") as file:
        start = file.read(4)
    target = folder / "unpacked"
    try:
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
            return target
        if start.startswith(b"PK\x03\x04"):
            with ZipFile(path) as archive:
                if _OFFICE in archive.namelist():
                    return path
                with archive.open(_chosen(archive, member)) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
            return target
    except (BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        if kind == "excel" and not start.startswith(b"\x1f\x8b"):
            return path  # a damaged workbook
        raise RefusedError(f"it can't be unpacked: {error or type(error).__name__}. Perhaps it was cut off.") from error
    except (RuntimeError, NotImplementedError) as error:
        raise RefusedError(
            f"it can't be unpacked: {error}. Pack it without a password, as an ordinary .zip."
        ) from error
    return path


def _chosen(archive: ZipFile, member: str | None) -> str:
    """The file of an archive that is read: the only one, or the only one that ``member`` (a name or pattern) matches."""
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/") and not PurePosixPath(name).name.startswith(".")
    ]
    fitting = [
        name
        for name in names
        if member is None or fnmatch.fnmatchcase(name, member) or fnmatch.fnmatchcase(PurePosixPath(name).name, member)
    ]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(names[:10]) or "nothing"
    if not fitting and member is not None:
        raise RefusedError(f"no file in it is '{member}'; it holds: {listed}.")
    raise RefusedError(f"it holds several files: {listed}. Say with `member` which one is read, and make an entry for each." if names else "it holds no file.")  # fmt: skip
