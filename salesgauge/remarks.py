"""What a warehouse could not judge, in words and worst first: for the summary of a run, ``salesgauge status`` and ``checks``, and the report.

Read from the tables that the models and the audit leave (``quality.checks``, ``kpi.kpi_unmapped_stages`` and the like). Judging does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

SHOWN = 3
"""So many lines of each kind stand in a summary; ``salesgauge checks`` shows all."""
RECENT_DAYS = 91
MANY = 0.2

TITLES = {
    "empty": "Why numbers may be missing",
    "unread": "What feeds nothing",
    "unmapped": "What nothing maps",
    "contradictions": "Where a source says something else than its dates",
    "left_out": "Records that some KPIs leave out",
    "audit": "Findings of the audit",
}


@dataclass(frozen=True)
class Remark:
    """One thing that could not be judged, or stops the judging of others. ``records``: how many are concerned (0: not counted in records)."""

    kind: str
    text: str
    action: str
    records: int = 0

    def __str__(self) -> str:
        return f"{self.text}. {self.action}"


def remarks(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    """All of a warehouse or published version, by kind in the order of ``TITLES``, the most records first.

    A table that is not there (of a version that was published before it existed) gives nothing.
    """
    found = [
        *_end_of_data(con),
        *_empty_fields(con),
        *_unentered_stages(con),
        *_unread(con),
        *_unmapped_stages(con),
        *_unmapped_values(con),
        *_contradictions(con),
        *_left_out(con),
        *_checks(con),
    ]
    order = list(TITLES)
    return sorted(found, key=lambda one: (order.index(one.kind), -one.records))


def shortened(found: Iterable[Remark]) -> list[tuple[str, list[str]]]:
    """The remarks for people in a hurry: title and at most ``SHOWN`` lines of each kind, the last one saying how many more there are."""
    by_kind: dict[str, list[Remark]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one)
    result = []
    for kind, mine in by_kind.items():
        lines = [str(one) for one in mine[:SHOWN]]
        if len(mine) > SHOWN:
            lines[-1] = f"{lines[-1]} And {len(mine) - SHOWN:,} more: salesgauge checks"
        result.append((TITLES[kind], lines))
    return result


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    try:
        cursor = con.execute(sql)
    except (duckdb.CatalogException, duckdb.BinderException):
        return []
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _end_of_data(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    """Data that end long before ``as_of`` leave the newest weeks empty."""
    rows = _rows(
        con,
        """
        select run.as_of, run.as_of_date, newest.newest_date, newest.records
        from process.run as run
        cross join (
            select max(on_date) as newest_date, count(*) as records
            from (
                select created_date as on_date from marts.fct_lead
                union all select created_date from marts.fct_deal
                union all select closed_date from marts.fct_deal
                union all select moved_date from marts.fct_stage_transition
            )
        ) as newest
        """,
    )
    if not rows or rows[0]["newest_date"] is None:
        return []
    as_of: date = rows[0]["as_of_date"]
    newest: date = rows[0]["newest_date"]
    behind = (as_of - newest).days
    if behind <= RECENT_DAYS:
        return []
    then = datetime.combine(newest + timedelta(days=1), datetime.min.time())
    return [
        Remark(
            "empty",
            f"The newest record is of {newest:%Y-%m-%d}, {behind:,} days before as_of ({as_of:%Y-%m-%d}): the last 13 weeks are empty",
            f"See the company as it was then: salesgauge run --as-of {then:%Y-%m-%d}T06:00:00Z (or as_of under [salesgauge] in .dlt/config.toml); "
            "or load newer data.",
            records=rows[0]["records"],
        )
    ]


def _empty_fields(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    rows = _rows(
        con,
        """
        select object, field, min(stage) as stage, max(n) as n
        from kpi.kpi_crm_completeness_by_field
        where period_grain = 'all' and segment_type = 'total'
        group by object, field
        having max(filled) = 0 and max(n) > 0
        """,
    )
    return [
        Remark(
            "empty",
            f"No {row['object']} has '{row['field']}', which the stage {row['stage']} requires ({_records(row['n'])})",
            f"If the source has it, map it to '{row['field']}' in sources/; else take it out of 'required' in process.yml.",
            records=row["n"],
        )
        for row in rows
    ]


def _unentered_stages(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    """Open stages, and won, that no counted record ever was in."""
    rows = _rows(
        con,
        """
        with entered as (
            select to_stage as stage from marts.fct_stage_transition
            union select current_stage from marts.fct_deal
            union select stage from process.stages where kind = 'won' and exists (select * from marts.fct_lead where is_won)
        )
        select stages.stage, (select count(*) from marts.fct_lead) + (select count(*) from marts.fct_deal) as records
        from process.stages as stages
        where stages.kind in ('open', 'won') and not exists (select * from entered where entered.stage = stages.stage)
        order by stages.stage_order
        """,
    )
    return [
        Remark(
            "empty",
            f"No record ever entered the stage '{row['stage']}': its conversions are empty",
            "Map what the source calls it (salesgauge sources map), or take it out of process.yml.",
            records=row["records"],
        )
        for row in rows
        if row["records"]
    ]


_ROWS = {
    "no_session": ("have neither a session nor a visitor", "Map session_id or visitor_id, if the source has one."),
    "no_record": (
        "belong to no lead and no deal",
        "Map the lead or deal, or the person's e-mail or telephone number; intermediate.int_identity_matches says what was found.",
    ),
    "record_not_counted": (
        "belong to records that don't count",
        "kpi.kpi_accounting says of leads and deals why they don't.",
    ),
    "undated": ("have no date", "Map the column with the date, if the source has one."),
    "after_as_of": ("are later than as_of", "See them with a later as_of: salesgauge run --as-of."),
    "no_stage": ("name no stage", "Map the column with the stage."),
    "unmapped_stage": ("are in stages that nothing maps", "salesgauge sources map writes the entries."),
    "no_score": ("have no score", "Map nps_score or csat_score, or say in sources/ which questions have them."),
    "score_off_scale": ("have scores on another scale", "They are listed in kpi.kpi_left_out."),
    "not_submitted": ("were never sent off", "Map submitted_at, if the source has it."),
    "id_of_another_record": (
        "have the id of another record, created on another day",
        "Numbers that begin again in each file are no ids: add a column to key, such as the date of creation (key: [id, created]).",
    ),
    "refused_file": ("stand in refused files", "salesgauge sources check says what is wrong with them."),
    "quarantined": ("are in quarantine", "salesgauge quarantine list says why."),
}
_TO_MEND = ("no_session", "no_record", "undated", "no_stage", "no_score", "score_off_scale", "id_of_another_record")


def _unread(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    """Data that feed nothing, or of which a good part does not for a reason that somebody can mend. What no KPI reads at all is one line, the last."""
    rows = _rows(
        con,
        """
        with reasons as (
            select
                source, entity, reason, "rows",
                sum(case when reason in ('received', 'earlier_reading') then 0 else "rows" end) over (partition by source, entity) as present,
                sum(case when is_counted then "rows" else 0 end) over (partition by source, entity) as counted
            from kpi.kpi_accounting
        )
        select *, row_number() over (partition by source, entity order by "rows" desc, reason) as place
        from reasons
        where reason not in ('received', 'earlier_reading', 'counted') and present > 0
        """,
    )
    found = []
    for row in rows:
        reason, n, present, is_empty = row["reason"], row["rows"], row["present"], row["counted"] == 0
        is_mendable = reason in _TO_MEND and n >= MANY * present
        if reason == "no_kpi_reads_it" or not (is_mendable or (is_empty and row["place"] == 1)):
            continue
        words, action = _ROWS.get(
            reason,
            (f"are {reason.replace('_', ' ')}", "docs/kpis.md says what that means, kpi.kpi_accounting has all."),
        )
        entity = str(row["entity"]).replace("_", " ")
        text = f"{n:,} of {present:,} {entity} of {row['source']} {words}"
        found.append(Remark("unread", f"{text}: none of them counts" if is_empty else text, action, records=n))
    unread = sorted(
        (row for row in rows if row["reason"] == "no_kpi_reads_it" and not row["counted"]), key=lambda row: -row["rows"]
    )
    if unread:
        listed = ", ".join(
            f"{str(row['entity']).replace('_', ' ')} of {row['source']} ({row['rows']:,})" for row in unread
        )
        found.append(Remark("unread", f"No KPI reads these yet: {listed}", "They are in staging, one view each."))
    return found


def _unmapped_stages(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    rows = _rows(con, "select * from kpi.kpi_unmapped_stages order by records desc, source, source_stage")
    return [
        Remark(
            "unmapped",
            f"The stage {_quoted(row['source_stage'])} of {row['source']}"
            + (f" (pipeline {row['pipeline']})" if row.get("pipeline") else "")
            + f" is mapped to none of process.yml: {_records(row.get('records') or row.get('events') or 0)}",
            "salesgauge sources map writes the entry."
            if row["source_stage"]
            else "These records have no stage at all: fill it in the source, or map a column to 'stage'.",
            records=row.get("records") or 0,
        )
        for row in rows
    ]


def _unmapped_values(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    rows = _rows(con, "select * from kpi.kpi_unmapped_values order by records desc, field, value")
    return [
        Remark(
            "unmapped",
            f"The {str(row['field']).replace('_', ' ')} {_quoted(row['value'])} is not known: {_records(row['records'])}{_money(row.get('amount'))}",
            _UNKNOWN.get(
                str(row["field"]), "Correct it in the source, or say what it means in sources/ or process.yml."
            ),
            records=row["records"] or 0,
        )
        for row in rows
    ]


_UNKNOWN = {
    "branch": "Add it to company.branches in process.yml, or correct it in the source.",
    "channel": "Add it to company.channels in process.yml, or correct it in the source.",
    "owner": "Map the people who own records ('users' in sources/), or correct it in the source.",
    "currency": "Add its rates to exchange_rates in process.yml: until then its amounts count nowhere.",
}


def _contradictions(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    rows = _rows(con, "select * from kpi.kpi_contradictions where ledger_stage is not null order by records desc")
    return [
        Remark(
            "contradictions",
            f"{_records(row['records'], row.get('subject_type') or 'record')} of {row['source']}: the source says {_quoted(row['source_stage'])}, "
            f"their dated events end in '{row['ledger_stage']}'{_money(row.get('amount'))}",
            "The source's word counts. Map the date of that stage, if the source has one.",
            records=row["records"] or 0,
        )
        for row in rows
    ]


def _left_out(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    rows = _rows(
        con,
        """
        select
            record_type, field, left_out_of, trim(split_part(reason, '(', 1)) as reason, count(*) as records,
            arg_min(value, record_id) as example,
            (select count(*) from marts.fct_deal where is_won) as won
        from kpi.kpi_left_out
        group by record_type, field, left_out_of, trim(split_part(reason, '(', 1))
        """,
    )
    return [
        Remark(
            "left_out",
            f"{_records(row['records'], str(row['record_type']).replace('_', ' '))}: {row['reason']}"
            + (f" ({row['field']}, e.g. {row['example']})" if row["example"] else "")
            + f"; left out of: {row['left_out_of']}",
            "created_at seems to be the day of an import: map the day on which the deal was really made, or none."
            if str(row["reason"]).startswith("won before") and row["records"] >= MANY * max(row["won"], 1)
            else "They are listed in kpi.kpi_left_out; salesgauge show KEY says where each comes from.",
            records=row["records"],
        )
        for row in rows
    ]


def _checks(con: duckdb.DuckDBPyConnection) -> list[Remark]:
    """Checks that did not pass, errors before warnings. What has a kind of its own above is not said twice."""
    rows = _rows(
        con, "select * from quality.checks where not passed order by severity, failing_rows desc nulls last, name"
    )
    return [
        Remark(
            "audit",
            f"{row['table_name']}: expected {row['expected']}; {row['observed']}"
            + (f" (e.g. {row['examples']})" if row["examples"] else ""),
            row.get("action") or "salesgauge show KEY says where a record comes from.",
            records=(10**12 if row["severity"] == "error" else 0) + (row["failing_rows"] or 0),
        )
        for row in rows
        if row["name"] != "no_unmapped_stages"
    ]


def _records(number: int, word: str = "record") -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _quoted(value: Any) -> str:
    return "(none)" if value in (None, "") else f"'{value}'"


def _money(amount: Any) -> str:
    return f", {amount:,.0f} in amounts" if amount else ""
