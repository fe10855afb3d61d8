"""Whether the files that a mapping names are there. What is wrong inside of them shows when they are loaded (``files``)."""

from __future__ import annotations

from pathlib import Path

from ingestion.about import Finding
from ingestion.mapping import load
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import Company


def check_files(company: Company, process: Process, name: str) -> list[Finding]:
    """The mapping, the data directory, then the files of each entry."""
    mapping = f"sources/{name}.yml"
    try:
        source = load(company.sources_dir / f"{name}.yml", process)
    except ConfigurationError as error:
        return [Finding(mapping, is_ok=False, advice=str(error))]
    found = [Finding(mapping, is_ok=True)]
    folder = company.data_dir
    if not folder.is_dir():
        advice = f"There is no folder {folder}. Make it and put the files of {mapping} there, or set SALESGAUGE_DATA to where they are."
        return [*found, Finding("the data directory", is_ok=False, advice=advice)]
    for entry in source.files:
        files = [path for path in folder.glob(entry.path) if path.is_file()]
        unreadable = [path.name for path in files if not _can_be_read(path)]
        advice = ""
        if unreadable:
            advice = f"{', '.join(unreadable[:3])} can't be read by this user: give it the right to read."
        elif not files and not entry.optional:
            advice = f"No file below {folder} matches. Put it there, correct `path` in {mapping}, or set `optional: true` if that is no mistake."
        found.append(Finding(f"files of '{entry.path}': {len(files)}", is_ok=not advice, advice=advice))
    return found


def _can_be_read(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError:
        return False
    return True
