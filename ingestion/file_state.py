"""What is known of the files of a file source: which content was loaded last, and by which load. Kept in the cursors of committed loads.

A cursor (one per entity) is ``{"mapping": hash, "files": {name: state}}``; a state has ``size, mtime_ns, sha256, refused`` (why, or null) and
``load_id``, the load whose rows of the file count (null: none does). ``rawlog`` shows the rows of just these loads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

State = dict[str, Any]


class FileStates:
    """The states before a run, and those after it. ``meaning`` is the hash of what decides how files are mapped."""

    def __init__(self, cursors: Mapping[str, Mapping[str, Any]], meaning: str) -> None:
        self._meaning = meaning
        self._before = {
            (entity, file): (state, cursor["mapping"] == meaning)
            for entity, cursor in cursors.items()
            for file, state in cursor["files"].items()
        }
        self._entities = set(cursors)
        self._after: dict[tuple[str, str], State] = {}

    def known(self, entity: str, file: str) -> State | None:
        """The state of a file that was mapped as it would be today; None if it has to be read."""
        state, is_same_mapping = self._before.get((entity, file), (None, False))
        return state if is_same_mapping else None

    def read(self, entity: str, file: str, state: State, load_id: str, refused: str | None) -> State:
        """The file was read in load ``load_id``. A file that was refused keeps the rows of the version before."""
        last_good = self._before.get((entity, file), ({}, False))[0].get("load_id")
        new = {**state, "refused": refused, "load_id": last_good if refused else load_id}
        earlier = self._after.get((entity, file))  # of another entry for the same file and entity
        if earlier is not None:
            new["refused"] = earlier["refused"] or refused
            new["load_id"] = max(earlier["load_id"] or "", new["load_id"] or "") or None
        self._after[entity, file] = new
        return new

    def keep(self, entity: str, file: str, state: State) -> None:
        """The file was not read: nothing changed."""
        self._after.setdefault((entity, file), state)

    def cursors(self, entities: set[str], exists: Callable[[str], bool]) -> dict[str, dict[str, Any]]:
        """The cursors after the run, given the ``entities`` that the mapping has now.

        A file that is gone (exports are often moved away) keeps its rows, and is not new if it comes back. A file that is there but that the mapping
        names no longer loses them.
        """
        result: dict[str, dict[str, Any]] = {
            entity: {"mapping": self._meaning, "files": {}} for entity in sorted(self._entities | entities)
        }
        for (entity, file), (state, _) in self._before.items():
            if entity in entities and not exists(file):
                self._after.setdefault((entity, file), state)
        for (entity, file), state in self._after.items():
            result[entity]["files"][file] = state
        return {entity: cursor for entity, cursor in result.items() if cursor["files"] or entity in self._entities}


def state_of(path: Path, before: State | None) -> State:
    """Size, time and hash of a file. A file with the size and time of before is not read; one with the same content keeps its state. OSError."""
    stat = path.stat()
    if before and (before["size"], before["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
        return before
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if before and before["sha256"] == digest:
        return before
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}
