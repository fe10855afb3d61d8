"""What the leadership report shows, read from a published version. Wording and layout belong to the template, charts to ``charts``.

A section whose tables are missing or hold nothing is a ``Section`` without rows and with the reason: a young company gets a report too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from salesgauge.errors import ConfigurationError
from salesgauge.kpis import kpis
from salesgauge.remarks import remarks, shortened

Row = dict[str, Any]
MONTHS_BACK = 13
LEAST_N = 20
METHOD = "stage_age_pipeline"


@dataclass(frozen=True)
class Section:
    """Rows of one section, or why there are none."""

    rows: list[Row] = field(default_factory=list)
    reason: str | None = None

    def __bool__(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Report:
    """All content of one leadership report. Times are UTC, naive."""

    company: str
    currency: str
    timezone: str
    as_of: datetime
    as_of_date: date
    definition_version: int
    version: str
    labels: dict[str, str]
    stage_limits: dict[str, float]
    scorecard: Section
    trend: Section
    months: Section
    won: Section
    horizons: Section
    branches: Section
    reps: Section
    pipeline: Section
    completeness: Section
    fields: Section
    completeness_total: Row | None
    completeness_target: float | None
    loads: Section
    records: Section
    checks: Section
    remarks: list[tuple[str, list[str]]]


def _with_any(section: Section, columns: tuple[str, ...], reason: str) -> Section:
    """``section``, or ``reason`` where every row has nothing but nulls and zeros in ``columns``: a drawing of zeros says nothing."""
    has_any = any(row[column] for row in section.rows for column in columns)
    return section if has_any or not section else Section(reason=reason)


class _Reader:
    """Runs queries on a published version; a missing table or column is a reason, not an error."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[Row]:
        cursor = self._con.execute(sql, parameters or {})
        names = [column[0] for column in cursor.description or ()]
        return [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]

    def section(self, sql: str, empty: str, parameters: dict[str, Any] | None = None) -> Section:
        """The rows of ``sql``, or ``empty`` as the reason."""
        try:
            rows = self.rows(sql, parameters)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            return Section(reason=f"This version does not hold the data: {str(error).splitlines()[0]}")
        return Section(rows) if rows else Section(reason=empty)


def _plain(value: Any) -> Any:
    """Decimals as floats, for charts and formats; NaN as missing."""
    if isinstance(value, Decimal):
        return float(value)
    return None if isinstance(value, float) and value != value else value


def read(con: duckdb.DuckDBPyConnection, pointer: Path) -> Report:
    """The content of the version that ``con`` has open. ConfigurationError if it is no published version."""
    reader = _Reader(con)
    try:
        run = reader.rows("select * from process.run")[0]
    except (duckdb.CatalogException, IndexError) as error:
        raise ConfigurationError(
            f"{pointer.name}: not a published version (process.run is missing or empty)."
        ) from error
    stages = reader.section("select stage, label, days_in_stage from process.stages", "no stages").rows
    labels = {row["stage"]: row["label"] or row["stage"] for row in stages}
    branches = reader.section("select branch, label from process.branches", "no branches").rows
    labels |= {f"branch:{row['branch']}": row["label"] or row["branch"] for row in branches}
    scorecard = _scorecard(reader)
    completeness_total = reader.section(
        "select * from kpi.kpi_crm_completeness where period_grain = 'all' and segment_type = 'total'", "none"
    ).rows
    target = [row["target"] for row in scorecard.rows if row["kpi"] == "crm_completeness"]
    return Report(
        company=run["company_name"],
        currency=run["currency"],
        timezone=run["timezone"],
        as_of=run["as_of"],
        as_of_date=run["as_of_date"],
        definition_version=run["definition_version"],
        version=_version(pointer),
        labels=labels,
        stage_limits={row["stage"]: row["days_in_stage"] for row in stages if row["days_in_stage"]},
        scorecard=scorecard,
        trend=_trend(reader),
        months=_months(reader, run["as_of_date"]),
        won=_won(reader, run["as_of_date"]),
        horizons=_accuracy(reader, "total", "horizon_bucket <> 'all'"),
        branches=_accuracy(reader, "branch", "horizon_bucket = 'all'"),
        reps=_accuracy(reader, "rep", "horizon_bucket = 'all'"),
        pipeline=reader.section(
            """
            select coalesce(pipeline.stage, '(no stage)') as stage, pipeline.deals, pipeline.amount, pipeline.weighted_amount, pipeline.median_age_days
            from kpi.kpi_pipeline as pipeline
            left join process.stages as stages on pipeline.stage = stages.stage
            where pipeline.segment_type = 'total'
            order by stages.stage_order, pipeline.stage
            """,
            "No deal is open.",
        ),
        completeness=reader.section(
            """
            select segment, n, completeness, completeness_low, completeness_high, complete_record_rate, is_low_n
            from kpi.kpi_crm_completeness
            where period_grain = 'all' and segment_type = 'rep' and completeness is not null
            order by completeness, segment
            """,
            "No counted lead or deal has a required field yet. Required fields are named in process.yml.",
        ),
        fields=reader.section(
            """
            select object, stage, field, n, filled, completeness
            from kpi.kpi_crm_completeness_by_field
            where period_grain = 'all' and segment_type = 'total' and n > 0
            order by completeness, object, stage, field
            limit 5
            """,
            "No required field applies yet.",
        ),
        completeness_total=completeness_total[0] if completeness_total else None,
        completeness_target=target[0] if target else None,
        loads=_loads(reader),
        records=reader.section(
            """
            select entity, sum(records) filter (where reason = 'received') as received,
                sum(records) filter (where reason = 'counted') as counted,
                string_agg(replace(reason, '_', ' ') || ' ' || records, ', ' order by records desc)
                    filter (where reason not in ('received', 'counted') and records > 0) as left_out
            from kpi.kpi_reconciliation
            group by entity
            order by entity
            """,
            "No record was received.",
        ),
        checks=reader.section(
            "select count(*) as checks, count(*) filter (where not passed) as failed from quality.checks having count(*) > 0",
            "No checks are kept with this version.",
        ),
        remarks=shortened(remarks(con)),
    )


def _version(pointer: Path) -> str:
    """The version's name: from the manifest beside the file, else its folder."""
    file = pointer.resolve()
    try:
        name = json.loads((file.parent / "manifest.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return file.parent.name
    return str(name)


def _scorecard(reader: _Reader) -> Section:
    """Along the way of a customer: as the KPIs are declared, stages in the order of the process."""
    section = reader.section(
        """
        select scorecard.*
        from kpi.kpi_scorecard as scorecard
        left join process.stages as from_stages on scorecard.from_stage = from_stages.stage
        left join process.stages as to_stages on scorecard.to_stage = to_stages.stage
        where scorecard.segment_type = 'total'
        order by scorecard.kpi, from_stages.stage_order nulls first, to_stages.stage_order
        """,
        "process.yml names no targets, so there is nothing to compare.",
    )
    place = {kpi: number for number, kpi in enumerate(kpis())}
    return Section(sorted(section.rows, key=lambda row: place.get(row["kpi"], len(place))), section.reason)


def _trend(reader: _Reader) -> Section:
    """The weeks of the scorecard's window, of every KPI: kpi, from_stage, to_stage, value, low, high by period_start_date."""
    return reader.section(
        """
        select kpi, from_stage, to_stage, period_start_date, value, low, high
        from kpi.kpi_trend
        where segment_type = 'total' and period_grain = 'week' and value is not null
        order by kpi, from_stage, to_stage, period_start_date
        """,
        "there are no complete weeks yet",
    )


def _months(reader: _Reader, today: date) -> Section:
    """Per month: the forecast locked last before the month began (for open months: the newest lock), and what came true.

    The running month's actual is what is won so far, ``is_over`` false.
    """
    running = today.replace(day=1)
    section = reader.section(
        """
        with locks as (
            select *, row_number() over (partition by period_start_date order by lock_date desc) as place
            from marts.fct_forecast
            where method = $method and level = 'total' and period_start_date >= $first
                and (period_end_date >= $today or lock_date <= period_start_date)
        ),
        chosen as (
            select * from locks where place = 1
        ),
        won as (
            select period_start_date, won_amount
            from kpi.kpi_win_loss
            where period_grain = 'month' and segment_type = 'total' and period_start_date between $first and $running
        )
        select
            coalesce(chosen.period_start_date, won.period_start_date) as month, chosen.lock_date, chosen.horizon_days,
            chosen.forecast_amount, chosen.low_amount, chosen.high_amount,
            case
                when coalesce(chosen.period_start_date, won.period_start_date) < $running
                    then coalesce(chosen.actual_amount, won.won_amount)
                else won.won_amount
            end as actual_amount,
            coalesce(chosen.period_start_date, won.period_start_date) < $running as is_over
        from chosen
        full join won on chosen.period_start_date = won.period_start_date
        order by month
        """,
        "No forecast was locked and nothing was won yet.",
        {"today": today, "running": running, "method": METHOD, "first": _months_before(running, MONTHS_BACK - 1)},
    )
    amounts = ("forecast_amount", "actual_amount")
    return _with_any(section, amounts, "No deal with an amount was won yet, so there is no money to forecast.")


def _won(reader: _Reader, today: date) -> Section:
    """Won amount and deals of the last complete month and of the same month a year before, in this order."""
    last = _months_before(today.replace(day=1), 1)
    return reader.section(
        """
        select period_start_date as month, won_amount, deals_won, win_rate, n
        from kpi.kpi_win_loss
        where period_grain = 'month' and segment_type = 'total' and period_start_date in ($last, $before)
        order by period_start_date desc
        """,
        "Nothing was won in the last complete month.",
        {"last": last, "before": _months_before(last, 12)},
    )


def _accuracy(reader: _Reader, level: str, where: str) -> Section:
    """One row per segment or horizon with both methods side by side: ``<measure>`` is the pipeline's, ``naive_<measure>`` the other's."""
    section = reader.section(
        f"""
        with rows as (
            select * from kpi.kpi_forecast_accuracy
            where period_grain = 'all' and level = $level and segment_type = $level and {where}
        )
        select
            coalesce(own.segment, naive.segment) as segment, coalesce(own.horizon_bucket, naive.horizon_bucket) as horizon_bucket,
            own.n, own.wape, own.bias, own.skill, own.coverage_rate, naive.n as naive_n, naive.wape as naive_wape,
            naive.bias as naive_bias, naive.coverage_rate as naive_coverage_rate,
            coalesce(own.n, naive.n) < {LEAST_N} as is_low_n
        from (select * from rows where method = 'stage_age_pipeline') as own
        full join (select * from rows where method = 'seasonal_naive') as naive
            on own.segment = naive.segment and own.horizon_bucket = naive.horizon_bucket
        order by try_cast(split_part(coalesce(own.horizon_bucket, naive.horizon_bucket), '-', 1) as integer) nulls first,
            own.wape nulls last, segment
        """,
        "No month that was forecast is over yet.",
        {"level": level},
    )
    reason = (
        "Nothing with an amount was won in the months that are over, so there is nothing to measure errors against."
    )
    return _with_any(section, ("wape", "naive_wape"), reason)


def _loads(reader: _Reader) -> Section:
    return reader.section(
        """
        select source, max(loaded_at) as loaded_at, sum(received) as received, sum(loaded) as loaded, sum(quarantined) as quarantined,
            sum(duplicates) as duplicates
        from quality.loads
        group by source
        order by source
        """,
        "No load is recorded in this version.",
    )


def _months_before(first: date, months: int) -> date:
    code = first.year * 12 + first.month - 1 - months
    return date(code // 12, code % 12 + 1, 1)


def by(rows: list[Row], key: Callable[[Row], Any]) -> list[Row]:
    """``rows`` sorted by ``key``; rows without one are left out."""
    return sorted((row for row in rows if key(row) is not None), key=key)
