"""``process.yml`` as tables of the schema ``process`` (columns: ``docs/tables.md``). Its rules are checked in ``model``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from salesgauge.kpis import kpis
from salesgauge.process.checks import IGNORE, stage_word
from salesgauge.process.model import DEFINITION_VERSION, Process

_COLUMNS = {
    "run": "as_of timestamp, as_of_date date, company_name varchar, currency varchar, timezone varchar, definition_version integer",
    "calendar": "week_starts_on varchar, fiscal_year_starts_in integer",
    "branches": "branch varchar, label varchar, timezone varchar",
    "branch_hours": "branch varchar, iso_weekday integer, opens_minute integer, closes_minute integer",
    "holidays": "branch varchar, holiday_date date",
    "versions": "process_version varchar, effective_from date, effective_to date, cost_amount decimal(18, 2), note varchar",
    "stages": "stage varchar, stage_order integer, label varchar, kind varchar, object varchar, owner_role varchar, "
    "first_touch_minutes integer, days_in_stage double, playbook varchar",
    "required_fields": "stage varchar, object varchar, field varchar, weight double",
    "cadences": "stage varchar, touch_number integer, due_day integer",
    "exit_criteria": "stage varchar, criterion varchar, expression varchar",
    "qualification_criteria": "place integer, criterion varchar, expression varchar, after_stage varchar",
    "loss_reasons": "stage varchar, reason varchar",
    "stage_mapping": "source varchar, pipeline varchar, source_stage varchar, stage varchar, is_ignored boolean",
    "targets": "kpi varchar, from_stage varchar, to_stage varchar, segment_type varchar, segment varchar, before_value double, "
    "target_value double, direction varchar, effective_from date",
    "questions": "place integer, name varchar, definition varchar",
    "activity_classes": "type varchar, class varchar",
    "gross_margin": "service_line varchar, margin double",
    "channels": "channel varchar",
    "exchange_rates": "currency varchar, rate_date date, rate decimal(18, 8)",
    "placeholders": "value varchar",
    "exclusions": "reason varchar, expression varchar",
    "identity": "entity varchar, record_id varchar, lead_id varchar, is_same boolean",
}


def write_tables(process: Process, con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """(Re)create every table of the schema ``process`` in one transaction. ``as_of``: UTC, naive."""
    rows = _rows(process, as_of)
    con.execute("begin")
    con.execute("create schema if not exists process")
    for table, columns in _COLUMNS.items():
        con.execute(f"create or replace table process.{table} ({columns})")
        if rows[table]:
            marks = ", ".join("?" * len(rows[table][0]))
            con.executemany(f"insert into process.{table} values ({marks})", rows[table])
    con.execute("commit")


def _rows(process: Process, as_of: datetime) -> dict[str, list[Sequence[Any]]]:
    company, versions, stages = process.company, process.process.versions, process.process.stages
    as_of_date = as_of.replace(tzinfo=UTC).astimezone(ZoneInfo(company.timezone)).date()
    following = [version.effective_from for version in versions[1:]] + [None]
    return {
        "run": [(as_of, as_of_date, company.name, company.currency, company.timezone, DEFINITION_VERSION)],
        "calendar": [(company.week_starts_on, company.fiscal_year_starts_in)],
        "branches": [
            (key, branch.label or key.replace("_", " ").capitalize(), branch.timezone or company.timezone)
            for key, branch in company.branches.items()
        ],
        "branch_hours": [
            (key, hours.iso_weekday, hours.opens_minute, hours.closes_minute)
            for key, branch in company.branches.items()
            for hours in branch.hours
        ],
        "holidays": [(None, day) for day in company.holidays]
        + [(key, day) for key, branch in company.branches.items() for day in branch.holidays],
        "versions": [
            (
                version.key,
                version.effective_from,
                end,
                version.cost.amount if version.cost else None,
                version.cost.note if version.cost else None,
            )
            for version, end in zip(versions, following, strict=True)
        ],
        "stages": [
            (
                stage.key,
                order,
                stage.label or stage.key.replace("_", " ").capitalize(),
                stage.kind,
                stage.object,
                stage.owner_role,
                stage.limits.first_touch_minutes,
                stage.limits.days_in_stage,
                stage.playbook,
            )
            for order, stage in enumerate(stages, start=1)
        ],
        "required_fields": [
            (stage.key, stage.object, field, weight) for stage in stages for field, weight in stage.required.items()
        ],
        "cadences": [
            (stage.key, number, day)
            for stage in stages
            for number, day in enumerate(stage.limits.cadence_days, start=1)
        ],
        "exit_criteria": [(stage.key, criterion, text) for stage in stages for criterion, text in stage.exit.items()],
        "qualification_criteria": [
            (place, criterion, text, process.qualification.after)
            for place, (criterion, text) in enumerate(process.qualification.met.items(), start=1)
        ]
        if process.qualification
        else [],
        "loss_reasons": [(stage.key, reason) for stage in stages for reason in stage.reasons],
        "stage_mapping": [
            (source, pipeline, source_stage, None if stage == IGNORE else stage, stage == IGNORE)
            for source, pipelines in process.stage_mapping.items()
            for pipeline, mapping in pipelines.items()
            # names that differ in case and blanks only are one
            for source_stage, stage in {stage_word(name): (name, stage) for name, stage in mapping.items()}.values()
        ],
        "targets": [
            (
                target.kpi,
                target.from_stage,
                target.to_stage,
                target.segment_type,
                target.segment,
                target.before,
                target.target,
                target.direction or kpis()[target.kpi].better,
                target.effective_from,
            )
            for target in process.targets
        ],
        "questions": [
            (place, question.name, json.dumps(question.definition, ensure_ascii=False))
            for place, question in enumerate(process.questions, start=1)
        ],
        "activity_classes": list(process.activity_classes.items()),
        "gross_margin": list(process.gross_margin.items()),
        "channels": [(channel,) for channel in process.channels],
        "exchange_rates": [(rate.currency, rate.date, rate.rate) for rate in process.exchange_rates],
        "placeholders": [(value.strip().lower(),) for value in process.placeholders],
        "exclusions": list(process.exclusions.items()),
        "identity": [
            *((pair.entity, pair.record, pair.lead, True) for pair in process.identity.same),
            *((pair.entity, pair.record, pair.lead, False) for pair in process.identity.different),
        ],
    }
