"""From exports to a source: which files are meant, what the source is called, where its mapping is written. What is proposed belongs to ``ingestion``."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestration.exports import unread_exports
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect


@dataclass(frozen=True)
class Written:
    """``text``: the proposed mapping; ``path``: where it is, or belongs. ``outside``: files that are not below the data directory yet."""

    name: str
    path: Path
    text: str
    outside: tuple[Path, ...]
    is_written: bool


def propose(company: Company, files: Sequence[Path], name: str | None, *, write: bool) -> Written:
    """Write ``sources/<name>.yml`` for ``files`` (none: all exports that nothing reads). ConfigurationError where it is there, or nothing can be read."""
    from ingestion.files.proposing import proposing
    from ingestion.files.sampling import tables

    process = Process.load(company.process_file)
    found = _files(company, files)
    inside = {path: path.is_relative_to(company.data_dir) for path in found}
    named = [(path.relative_to(company.data_dir).as_posix() if inside[path] else path.name, path) for path in found]
    with tempfile.TemporaryDirectory() as folder, connect(":memory:") as con:
        read, problems = tables(con, named, Path(folder))
        if not read:
            raise ConfigurationError("\n".join(problems))
        entities = proposing.entities_of(con, read, process)
        name = name or _name(list(dict.fromkeys(table.path for table in read)), entities)
        path = company.sources_dir / f"{name}.yml"
        if write and path.exists():
            command = f"salesgauge sources init --print {' '.join(shlex.quote(str(file)) for file in files)}".rstrip()
            raise ConfigurationError(
                f"sources/{path.name} is there, and stays as it is. Another source: --name NAME. To read these files with it: '{command}' shows the entries to "
                "add (records that refer to each other belong in one source)."
            )
        text = proposing.proposal(con, read, problems, process, source=name)
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Written(name, path, text, tuple(path for path in found if not inside[path]), write)


def _files(company: Company, given: Sequence[Path]) -> list[Path]:
    """The files that are meant, each once. A folder means all exports in it; a path may begin here or in the data directory."""
    if not given:
        unread = unread_exports(company)
        if not unread:
            raise ConfigurationError(
                f"No export in {company.data_dir} waits for a mapping. Put files there, or name some: salesgauge sources init FILE…"
            )
        return unread
    chosen: dict[Path, None] = {}
    for path in given:
        place = next((one for one in (path, company.data_dir / path, company.root / path) if one.exists()), None)
        if place is None:
            # a pattern in quotes, which the shell left as it is
            bases = [Path(path.anchor)] if path.anchor else [Path(), company.data_dir, company.root]
            pattern = str(path.relative_to(path.anchor))
            matching = next((found for base in bases if (found := sorted(base.glob(pattern)))), [])
            if not matching:
                raise ConfigurationError(f"There is no file {path}, neither here nor in {company.data_dir}.")
            chosen.update(dict.fromkeys(one.resolve() for one in matching if one.is_file()))
            continue
        if place.is_dir():
            chosen.update(
                dict.fromkeys(
                    one.resolve() for one in sorted(place.rglob("*")) if one.is_file() and not _is_hidden(one, place)
                )
            )
        else:
            chosen[place.resolve()] = None
    if not chosen:
        raise ConfigurationError(f"There is no file in {given[0]}.")
    return list(chosen)


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "~")) for part in path.relative_to(folder).parts) or path.stem.lower().startswith(
        "readme"
    )


def _name(paths: Sequence[str], entities: Sequence[str | None]) -> str:
    """A name for the source: that of the only file, or of what the files tell."""
    if len(paths) > 1 and {"leads", "deals", "stage_events"} & set(entities):
        base = "crm"
    else:
        base = re.sub(
            r"[^a-z0-9]+",
            "_",
            re.sub(r"\d[\d_.-]*", "", PurePosixPath(paths[0].removesuffix(".gz").removesuffix(".zip")).stem.lower()),
        ).strip("_")
    base = base if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", base) else "files"
    return f"{base}_files" if base in API_SOURCES else base
