"""The sources of a company as people see them: what is on, how fresh it is, what is not mapped yet. Loading them belongs to ``ingestion``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.about import About, Finding
from orchestration.availability import Availability, availability
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect, open_published
from salesgauge.yaml_file import load_yaml

_CLOSE = 0.5


@dataclass(frozen=True)
class Source:
    """One line of ``salesgauge sources``. ``state``: loaded, waiting (on, never loaded), off. ``next_step``: what to do, in words."""

    name: str
    label: str
    kind: str
    state: str
    last_load: datetime | None
    lag: timedelta | None
    rows: int
    next_step: str


@dataclass(frozen=True)
class Unmapped:
    """A value of the data that no file of the company maps. ``proposal``: what to write, and where."""

    kind: str
    source: str
    value: str
    records: int
    proposal: str


def about(name: str) -> About | None:
    """What a connector says of itself; None where there is no such connector."""
    if importlib.util.find_spec(f"ingestion.{name}") is None:
        return None
    return getattr(importlib.import_module(f"ingestion.{name}"), "ABOUT", None)


def sources(company: Company, now: datetime) -> list[Source]:
    """All sources: those that are on, then connectors that could be. ``now``: UTC without zone."""
    configured = company.configured_sources()
    counts = _counts(company)
    found = []
    for name in [*configured, *(one for one in API_SOURCES if one not in configured)]:
        known = about(name)
        if known is None and name in API_SOURCES:
            continue  # announced, not built
        last, rows = counts.get(name, (None, 0))
        is_on = name in configured
        state = "loaded" if is_on and last else "waiting" if is_on else "off"
        found.append(
            Source(
                name=name,
                label=known.label if known else "files",
                kind=known.kind.replace("_", " ") if known else "files",
                state=state,
                last_load=last,
                lag=now - last if last else None,
                rows=rows,
                next_step=_next_step(company, name, known, state),
            )
        )
    return found


def check(company: Company, names: list[str]) -> dict[str, list[Finding]]:
    """What the checks of ``names`` (default: all that are on) found. ConfigurationError for a name that is no source with a check."""
    configured = company.configured_sources()
    found = {}
    for name in names or configured:
        if name in API_SOURCES and about(name) is not None:
            found[name] = importlib.import_module(f"ingestion.{name}").check(company.source(name))
        elif name in configured:
            found[name] = _check_described(company, name)
        else:
            known = dict.fromkeys([*configured, *(one for one in API_SOURCES if about(one))])
            raise ConfigurationError(f"'{name}' is no source that can be checked. Known are: {', '.join(known)}.")
    return found


def _check_described(company: Company, name: str) -> list[Finding]:
    """The check of what ``sources/<name>.yml`` describes: files, or the tables of a database."""
    from ingestion.databases import check_tables
    from ingestion.file_checking import check_files

    is_database = "tables" in (load_yaml(company.sources_dir / f"{name}.yml") or {})
    return (check_tables if is_database else check_files)(company, Process.load(company.process_file), name)


def metrics(company: Company, names: list[str]) -> list[Availability]:
    """Which of the metrics ``names`` the company's sources allow."""
    configured = company.configured_sources()
    abouts = [known for name in configured if (known := about(name)) is not None]
    return availability(names, abouts, _file_entities(company, configured))


def unmapped(company: Company) -> list[Unmapped]:
    """Stages, owners and campaigns of the published version that ``process.yml`` and ``sources/*.yml`` do not map. ConfigurationError where
    nothing is published.
    """
    stages = [stage.key for stage in Process.load(company.process_file).process.stages]
    con = open_published(company.pointer)
    try:
        rows: dict[str, list[tuple[Any, ...]]] = {
            "stage": con.execute(
                "select source, pipeline, source_stage, sum(records) from kpi.kpi_unmapped_stages group by all order by 4 desc, 1, 2, 3"
            ).fetchall(),
            "owner": con.execute(
                "select split_part(user_id, ':', 1), coalesce(team, '(no team)'), count(*) from marts.dim_user "
                "where branch is null group by all order by 3 desc, 1, 2"
            ).fetchall(),
            "campaign": con.execute(
                "select source, campaign, count(*) from marts.fct_lead where campaign is not null "
                "group by source, campaign having count(channel) = 0 order by 3 desc, 1, 2"
            ).fetchall(),
        }
    finally:
        con.close()
    found = [
        Unmapped("stage", source, str(stage), int(count), _stage_entry(source, pipeline, str(stage), stages))
        for source, pipeline, stage, count in rows["stage"]
    ]
    found += [
        Unmapped("owner", source, team, int(count), f"sources/{source}.yml: teams: {{{team}: <branch>}}")
        for source, team, count in rows["owner"]
    ]
    found += [
        Unmapped(
            "campaign", source, campaign, int(count), "none of its leads has a channel: fill it in where leads are made"
        )
        for source, campaign, count in rows["campaign"]
    ]
    return found


def _stage_entry(source: str, pipeline: str | None, value: str, stages: list[str]) -> str:
    close = difflib.get_close_matches(value.lower().replace(" ", "_"), stages, n=1, cutoff=_CLOSE)
    return f"process.yml: stage_mapping: {source}: {pipeline or '*'}: {{{value}: {close[0] if close else '<stage>'}}}"


def _counts(company: Company) -> dict[str, tuple[datetime, int]]:
    """Source → when it was loaded last, and how many rows in all."""
    with connect(":memory:") as con:
        rawlog.create_views(con, company)
        rows = con.execute("select source, max(loaded_at), sum(loaded) from raw_log.loads group by source").fetchall()
    return {source: (last, int(loaded or 0)) for source, last, loaded in rows}


def _next_step(company: Company, name: str, known: About | None, state: str) -> str:
    if state == "loaded":
        return ""
    if state == "waiting":
        return "salesgauge run"
    needed = [setting.key for setting in known.settings if setting.is_required] if known else []
    return f"needs {', '.join(needed) or f'[sources.{name}]'}; see docs/sources/{name}.md"


def _file_entities(company: Company, configured: list[str]) -> set[str]:
    entities: set[str] = set()
    for name in configured:
        if name not in API_SOURCES:
            document = load_yaml(company.sources_dir / f"{name}.yml") or {}
            for entry in [*(document.get("files") or []), *(document.get("tables") or [])]:
                entities.add(str(entry.get("entity")))
                if entry.get("stages"):
                    entities.add("stage_events")
    return entities
