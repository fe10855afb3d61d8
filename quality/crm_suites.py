"""What we expect of the records that the sources delivered, after staging has renamed and united them.

Realistic dirt is a warning; a share so bad that a column must have been shifted or mapped wrongly is an error. Which fields people should fill
is ``process.yml``'s matter, how well they do it the completeness KPI's. Keys and grains are dbt's tests.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import duckdb

from quality.suites import (
    Expect,
    Suite,
    between,
    holds,
    matches,
    no_rows,
    one_of,
    ordered,
    present,
)

EARLIEST = datetime(1990, 1, 1)
PLAUSIBLE_AMOUNT = 10_000_000
POSSIBLE_AMOUNT = 10_000_000_000  # a yen is a hundredth of a dollar
DAY_SECONDS = 86_400
REQUIRED_FILLED = 0.5
VOLUME_FLOOR = 0.5
VOLUME_MIN_RECORDS = 20
STALE_DAYS = 7

EMAIL = r"^[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}$"
_NUMBER = r"\+?(?:[()\s./\-]*\d){7,15}\)?(?:[\s,;]*(?:x|ext\.?|extension|ext=|#)\s*\d{1,6})?"
PHONE = rf"^\s*{_NUMBER}(?:\s*(?:[/,;|&]|or|and)\s*{_NUMBER})*\s*$"  # a field may hold several
POSTCODE = r"^[A-Za-z0-9][A-Za-z0-9 \-]{1,9}[A-Za-z0-9]$"

_CORRECT = "Correct the records in the source; they are listed by the masked keys of quality.checks."
_MAPPING = "Check the source's mapping (sources/*.yml): a column may be shifted or named differently."
_COUNTED = "exclusion_reason is null"
# Of a source without users nothing can be said; who left the company is no mistake of anybody.
_OWNER = "case when exists (select * from intermediate.int_users) then owner_id is null or owner_id in (select user_id from intermediate.int_users) end"
_USER = "case when exists (select * from intermediate.int_users) then user_id is null or user_id in (select user_id from intermediate.int_users) end"
_BRANCH = "case when exists (select * from process.branches) then branch is null or branch in (select branch from process.branches) end"
_DIRT = {"severity": "warn", "mostly": 0.98, "error_below": 0.5, "action": _CORRECT}
# Names that the company's own files don't know: the records count under (none), or under the name.
_NAMES = {
    "severity": "warn",
    "mostly": 0.98,
    "action": "Look at kpi.kpi_unmapped_values: correct the name in the source, or add it.",
}

LEADS = Suite(
    "crm_leads",
    "intermediate.int_leads",
    {
        "created_at": "created_at",
        "email": "email",
        "phone": "phone",
        "postcode": "postcode",
        "customer_type": "lower(customer_type)",
        "owner_known": _OWNER,
        "branch_known": _BRANCH,
    },
    (
        present(
            "created_at",
            severity="warn",
            action="A lead without a date counts in 'all' and in no period. If the source knows the date, map it to created_at.",
        ),
        between("created_at", EARLIEST, severity="warn", error_below=0.9, action=_MAPPING),
        matches("email", EMAIL, "looks like an e-mail address", **_DIRT),
        matches("phone", PHONE, "holds 7 to 15 digits", **_DIRT),
        matches("postcode", POSTCODE, "looks like a postcode", **_DIRT),
        one_of("customer_type", ("new", "returning"), **_NAMES),
        holds("owner_known", "the owner is one of the users", **_NAMES),
        holds("branch_known", "the branch is one of process.yml", **_NAMES),
    ),
    key="lead_id",
    where=_COUNTED,
    needs=("intermediate.int_users", "process.branches"),
)

DEALS = Suite(
    "crm_deals",
    "intermediate.int_deals",
    {
        "amount": "amount",
        "currency": "currency",
        "created_at": "created_at",
        "closed_at": "closed_at",
        "expected_close_date": "cast(expected_close_date as timestamp)",
        "created_day": "date_trunc('day', created_at) - interval 1 day",
        "owner_known": _OWNER,
        "branch_known": _BRANCH,
        "lead_exists": "linked_lead_id is null or lead_id is not null",
    },
    (
        between("amount", 0, POSSIBLE_AMOUNT, severity="warn", mostly=0.99, error_below=0.8, action=_CORRECT),
        replace(
            between("amount", None, PLAUSIBLE_AMOUNT, severity="warn", mostly=0.99, action=_CORRECT),
            name="amount_plausible",
        ),
        matches("currency", r"^[A-Z]{3}$", "is an ISO 4217 code", **_DIRT),
        between("created_at", EARLIEST, severity="warn", error_below=0.9, action=_MAPPING),
        ordered("closed_at", "created_at", **_DIRT),
        ordered("expected_close_date", "created_day", **{**_DIRT, "mostly": 0.95}),
        holds("owner_known", "the owner is one of the users", **_NAMES),
        holds("branch_known", "the branch is one of process.yml", **_NAMES),
        holds(
            "lead_exists",
            "the deal's lead exists",
            severity="warn",
            mostly=0.98,
            action="Deals whose lead was not loaded convert nobody: load the leads too, or correct the ids in the source.",
        ),
    ),
    key="deal_id",
    where=_COUNTED,
    needs=("intermediate.int_users", "process.branches"),
)

ACTIVITIES = Suite(
    "crm_activities",
    "intermediate.int_activities",
    {
        "type": "type",
        "direction": "direction",
        "at": '"at"',
        "duration_seconds": "duration_seconds",
        "user_known": _USER,
        "is_linked": "lead_id is not null or deal_id is not null",
    },
    (
        one_of(
            "type",
            ("call", "email", "text", "meeting", "task", "note"),
            severity="warn",
            mostly=1.0,
            error_below=0.9,
            action=_MAPPING,
        ),
        one_of("direction", ("inbound", "outbound"), severity="warn", mostly=1.0, error_below=0.9, action=_MAPPING),
        present("at", **_DIRT),
        between("at", EARLIEST, **_DIRT),
        between("duration_seconds", 0, DAY_SECONDS, **_DIRT),
        holds("user_known", "the person is one of the users", **_NAMES),
        holds("is_linked", "the activity belongs to a lead or a deal", severity="warn", mostly=0.9, action=_CORRECT),
    ),
    key="activity_id",
    needs=("intermediate.int_users",),
)

USERS = Suite(
    "crm_users",
    "intermediate.int_users",
    {"name": "name", "branch_known": _BRANCH},
    (
        present("name", severity="warn", action=_CORRECT),
        holds("branch_known", "the branch is one of process.yml", severity="warn", action=_CORRECT),
    ),
    key="user_id",
    needs=("process.branches",),
)

STAGE_EVENTS = Suite(
    "crm_stage_events",
    "intermediate.int_stage_events",
    {
        "subject_type": "subject_type",
        # what process.yml ignores needs no stage
        "stage_key": "coalesce(stage_key, case when is_ignored then 'ignore' end)",
        "at": '"at"',
    },
    (
        one_of("subject_type", ("lead", "deal"), severity="warn", error_below=0.9, action=_MAPPING),
        between("at", EARLIEST, severity="warn", error_below=0.9, action=_MAPPING),
        present(
            "stage_key",
            severity="warn",
            error_below=0.5,
            action="Add the stages that kpi.kpi_unmapped_stages lists to stage_mapping in process.yml.",
        ),
    ),
    key="subject_id",
)

SURVEYS = Suite(
    "crm_survey_answers",
    "intermediate.int_survey_answers",
    {"nps_score": "nps_score", "csat_score": "csat_score"},
    (
        between("nps_score", 0, 10, severity="warn", mostly=1.0, error_below=0.9, action=_MAPPING),
        between("csat_score", 1, 5, severity="warn", mostly=1.0, error_below=0.9, action=_MAPPING),
    ),
    key="response_id",
)

VOLUME = Suite(
    "source_volume",
    "kpi.kpi_reconciliation",
    {"share_of_before": "records / records_before"},
    (
        between(
            "share_of_before",
            VOLUME_FLOOR,
            action="Look whether the source still gives everything (rights, filters, a removed file); "
            "if the drop is real, set accept_volume_drop to the source's name under [salesgauge] in .dlt/config.toml for one run.",
        ),
    ),
    key="source || ' ' || entity",
    keys_are_labels=True,
    source="quality_volumes",
    where=f"records_before >= {VOLUME_MIN_RECORDS} and not is_accepted",
)

FRESHNESS = Suite(
    "source_freshness",
    "kpi.kpi_reconciliation",
    {"days_behind": "date_diff('second', newest_at, as_of) / 86400.0"},
    (
        replace(
            between(
                "days_behind",
                None,
                STALE_DAYS,
                severity="warn",
                action="The source gives nothing newer: look at its last load (salesgauge status), or at as_of.",
            ),
            meaning=f"the newest record of each source is at most {STALE_DAYS} days old",
        ),
    ),
    key="source",
    keys_are_labels=True,
    source="(select source, max(newest_at) as newest_at, max(as_of) as as_of from quality_volumes group by source)",
    where="newest_at is not null",
)

UNMAPPED = Suite(
    "stage_mapping",
    "kpi.kpi_unmapped_stages",
    {"source_stage": "source_stage"},
    (
        no_rows(
            "no_unmapped_stages",
            "every stage of the sources is mapped",
            severity="warn",
            action="Add the stages that kpi.kpi_unmapped_stages lists to stage_mapping in process.yml.",
        ),
    ),
    key="source",
    keys_are_labels=True,
    checks_empty=True,
)

SUITES = (LEADS, DEALS, ACTIVITIES, USERS, STAGE_EVENTS, SURVEYS, VOLUME, FRESHNESS, UNMAPPED)

_REQUIRED = {
    "lead": ("crm_required_lead", "intermediate.int_leads", "lead_id"),
    "deal": ("crm_required_deal", "intermediate.int_deals", "deal_id"),
}
REQUIRED_CHECKS = tuple((name, table) for name, table, _ in _REQUIRED.values())


def required_field_suites(con: duckdb.DuckDBPyConnection) -> list[Suite]:
    """Suites on the share of nulls of the fields that every lead, every deal must have: those required at the object's first stage.

    Fields of later stages apply to some records only; their shares are in ``kpi.kpi_crm_completeness_by_field``.
    """
    rows = con.execute(
        """
        select required.object, required.field
        from process.required_fields as required
        inner join process.stages as stages on required.stage = stages.stage
        qualify rank() over (partition by required.object order by stages.stage_order) = 1
        order by 1, 2
        """
    ).fetchall()
    suites = []
    for record, (name, table, key) in _REQUIRED.items():
        fields = [field for kind, field in rows if kind == record and _has_column(con, table, field)]
        if fields:
            columns = {field: f"nullif(trim(cast(\"{field}\" as varchar)), '')" for field in fields}
            suites.append(
                Suite(name, table, columns, tuple(_filled(field) for field in fields), key=key, where=_COUNTED)
            )
    return suites


def _filled(field: str) -> Expect:
    return present(
        field,
        severity="warn",
        mostly=REQUIRED_FILLED,
        action="See kpi.kpi_crm_completeness_by_field for who leaves it empty; if nobody fills it, check the source's mapping.",
    )


def _has_column(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    schema, _, name = table.partition(".")
    found = con.execute(
        "select count(*) from information_schema.columns "
        "where table_catalog = current_database() and table_schema = ? and table_name = ? and column_name = ?",
        [schema, name, column],
    ).fetchone()
    return bool(found and found[0])
