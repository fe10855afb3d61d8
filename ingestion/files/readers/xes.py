"""Event logs in XES (IEEE 1849): each event becomes one line of JSON, with the attributes of its case as ``case:<name>``.

A log is read event by event, so that memory stays flat whatever its size. What the attributes mean does not belong here (``mapping``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

_CASE = "case:"


class NoLogError(Exception):
    """A file that is no XES. The message says why."""


def to_json_lines(path: Path, target: Path) -> list[str]:
    """Write the events of the log ``path`` to ``target``; the names of all attributes, in their order. NoLogError, OSError."""
    names: dict[str, None] = {}
    with target.open("w", encoding="utf-8") as out:
        try:
            for event in _events(path):
                names.update(dict.fromkeys(event))
                out.write(json.dumps(event, ensure_ascii=False) + "\n")
        except ElementTree.ParseError as error:
            raise NoLogError(f"it is no well-formed XML: {error}") from error
    return list(names)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    case: dict[str, Any] = {}
    event: dict[str, Any] = {}
    open_elements: list[ElementTree.Element] = []
    with path.open("rb") as file:
        for moment, element in ElementTree.iterparse(file, events=("start", "end")):
            tag = _tag(element)
            if moment == "start":
                if not open_elements and tag != "log":
                    raise NoLogError(f"its first element is <{tag}>; expected <log>")
                if tag == "trace":
                    case = {}
                elif tag == "event":
                    event = {}
                open_elements.append(element)
                continue
            open_elements.pop()
            within = _tag(open_elements[-1]) if open_elements else ""
            if tag == "event":
                yield {**{_CASE + name: value for name, value in case.items()}, **event}
            elif within in ("trace", "event") and (key := element.get("key")) is not None:
                # an attribute may have attributes of its own: these are within it, and not taken
                (event if within == "event" else case)[key] = _value(tag, element.get("value"))
            if tag in ("event", "trace") and open_elements:
                open_elements[-1].remove(element)  # what was read, so that memory stays flat


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _value(kind: str, text: str | None) -> Any:
    """Numbers and truth values as JSON's own; all else as it is written."""
    if text is None:
        return None
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            value = float(text)
            return value if abs(value) < float("inf") else text
        if kind == "boolean":
            return {"true": True, "false": False}.get(text.lower(), text)
    except ValueError:
        pass
    return text
