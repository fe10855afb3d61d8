"""Pages of an API on their way to the raw log: JSON-lines files in the working folder, and how many. Loading them is ``ingestion.landing.load``'s part."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from salesgauge.progress import Reporter


def dumps(record: Any) -> str:
    """``record`` as one line of ASCII JSON, always written the same way, so that equal records are equal text.

    Half of a surrogate pair (an emoji that software cut in two) becomes U+FFFD: DuckDB takes no JSON that holds one.
    """
    line = json.dumps(record, separators=(",", ":"), sort_keys=True)
    return json.dumps(_mended(record), separators=(",", ":"), sort_keys=True) if "\\ud" in line else line


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(key): _mended(one) for key, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list) else value


class Tally:
    """Counts what the threads of one source have read, and tells people."""

    def __init__(self, reporter: Reporter, name: str, unit: str = "records") -> None:
        self._reporter, self._name, self._unit = reporter, name, unit
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        """``count`` more were read."""
        with self._lock:
            self._count += count
            total = self._count
        if count:
            self._reporter.advance(self._name, total, None, self._unit)


class Spool:
    """A JSON-lines file that is written record by record; memory stays flat. Use it as a context manager.

    ``count`` is the number of lines, ``longest`` the bytes of the longest one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.longest = 0
        self._file = path.open("w", encoding="ascii", buffering=1 << 20)

    def write(self, records: Iterable[Any]) -> None:
        """Append ``records``, one line each."""
        for record in records:
            line = dumps(record)
            self._file.write(line + "\n")
            self.count += 1
            self.longest = max(self.longest, len(line))

    def flush(self) -> None:
        """Let others read what was written so far."""
        self._file.flush()

    def close(self) -> None:
        """No more is written."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@contextmanager
def spool_folder(work_dir: Path, source: str) -> Iterator[Path]:
    """An empty folder for the pages of ``source``, removed at the end: what people wrote to the company is not left lying about."""
    folder = work_dir / f"{source}-pages"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
