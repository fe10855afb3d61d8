"""What a mapping would make of the first rows of its files, a look into each (``looking``), and what of it people should know."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestion.connector.about import Finding
from ingestion.connector.places import Place, Stored
from ingestion.files.looking import Bad, FilePreview, Look
from ingestion.files.mapping.loading import load, salvaged
from ingestion.files.mapping.model import STAGE_COLUMN, FileMapping
from ingestion.files.run import place_of
from ingestion.rawlog.order import in_natural_order
from salesgauge.errors import ConfigurationError, SalesgaugeError
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from salesgauge.yaml_file import load_yaml

QUICK = {"csv": 20_000, "jsonl": 20_000, "parquet": 20_000, "excel": 2_000, "xes": 5_000}
THOROUGH = {"csv": 200_000, "jsonl": 200_000, "parquet": 200_000, "excel": 20_000, "xes": 50_000}
_MOST_FETCHED = 20_000_000  # bytes of a file in a bucket, which is fetched as a whole


@dataclass
class Preview:
    """``mistakes``: what is wrong with the mapping itself, line by line. ``unread``: entries, or files, that were not looked at, and why."""

    mistakes: list[str]
    files: list[FilePreview]
    unread: list[str]
    entries: list[FileMapping] = field(default_factory=list)


def preview(
    company: Company,
    process: Process,
    name: str,
    *,
    rows: Mapping[str, int] = QUICK,
    seconds: float | None = None,
    most: int = 20,
) -> Preview:
    """What ``sources/<name>.yml`` makes of the first ``rows`` of its files: of the newest ``most`` of each entry. ``seconds``: after them
    only one file of each entry is looked at.

    Mistakes of the mapping are listed, and what can be made of the rest is shown all the same. ConfigurationError where there is no such mapping.
    """
    began = time.monotonic()
    entries, location, mistakes = _entries(company, process, name)
    found = Preview(mistakes, [], [], [entry for _, entry in entries])
    if not location and not company.data_dir.is_dir():
        found.unread.append(
            f"there is no folder {company.data_dir}: make it and put the files there, or set SALESGAUGE_DATA to where they are"
        )
        return found
    place = place_of(company.source(name), location)
    try:
        with tempfile.TemporaryDirectory() as folder, connect(":memory:") as con, ExitStack() as kept:
            look = Look(con, place, process, name, Path(folder), rows, kept)
            waiting = []
            for number, entry in entries:
                files = _files_of(place, entry)
                if not files and not entry.optional:
                    found.unread.append(
                        f"no file matches '{entry.words}' in {place.words}: correct `path`, or set `optional: true` if that is no mistake"
                    )
                waiting += [(position, number, entry, file) for position, file in enumerate(files[:most])]
                if len(files) > most:
                    found.unread.append(
                        f"of the files of '{entry.words}' the newest {most:,} by name are looked at; there are {len(files) - most:,} more"
                    )
            # the newest file of each entry before older ones; at least one of each
            late = 0
            for position, number, entry, file in sorted(waiting, key=lambda one: one[:2]):
                is_late = seconds is not None and position > 0 and time.monotonic() - began > seconds
                if is_late or (seconds is not None and location and file.size > _MOST_FETCHED):
                    late += 1
                else:
                    found.files.append(look.at(number, entry, file))
            if late:
                found.unread.append(
                    f"{late:,} files were not looked at, to be quick: 'salesgauge sources check {name}' looks into them"
                )
    finally:
        place.close()
    found.files.sort(key=lambda one: one.number)
    return found


def _entries(
    company: Company, process: Process, name: str
) -> tuple[list[tuple[int, FileMapping]], str | None, list[str]]:
    """The entries of a mapping with their places, its location, and its mistakes; of entries with mistakes what is right in them."""
    path = company.sources_dir / f"{name}.yml"
    if not path.is_file():
        raise ConfigurationError(
            f"There is no sources/{name}.yml. 'salesgauge sources init FILE…' writes one for exports."
        )
    if "tables" in _document(path):
        raise ConfigurationError(
            f"sources/{name}.yml describes tables of a database: 'salesgauge sources check {name}' looks at them."
        )
    try:
        source = load(path, process)
        return list(enumerate(source.files)), source.location, []
    except ConfigurationError as error:
        mistakes = str(error).splitlines()
    document = _document(path)
    parts = document.get("files")
    kept = []
    for number, part in enumerate(parts if isinstance(parts, list) else []):
        entry, wrong = salvaged(part, FileMapping)
        if entry is not None and "path" not in wrong and len(entry.kinds) == 1 and None not in entry.kinds:
            kept.append((number, _usable(entry, process)))
    return kept, document.get("location"), mistakes


def _document(path: Path) -> dict[str, Any]:
    """What a mapping says, as far as it can be read; what is wrong with it says ``load``."""
    try:
        document = load_yaml(path)
    except ConfigurationError:
        return {}
    return document if isinstance(document, dict) else {}


def _usable(entry: FileMapping, process: Process) -> FileMapping:
    """An entry without names that our columns and stages do not have: these are told as mistakes."""
    known = {column.name for column in entry.definition.columns}
    parts: dict[str, Any] = {
        part: {name: value for name, value in getattr(entry, part).items() if entry.canonical(name) in known}
        for part in ("columns", "constants", "values")
    }
    if entry.stages is not None:
        stages = {stage.key for stage in process.process.stages}
        entered = {stage: rule for stage, rule in entry.stages.entered.items() if stage in stages}
        parts["stages"] = entry.stages.model_copy(update={"entered": entered}) if entry.entity in STAGE_COLUMN else None
    return entry.model_copy(update=parts)


def _files_of(place: Place, entry: FileMapping) -> list[Stored]:
    """The files of an entry, the newest by name first."""
    found = {file.name: file for path in entry.path for file in place.find(path)}
    return [found[name] for name in reversed(in_natural_order(found))]


def checked(company: Company, process: Process, name: str) -> Iterator[Finding]:
    """What a look into the files of ``sources/<name>.yml`` finds, beyond whether they are there (``files.check``)."""
    try:
        found = preview(company, process, name, rows=THOROUGH)
    except SalesgaugeError:
        return  # there is no such place, which is said by the other check
    if found.mistakes:
        yield from (Finding(text, is_ok=False) for text in found.unread)
    for one in found.files:
        what = f"{one.file} for {one.entry.entity}: {one.size}"
        if one.refused:
            yield Finding(
                f"{one.file} for {one.entry.entity}", is_ok=False, advice=f"It would be refused: {one.refused}"
            )
            continue
        texts = [f"{bad.rows:,} of them would be quarantined: {bad.reason}{_examples(bad)}" for bad in one.bad]
        texts += one.notes
        yield Finding(what, is_ok=not one.is_mistaken, advice="\n".join(texts))
    for text, advice in findings(found, process):
        yield Finding(text, is_ok=True, advice=f"{advice[0].upper()}{advice[1:]}.")


def _examples(bad: Bad) -> str:
    shown = ", ".join(f"line {line:,}{f' ({value[:40]!r})' if value else ''}" for line, value in bad.examples)
    return f" ({shown})" if shown else ""


def findings(found: Preview, process: Process) -> Iterator[tuple[str, str]]:
    """What the person should know or correct beyond single files, as (text, what to do)."""
    entities = {entry.entity for entry in found.entries}
    users = frozenset().union(*(one.keys for one in found.files if one.entry.entity == "users"))
    if users:
        unknown: Counter[str] = Counter()
        for one in found.files:
            unknown.update({owner: rows for owner, rows in one.owners.items() if owner not in users})
        if unknown:
            yield (
                f"{len(unknown):,} owners are none of the mapped users: {_listed(unknown)}",
                "give users the id that records name, or map the people's names as user_id",
            )
    for entry in found.entries:
        if entry.entity == "leads" and not {"created_at"} & entry.provided:
            yield f"{entry.words}: leads without a date: they are counted in `all`, in no period", "map created_at"
    branches = {
        word: key for key, branch in process.company.branches.items() for word in (key, (branch.label or key).lower())
    }
    for one in found.files:
        unknown_branches = {
            word: rows for word, rows in one.words.get("branch", {}).items() if word.strip().lower() not in branches
        }
        if unknown_branches:
            listed = ", ".join(process.company.branches) or "none"
            yield (
                f"{one.file}: branches that process.yml does not have: {_listed(unknown_branches)}",
                f"add them there, or say with `values: {{branch: {{…}}}}` which is meant ({listed})",
            )
        if one.stages:
            stages = ", ".join(stage.key for stage in process.process.stages)
            where = "stages.current.map" if one.entry.entity in STAGE_COLUMN else "values: stage"
            yield (
                f"{one.file}: stages that nothing maps: {_listed(one.stages)}",
                f"write them under `{where}` ({stages}, or ignore)",
            )
    if entities and not entities & {"leads", "deals", "stage_events"}:
        yield "no entry reads leads or deals", "their KPIs stay empty unless another source has them"


def _listed(words: Mapping[str, int], most: int = 8) -> str:
    shown = ", ".join(f"'{word}' ({rows:,})" for word, rows in list(words.items())[:most])
    return shown + (f" and {len(words) - most:,} more" if len(words) > most else "")
