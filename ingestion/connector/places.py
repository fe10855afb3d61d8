"""Where files are, as those see it who read them: a place that lists files and gives one to read. Here is the folder; the bucket is in ``buckets``.

What is in the files does not belong here (``ingestion.files``, ``ga4``), nor what is known of them, nor their order (``rawlog.order``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Stored:
    """A file of a place: ``name`` below it, size in bytes, when it was changed (ns since 1970), and the ``etag`` that a bucket gives its content."""

    name: str
    size: int
    mtime_ns: int
    etag: str | None = None


class ChangingError(OSError):
    """A file changed each time while it was read."""


class Place(Protocol):
    """Read access to the files of one source."""

    words: str

    def find(self, pattern: str) -> list[Stored]:
        """The files that ``pattern`` (a glob, or a name) matches, by name."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such a file, matched by a pattern or not."""
        ...

    def fetched(self, file: Stored, folder: Path) -> AbstractContextManager[tuple[Path, Stored]]:
        """A path to read ``file`` from, and the file as it was when it was read. OSError where it can't be read."""
        ...

    def try_reading(self, file: Stored) -> None:
        """Read the first byte of ``file``, to see whether one may. OSError."""
        ...

    def is_changed(self, file: Stored) -> bool:
        """Whether ``file`` became another while the path of ``fetched`` was read."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


class Folder:
    """A folder of this machine; files are read where they are."""

    def __init__(self, root: Path, words: str = "the data directory") -> None:
        self._root, self.words = root, words

    def find(self, pattern: str) -> list[Stored]:
        """The files that ``pattern`` matches, by name."""
        found = []
        for path in sorted(self._root.glob(pattern)):
            try:
                if path.is_file():
                    found.append(stored(path.relative_to(self._root).as_posix(), path))
            except OSError:
                continue  # it was moved away just now
        return found

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._root / name).is_file()

    @contextmanager
    def fetched(self, file: Stored, folder: Path) -> Iterator[tuple[Path, Stored]]:
        """The path of ``file``."""
        path = self._root / file.name
        yield path, stored(file.name, path)

    def try_reading(self, file: Stored) -> None:
        """Read the first byte of ``file``, to see whether one may. OSError."""
        with (self._root / file.name).open("rb") as content:
            content.read(1)

    def is_changed(self, file: Stored) -> bool:
        """Whether size or time are others now."""
        try:
            return stored(file.name, self._root / file.name) != file
        except OSError:
            return False  # moved away after it was read

    def close(self) -> None:
        """Nothing to give back."""


def stored(name: str, path: Path) -> Stored:
    """The file ``path`` of this machine as ``name``. OSError."""
    stat = path.stat()
    return Stored(name, stat.st_size, stat.st_mtime_ns)
