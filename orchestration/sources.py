"""The sources of a company as people see them: what is on, how fresh it is, what is not mapped yet. Loading them belongs to ``ingestion``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from ingestion import outcomes, rawlog
from ingestion.catalogue import about, connector, create_views, is_database
from ingestion.connector.about import About, Finding
from ingestion.connector.protocol import Narrowing, Remarking
from orchestration.availability import Availability, at_hand, availability
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.process.model import Stage
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect, open_published
from salesgauge.yaml_file import as_yaml, load_yaml

_CLOSE = 0.5

State = Literal["loaded", "in parts", "failed", "misconfigured", "not configured", "waiting", "off"]
# When a record changed, by the names that raw tables and canonical entities give it; plans (a meeting's start) may lie ahead and do not count.
_CHANGED = (
    "modified_at", "updated_at", "last_updated_at", "submitted_at", "landed_at", "event_at", "started_at", "start_time", "created_at", "at",
    "closed_at", "completed_at", "decided_at", "invoiced_at", "paid_at",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One line of ``salesgauge sources``. Moments are UTC without zone.

    ``state``: off; not configured (on, but something that it can't do without is missing); waiting (never tried); in parts (the first load ended
    midway, what it kept is not shown yet); loaded (the last sync went well); failed; misconfigured (it failed for what the company directory says). ``reason`` and ``failed_at``: of the last failure.
    ``last_load``: when something new was loaded last, ``last_rows`` and ``last_quarantined`` of it, ``rows`` of all loads; ``lag``: since the last
    sync that went well; ``data_lag``: since the newest change of a record that was loaded. ``next_step``: what to do, or to know, in words.
    """

    name: str
    label: str
    kind: str
    state: State
    last_load: datetime | None
    lag: timedelta | None
    data_lag: timedelta | None
    rows: int
    last_rows: int
    last_quarantined: int
    reason: str
    failed_at: datetime | None
    next_step: str


@dataclass(frozen=True)
class _Loads:
    """What the raw log holds of a source."""

    last: datetime | None = None
    rows: int = 0
    last_rows: int = 0
    last_quarantined: int = 0
    newest_change: datetime | None = None
    remark: str = ""
    is_whole: bool = True


@dataclass(frozen=True)
class Unmapped:
    """A value of the data that no file of the company maps. ``proposal``: what to write, and where."""

    kind: str
    source: str
    value: str
    records: int
    proposal: str


def sources(company: Company, now: datetime) -> list[Source]:
    """All sources: those that are on, then connectors that could be. ``now``: UTC without zone."""
    configured = company.configured_sources()
    loads = _loads(company)
    found = []
    for name in [*configured, *(one for one in API_SOURCES if one not in configured)]:
        found.append(_source(company, name, about(name), name in configured, loads.get(name, _Loads()), now))
    return found


def _source(company: Company, name: str, known: About | None, is_on: bool, held: _Loads, now: datetime) -> Source:
    sync = outcomes.load(company, name) if is_on else None
    if sync is not None and held.last is not None and held.last > sync.at:
        sync = None  # the run that loaded last was ended before it could say so
    missing = _missing(company, name, known)
    is_failed = sync is not None and sync.state == "failed"
    state: State = "loaded"
    if not is_on:
        state = "off"
    elif missing:
        state = "not configured"
    elif sync is not None and is_failed:
        state = "misconfigured" if sync.is_misconfigured else "failed"
    elif sync is None and held.last is None:
        state = "waiting"
    elif not held.is_whole:
        state = "in parts"
    synced = max((at for at in (sync.succeeded_at if sync else None, held.last) if at is not None), default=None)
    if not held.is_whole:
        synced = None
    return Source(
        name=name,
        label=known.label if known else _label(company, name),
        kind=known.kind.replace("_", " ") if known else "database" if is_database(company, name) else "files",
        state=state,
        last_load=held.last,
        lag=now - synced if synced else None,
        data_lag=max(now - held.newest_change, timedelta()) if held.newest_change else None,
        rows=held.rows,
        last_rows=held.last_rows,
        last_quarantined=held.last_quarantined,
        reason=(sync.error or "") if sync is not None and is_failed else "",
        failed_at=sync.at if sync is not None and is_failed else None,
        next_step=held.remark if state == "loaded" else _next_step(name, known, state, missing),
    )


def check(company: Company, names: list[str]) -> dict[str, list[Finding]]:
    """What the checks of ``names`` (default: all that are on) found. ConfigurationError for a name that is no source."""
    configured = company.configured_sources()
    described = [name for name in configured if name not in API_SOURCES]
    known = [*API_SOURCES, *described]
    found = {}
    for name in names or [name for name in configured if name in known]:
        if name not in known:
            raise ConfigurationError(f"'{name}' is no source that can be checked. Known are: {', '.join(known)}.")
        found[name] = (
            _check_described(company, name) if name in described else connector(name).check(company.source(name))
        )
    return found


def _check_described(company: Company, name: str) -> list[Finding]:
    """Of what ``sources/<name>.yml`` describes: files, or tables of a database."""
    from ingestion.files import databases, previewing
    from ingestion.files import run as files

    process = Process.load(company.process_file)
    if is_database(company, name):
        return databases.check(company, process, name)
    found = files.check(company, process, name)
    return [*found, *previewing.checked(company, process, name)]


def metrics(company: Company, names: list[str]) -> list[Availability]:
    """Which of the metrics ``names`` the published data of the company allow; where nothing is published, which its sources allow."""
    configured = company.configured_sources()
    abouts = [_as_configured(company, known) for name in configured if (known := about(name)) is not None]
    allowed = availability(names, abouts, _file_entities(company, configured))
    if not company.pointer.exists():
        return allowed
    con = open_published(company.pointer)
    try:
        return at_hand(con, allowed)
    finally:
        con.close()


def _as_configured(company: Company, known: About) -> About:
    """``known`` with what it provides as the company has set it up: a connector whose settings leave something out says so (``provides``)."""
    source = connector(known.name)
    if not isinstance(source, Narrowing):
        return known
    there = source.provides(company.source(known.name))
    return replace(known, provides={entity: how for entity, how in known.provides.items() if entity in there})


def unmapped(company: Company) -> list[Unmapped]:
    """Stages, owners and campaigns of the published version that ``process.yml`` and ``sources/*.yml`` do not map. ConfigurationError where
    nothing is published.
    """
    stages = Process.load(company.process_file).process.stages
    con = open_published(company.pointer)
    try:
        rows: dict[str, list[tuple[Any, ...]]] = {
            # a version that was published before stages had labels has none
            "stage": con.execute(
                "select source, pipeline, source_stage, sum(records), any_value(label), any_value(kind) from ("
                "select * from kpi.kpi_unmapped_stages union all by name select null::varchar as label, null::varchar as kind where false) "
                "group by source, pipeline, source_stage order by 4 desc, 1, 2, 3"
            ).fetchall(),
            "owner": con.execute(
                "select split_part(user_id, ':', 1), team, count(*) from marts.dim_user "
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
        Unmapped(
            "stage",
            source,
            f"{stage} ({label})" if label and label != stage else str(stage),
            int(count),
            _stage_entry(source, pipeline, str(stage), label or str(stage), kind, stages),
        )
        for source, pipeline, stage, count, label, kind in rows["stage"]
    ]
    found += [
        Unmapped("owner", source, team or "(no team)", int(count), _owner_entry(source, team))
        for source, team, count in rows["owner"]
    ]
    found += [
        Unmapped(
            "campaign", source, campaign, int(count), "none of its leads has a channel: fill it in where leads are made"
        )
        for source, campaign, count in rows["campaign"]
    ]
    return found


def _stage_entry(
    source: str, pipeline: str | None, value: str, label: str, kind: str | None, stages: list[Stage]
) -> str:
    """The entry to write: of the stages of the kind that the source states (all, where it states none) the one whose name is like the label,
    else the only closed one.
    """
    offered = [stage for stage in stages if kind is None or stage.kind == kind]
    names = {_words(name): stage.key for stage in offered for name in (stage.label, stage.key) if name}
    close = [names[name] for name in difflib.get_close_matches(_words(label), list(names), n=1, cutoff=_CLOSE)]
    if not close and kind not in (None, "open") and len(offered) == 1:
        close = [offered[0].key]
    where = (
        f"{as_yaml(source)}: {{{as_yaml(pipeline or '*')}: {{{as_yaml(value)}: {close[0] if close else '<stage>'}}}}}"
    )
    return f"process.yml: stage_mapping: {{{where}}}"


# Source → the key of its file that maps teams, what stands under a team, and how an owner gets one
_TEAMS = {
    "hubspot": ("teams", "<branch>", "give these owners a team in HubSpot (Settings, Users & Teams)"),
    "salesforce": ("teams", "<branch>", "fill in the department of these users in Salesforce"),
    "housecall_pro": ("teams", "<branch>", "fill in the company name of these employees in Housecall Pro"),
    "servicetitan": ("business_units", "{branch: <branch>}", "give these people a business unit in ServiceTitan"),
}


def _owner_entry(source: str, team: str | None) -> str:
    """What gives owners of a team (None: of none) their branch; sources differ in what they know of it."""
    if source in _TEAMS:
        key, meaning, advice = _TEAMS[source]
        if team is None:
            return f"{advice}; a team can then be mapped in sources/{source}.yml: {key}"
        return f"sources/{source}.yml: {key}: {{{as_yaml(team)}: {meaning}}}"
    if source in API_SOURCES:
        return "nothing to write: this source has neither teams nor branches of people"
    return f"give the users of sources/{source}.yml a column that is mapped to branch"


def _words(name: str) -> str:
    return name.lower().replace(" ", "_")


def _label(company: Company, name: str) -> str:
    """What ``sources/<name>.yml`` describes."""
    document = load_yaml(company.sources_dir / f"{name}.yml") or {}
    location = document.get("location")
    return "database tables" if "tables" in document else f"files in {location}" if location else "files"


def _loads(company: Company) -> dict[str, _Loads]:
    """Source → what the raw log holds of it."""
    with connect(":memory:") as con:
        create_views(con, company)
        rows = con.execute(
            "with newest as (select source, max(loaded_at) as loaded_at from raw_log.loads group by source) "
            "select source, max(l.loaded_at), coalesce(sum(loaded), 0), coalesce(sum(loaded) filter (l.loaded_at = n.loaded_at), 0), "
            "coalesce(sum(quarantined) filter (l.loaded_at = n.loaded_at), 0) from raw_log.loads l join newest n using (source) group by source"
        ).fetchall()
        changes = _newest_changes(con)
        remarks = {row[0]: _remark(row[0], con) for row in rows}
    return {
        source: _Loads(
            last,
            int(loaded),
            int(last_rows),
            int(refused),
            newest_change=changes.get(source),
            remark=remarks[source],
            is_whole=rawlog.has_loads(company, source),
        )
        for source, last, loaded, last_rows, refused in rows
    }


def _remark(source: str, con: Any) -> str:
    """What a connector has to say of the numbers that it loaded."""
    known = connector(source) if source in API_SOURCES else None
    return known.remark(con) if isinstance(known, Remarking) else ""


def _newest_changes(con: Any) -> dict[str, datetime]:
    """Source → the newest change of a record, as far as the records say when they changed."""
    columns = con.execute(
        "select schema_name, view_name, list(column_name) from duckdb_columns() join duckdb_views() using (schema_name) "
        "where table_name = view_name and starts_with(schema_name, 'raw_') and data_type in ('TIMESTAMP', 'TIMESTAMP WITH TIME ZONE') "
        "and list_contains(?, column_name) group by all",
        [list(_CHANGED)],
    ).fetchall()
    found: dict[str, datetime] = {}
    for schema, view, names in columns:
        source = "source" if schema == "raw_files" else f"'{schema.removeprefix('raw_')}'"
        # what lies after the load is a plan, or a wrong clock
        newest = ", ".join(f'max("{name}") filter ("{name}" <= _loaded_at)' for name in names)
        rows = con.execute(f'select {source}, greatest({newest}) from {schema}."{view}" group by 1').fetchall()
        for name, at in rows:
            if at is not None:
                found[name] = max(at, found.get(name, at))
    return found


def _missing(company: Company, name: str, known: About | None) -> list[str]:
    """What a source can't do without and does not have, as people write it."""
    settings = company.source(name)
    if known is not None:
        return [setting.key for setting in known.missing(settings)]
    try:
        if is_database(company, name):
            settings.secret("connection")
    except ConfigurationError:
        return ["connection"]
    return []


def _next_step(name: str, known: About | None, state: State, missing: list[str]) -> str:
    if state == "loaded":
        return ""
    if state == "waiting":
        return "salesgauge run"
    if state == "in parts":
        return "salesgauge run goes on with the first load; nothing of it shows before its end"
    if state in ("failed", "misconfigured"):
        return f"salesgauge sources check {name}" if known else f"correct it, then: salesgauge run --source {name}"
    page = known.docs if known else "docs/sources/databases.md"
    return f"needs {', '.join(missing) or f'[sources.{name}]'}; see {page}"


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
