"""Reading ``sources/<name>.yml``: every mistake with file, line and key, also those that no single option shows. What may be said is in ``model``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ingestion.files.mapping.model import FileMapping, FileSource, TableMapping, TableSource
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.process.checks import IGNORE
from salesgauge.yaml_file import Place, load_model

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
Source = TypeVar("Source", bound=BaseModel)


def load(path: Path, process: Process) -> FileSource:
    """Read and check ``path`` against the entities and the process. ConfigurationError lists every mistake with file, line and key."""
    return _read(path, FileSource, "files", FileMapping, process)


def load_tables(path: Path, process: Process) -> TableSource:
    """The same for tables of a database."""
    return _read(path, TableSource, "tables", TableMapping, process)


def _read(path: Path, model: type[Source], part: str, entry: type[FileMapping], process: Process) -> Source:
    if not _NAME.fullmatch(path.stem):
        raise ConfigurationError(
            f"sources/{path.name}: '{path.stem}' is no name for a source; expected lower-case letters, digits and single _ between them."
        )

    def checks(document: Any) -> Iterator[tuple[Place, str]]:
        entries = document.get(part) if isinstance(document, dict) else None
        for index, one in enumerate(entries if isinstance(entries, list) else ()):
            for place, text in _mistakes(one, entry, process):
                yield (part, index, *place), f"{part}[{index}]{text}"

    return load_model(path, model, checks)


def _mistakes(document: Any, model: type[FileMapping], process: Process) -> Iterator[tuple[Place, str]]:
    """The mistakes of an entry that no single option shows. Options that are wrong themselves, which are told anyway, are left out."""
    entry, wrong = salvaged(document, model)
    if entry is None:
        return
    for about, place, text in entry.mistakes():
        if not about & wrong:
            yield place, f": {text}"
    yield from _unknown_stages(entry, process)


def salvaged(document: Any, model: type[FileMapping]) -> tuple[FileMapping | None, set[str]]:
    """An entry without the options that are wrong, and their names; None where nothing can be made of it."""
    if not isinstance(document, dict):
        return None, set()
    wrong: set[str] = set()
    kept = dict(document)
    for _ in range(2):
        try:
            return model.model_validate(kept), wrong
        except ValidationError as error:
            places = [item["loc"] for item in error.errors() if item["loc"]]
            wrong |= {str(place[0]) for place in places if place[0] != "columns" or len(place) < 2}
            kept = {key: value for key, value in document.items() if key not in wrong}
            if isinstance(kept.get("columns"), dict):
                names = {place[1] for place in places if place[0] == "columns"}
                kept["columns"] = {name: rule for name, rule in kept["columns"].items() if name not in names}
            if "path" in wrong:
                kept["path"] = "-.csv"
    return None, wrong


def _unknown_stages(entry: FileMapping, process: Process) -> Iterator[tuple[Place, str]]:
    stages = sorted(stage.key for stage in process.process.stages)
    if entry.stages is None:
        return
    named: list[tuple[tuple[str, ...], str]] = [(("stages", "entered", stage), stage) for stage in entry.stages.entered]
    if entry.stages.current:
        words = entry.stages.current.map.items()
        named += [(("stages", "current", "map", value), stage) for value, stage in words if stage != IGNORE]
    for place, stage in named:
        if stage not in stages:
            yield (
                place,
                f".{'.'.join(place)}: '{stage}' is no stage of process.yml; expected one of: {', '.join(stages)}",
            )
