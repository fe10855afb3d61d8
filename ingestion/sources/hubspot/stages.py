"""Stages and pipelines that records went through and HubSpot lists no more: what they were is read from their audit, once."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ingestion import rawlog
from ingestion.http.answers import Refused
from ingestion.landing.load import Landing
from ingestion.sources.hubspot.api import HubSpotApi, Record
from ingestion.sources.hubspot.known import Lookup
from ingestion.sources.hubspot.objects import Found
from ingestion.sources.hubspot.tables import ObjectType
from ingestion.sql.lines import read_lines

_LOG = logging.getLogger(__name__)
# object type -> the properties that hold its pipeline and its stage
STAGED = {"deals": ("pipeline", "dealstage"), "leads": ("hs_pipeline", "hs_pipeline_stage")}
PIPELINE_ITSELF = "*"


def audits(
    api: HubSpotApi, lookup: Lookup, landing: Landing, kind: ObjectType, found: Found, pipelines: Iterable[Record]
) -> list[Record]:
    """The audits of stages and pipelines in the histories of ``kind`` that neither today's list (``pipelines``) nor any snapshot of it has, and
    that were not read before. A stage id is asked for under every pipeline in which its records were; where it never was is noted too.
    """
    listed = lookup.listed_stages(kind.name)
    for pipeline in pipelines:
        if isinstance(pipeline, dict):
            listed |= {
                (str(pipeline.get("id")), str((stage or {}).get("id"))) for stage in pipeline.get("stages") or ()
            }
            listed.add((str(pipeline.get("id")), PIPELINE_ITSELF))
    known_pipelines, known_stages = {one for one, _ in listed}, {stage for _, stage in listed}
    read = lookup.audited()
    wanted: dict[tuple[str, str], None] = {}
    for pipeline_id, stage_id in _visited(landing, kind, found):
        if stage_id not in known_stages:
            wanted[pipeline_id, stage_id] = None
        if pipeline_id not in known_pipelines:
            wanted[pipeline_id, PIPELINE_ITSELF] = None
    records: list[Record] = []
    for pipeline_id, stage_id in wanted:
        if (kind.name, pipeline_id, stage_id) in read:
            continue
        try:
            entries = api.audit(kind.name, pipeline_id, None if stage_id == PIPELINE_ITSELF else stage_id)
        except Refused as error:
            if error.status != 403:
                raise
            _LOG.warning("%s; stages that were deleted stay without a name", error)
            break
        records.append(
            {
                "object_type": kind.name,
                "pipeline_id": pipeline_id,
                "stage_id": stage_id,
                "is_found": bool(entries),
                "entries": entries,
            }
        )
    return records


def _visited(landing: Landing, kind: ObjectType, found: Found) -> list[tuple[str, str]]:
    """(pipeline, stage) of the histories in the raw log and of this run; a record that was in several pipelines gives each with each stage."""
    pipeline, stage = STAGED[kind.name]
    received = "select cast(null as json) as record where false"
    if found.records:
        received = f"select try_cast(line as json) as record from {read_lines([found.file], found.longest)}"

    def values(name: str) -> str:
        history = f"json_extract_string(record, '$.propertiesWithHistory.{name}[*].value')"
        return f"list_distinct(list_append({history}, record ->> '$.properties.{name}'))"

    rows = landing.con.execute(
        f"""
        with records as (
            select record from ({rawlog.relation(landing.company, kind.table)}) union all {received}
        ), ids as (
            select distinct {values(pipeline)} as pipelines, {values(stage)} as stages from records
        ), pairs as (
            select unnest(pipelines) as pipeline, stages from ids
        )
        select distinct pipeline, unnest(stages) as stage from pairs
        """
    ).fetchall()
    return sorted((str(row[0]), str(row[1])) for row in rows if row[0] and row[1])
