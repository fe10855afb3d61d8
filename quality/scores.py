"""The quality scores and the list of checks as tables: ``quality.scores``, ``quality.checks``.

Scores are read from the completeness facts and KPIs, where they are defined (``docs/kpis.md``): here they are only put side by side.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from quality.results import Check

DIMENSIONS = ("completeness", "validity", "uniqueness", "timeliness")

_SCORES = """
create or replace table quality.scores as
with cells as (
    select *, split_part(record_id, ':', 1) as source from marts.fct_field_completeness
),

kpis as (
    -- The whole company and each owner: as the KPI defines them.
    select
        case segment_type when 'total' then 'total' else 'owner' end as level,
        segment as key,
        n,
        cells,
        completeness,
        validity_rate as validity,
        uniqueness_rate as uniqueness,
        timeliness_rate as timeliness
    from kpi.kpi_crm_completeness
    where period_grain = 'all' and segment_type in ('total', 'rep')
),

of_kpis as (
    unpivot (select level, cast(null as varchar) as object, key, n, completeness, validity, uniqueness, timeliness from kpis)
    on completeness, validity, uniqueness, timeliness into name dimension value score
),

-- The same ratio over other groups of the same cells. Uniqueness and timeliness are facts about records, which cells don't hold.
levels as (
    select 'field' as level, object, field as key, * exclude (object) from cells
    union all by name
    select 'stage' as level, object, stage as key, * exclude (object) from cells
    union all by name
    select 'source' as level, object, source as key, * exclude (object) from cells
    union all by name
    select 'record' as level, object, record_id as key, * exclude (object) from cells
),

grouped as (
    select
        level,
        object,
        key,
        count(distinct record_id) as n,
        cast(sum(filled_weight) as double) / nullif(cast(sum(weight) as double), 0) as completeness,
        cast(count(*) filter (where is_valid) as double) / nullif(count(is_valid), 0) as validity
    from levels
    group by level, object, key
),

of_cells as (
    unpivot grouped on completeness, validity into name dimension value score
),

final as (
    select dimension, level, object, key, n, score from of_kpis
    union all
    select dimension, level, object, key, n, score from of_cells
)

select
    cast(dimension as varchar) as dimension,
    cast(level as varchar) as level,
    cast(object as varchar) as object,
    cast(key as varchar) as key,
    cast(n as bigint) as n,
    cast(score as double) as score
from final
where score is not null
order by dimension, level, object, key
"""

_EMPTY_SCORES = """
create or replace table quality.scores (dimension varchar, level varchar, object varchar, key varchar, n bigint, score double)
"""

_CHECKS = """
create or replace table quality.checks (
    origin varchar, suite varchar, name varchar, table_name varchar, severity varchar, passed boolean,
    observed varchar, expected varchar, rows_checked bigint, failing_rows bigint, examples varchar, action varchar
)
"""


def write_scores(con: duckdb.DuckDBPyConnection) -> dict[str, float | None]:
    """(Re)create ``quality.scores`` in the warehouse of ``con``; the company's score (0–1) by dimension, None where there is nothing to score.

    Rows: dimension × level (total, owner, source, stage, field, record) × object × key, with n = records. Empty where a table it reads is missing:
    the gate says so.
    """
    con.execute("create schema if not exists quality")
    try:
        con.execute(_SCORES)
    except (duckdb.CatalogException, duckdb.BinderException):
        con.execute(_EMPTY_SCORES)
    found = dict(con.execute("select dimension, score from quality.scores where level = 'total'").fetchall())
    return {dimension: found.get(dimension) for dimension in DIMENSIONS}


def write_checks(con: duckdb.DuckDBPyConnection, checks: Iterable[Check]) -> None:
    """(Re)create ``quality.checks``: one row per expectation, dbt test and check of the gate."""
    rows = [
        (
            check.origin,
            check.suite,
            check.name,
            check.table,
            check.severity,
            check.passed,
            check.observed,
            check.expected,
            check.rows,
            check.failing_rows,
            ", ".join(check.examples) or None,
            check.action,
        )
        for check in checks
    ]
    con.execute("create schema if not exists quality")
    con.execute(_CHECKS)
    # One statement: each of many would be a transaction.
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        con.execute(f"insert into quality.checks select {', '.join(['unnest(?)'] * len(columns))}", columns)
