"""What is known of the files of a file source: which content was loaded last, and by which load. Kept in the cursors of committed loads.

A cursor (one per entity) is ``{"mapping": hash, "files": {name: state}}``; a state has ``size, mtime_ns, sha256``, of an object in a bucket ``etag``,
``refused`` (why, or null), ``rows`` (how many it has, null where that can't be told), ``load_id``, the load whose rows of the file count (null: none
does), and the ``received``, ``duplicates`` and ``filtered`` of these. ``rawlog`` shows the rows of just these loads. ``is_derived``: the rows are events
that the rows of another entity tell of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ingestion.connector.places import Stored
from ingestion.rawlog.accounting import TableCount

State = dict[str, Any]
_COUNTS = ("received", "duplicates", "filtered")
UNREAD: State = {"size": -1, "mtime_ns": 0, "sha256": ""}  # as no file is


def is_known(file: Stored, before: State) -> bool:
    """Whether the file is the one of ``before`` without a look into it: by the etag that a bucket gives its content, else by size and time."""
    if file.etag is not None:
        return (before["size"], before.get("etag")) == (file.size, file.etag)
    return bool((before["size"], before["mtime_ns"]) == (file.size, file.mtime_ns))


def state_of_read(file: Stored, path: Path) -> State:
    """The state of a file whose content is read from ``path``. OSError."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    etag = {} if file.etag is None else {"etag": file.etag}
    return {"size": file.size, "mtime_ns": file.mtime_ns, "sha256": digest, **etag}


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

    def read(
        self,
        entity: str,
        file: str,
        state: State,
        load_id: str,
        refused: str | None,
        rows: int | None = None,
        landed: TableCount | None = None,
        is_derived: bool = False,
    ) -> State:
        """The file was read in load ``load_id``, which ``landed`` its rows. A file that was refused keeps the rows of the version before."""
        last_good = self._before.get((entity, file), ({}, False))[0]
        count = landed or TableCount()
        counts = {name: last_good.get(name) if refused else getattr(count, name) for name in _COUNTS}
        new = {
            **{key: value for key, value in state.items() if key != "is_derived"},
            "refused": refused,
            "load_id": last_good.get("load_id") if refused else load_id,
            "rows": rows,
            **counts,
        }
        earlier = self._after.get((entity, file))  # of another entry for the same file and entity
        if earlier is not None:
            if earlier["load_id"] == new["load_id"] and not refused:
                counts = {name: (earlier.get(name) or 0) + (counts[name] or 0) for name in _COUNTS}
            elif (earlier["load_id"] or "") >= (new["load_id"] or ""):
                counts = {name: earlier.get(name) for name in _COUNTS}
            new |= counts
            new["refused"] = earlier["refused"] or refused
            new["load_id"] = max(earlier["load_id"] or "", new["load_id"] or "") or None
            new["rows"] = max(earlier["rows"] or 0, rows or 0) or rows
        if is_derived and (earlier is None or earlier.get("is_derived")):
            new["is_derived"] = True
        self._after[entity, file] = new
        return new

    def keep(self, entity: str, file: str, state: State) -> None:
        """The file was not read: nothing changed."""
        self._after.setdefault((entity, file), state)

    def hold(self, entity: str, file: Stored, why: str) -> None:
        """The file is there but could not be read: the rows of its version before stay, and it is read again with the next run."""
        state, _ = self._before.get((entity, file.name), ({"load_id": None, "rows": None}, False))
        unread = {**UNREAD, "size": file.size, "etag": None}  # its time and its content are none that a file has
        self._after.setdefault((entity, file.name), {**state, **unread, "refused": why})

    def forget(self, entity: str, file: str) -> None:
        """What was read of the file counts, but it is read again with the next run, whatever it looks like."""
        state = self._after.get((entity, file))
        if state is not None:
            self._after[entity, file] = {**state, **UNREAD}

    def cursors(self, entities: set[str], exists: Callable[[str], bool]) -> dict[str, dict[str, Any]]:
        """The cursors after the run, given the ``entities`` that the mapping has now.

        A file that is gone (exports are often moved away) keeps its rows, and is not new if it comes back. A file that is there but that the mapping
        names no longer loses them.
        """
        result: dict[str, dict[str, Any]] = {
            entity: {"mapping": self._meaning, "files": {}} for entity in sorted(self._entities | entities)
        }
        for (entity, file), (state, is_same_mapping) in self._before.items():
            if entity in entities and not exists(file):
                # what was mapped otherwise is read again when it comes back
                self._after.setdefault((entity, file), state if is_same_mapping else {**state, **UNREAD})
        for (entity, file), state in self._after.items():
            result[entity]["files"][file] = state
        return {entity: cursor for entity, cursor in result.items() if cursor["files"] or entity in self._entities}
