"""What people should know of files that were loaded, collected over a run and said once at its end, however many files it is true of.

Why a file was refused does not belong here (``run``): that is an error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ingestion.files.keys import Shared

_NAMED = 3  # files in a note


class FileNotes:
    """Collects; ``texts`` says it."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._shared: dict[str, list[tuple[str, Shared]]] = {}
        self._filtered: dict[str, list[tuple[str, int]]] = {}
        self._encodings: dict[str, list[str]] = {}
        self._days: dict[str, list[str]] = {}

    def shared(self, entity: str, file: str, shared: Shared) -> None:
        """Rows of ``file`` share a key."""
        if shared.duplicates or shared.superseded:
            self._shared.setdefault(entity, []).append((file, shared))

    def transitions(self, file: str, steps: Mapping[str, int]) -> None:
        """The event log ``file`` holds its steps several times, as ``lifecycle:transition`` says."""
        counts = ", ".join(f"{name} {count:,}" for name, count in steps.items())
        self._said.append(
            f"{file}: lifecycle:transition says that a step is told of several times ({counts}); all are read. "
            "`where` reads one of them: \"lifecycle:transition\" = 'complete'"
        )

    def filtered(self, entity: str, file: str, rows: int) -> None:
        """``where`` left out so many rows of ``file``."""
        if rows:
            self._filtered.setdefault(entity, []).append((file, rows))

    def encoding(self, file: str, encoding: str, line: int | None) -> None:
        """The text of ``file`` is no UTF-8, as ``line`` shows, but was taken to be ``encoding``."""
        place = f"{file} (line {line:,})" if line else file
        if place not in self._encodings.setdefault(encoding, []):
            self._encodings[encoding].append(place)

    def days(self, file: str, columns: Collection[str]) -> None:
        """All moments of these columns of ``file`` are midnight in UTC."""
        for column in columns:
            if file not in self._days.setdefault(column, []):
                self._days[column].append(file)

    def texts(self) -> list[str]:
        """One sentence for each kind of thing."""
        said = [
            f"read as {encoding}, not as UTF-8: {_listed(files)}. Set `encoding` in the mapping if it is another"
            for encoding, files in self._encodings.items()
        ]
        said += [
            f"all times of '{column}' are midnight in UTC and were read as days: {_listed(files)}"
            for column, files in self._days.items()
        ]
        for entity, filtered in self._filtered.items():
            count = sum(rows for _, rows in filtered)
            said.append(
                f"{entity}: {_rows(count, 'was', 'were')} left out by `where`: {_listed([file for file, _ in filtered])}"
            )
        return [*self._said, *said, *(_of_keys(entity, files) for entity, files in self._shared.items())]


def _of_keys(entity: str, files: list[tuple[str, Shared]]) -> str:
    duplicates = sum(shared.duplicates for _, shared in files)
    superseded = sum(shared.superseded for _, shared in files)
    said = []
    if duplicates:
        said.append(f"{_rows(duplicates, 'is a duplicate', 'are duplicates')} (left out)")
    if superseded:
        said.append(f"{_rows(superseded, 'is an older version', 'are older versions')} of a record (superseded)")
    places = [f"{file} lines {one.example[0]:,} and {one.example[1]:,}" for file, one in files if one.example]
    return f"{entity}: {', '.join(said)}: rows of a file share a key, such as {_listed(places, '; ')}"


def _rows(count: int, one: str, several: str) -> str:
    return f"1 row {one}" if count == 1 else f"{count:,} rows {several}"


def _listed(places: list[str], separator: str = ", ") -> str:
    more = f" and {len(places) - _NAMED:,} more files" if len(places) > _NAMED else ""
    return separator.join(places[:_NAMED]) + more
