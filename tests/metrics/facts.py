"""Marts filled by hand: what ``docs/tables.md`` promises of ``process.*``, and the contracts of the facts, with random but reproducible rows.

For tests of the KPI marts and metrics only: no source, no staging, no truth of a company belongs here. Values are not consistent between
tables (a lead's outcome is not its deal's): nothing in the KPI layer may depend on that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import yaml

from salesgauge.kpis import kpis
from salesgauge.settings import PROJECT_ROOT

AS_OF = dt.datetime(2026, 6, 17, 12, 0)  # a Wednesday
START = dt.date(2024, 6, 3)
NONE: Any = None  # in arrays of texts
SEGMENTS = (
    "branch",
    "rep",
    "team",
    "channel",
    "campaign",
    "service_line",
    "job_type",
    "customer_type",
    "process_version",
    "pipeline",
)
# Facts that are added up from other facts: dbt builds them.
BUILT = ("fct_record_completeness",)
STAGES = ("inquiry", "qualification", "quote", "won")

DDL = {
    "process.run": "as_of timestamp, as_of_date date, company_name varchar, currency varchar, timezone varchar, definition_version int",
    "process.versions": "process_version varchar, effective_from date, effective_to date, cost_amount decimal(18,2), note varchar",
    "process.branches": "branch varchar, label varchar, timezone varchar",
    "process.stages": "stage varchar, stage_order int, label varchar, kind varchar, object varchar, owner_role varchar, "
    "first_touch_minutes int, days_in_stage double, playbook varchar",
    "process.targets": "kpi varchar, from_stage varchar, to_stage varchar, segment_type varchar, segment varchar, before_value double, "
    "target_value double, direction varchar, effective_from date",
    "marts.dim_user": "user_id varchar, name varchar, rep varchar, email varchar, role varchar, team varchar, branch varchar, is_active boolean",
    "process.calendar": "week_starts_on varchar, fiscal_year_starts_in integer",
    "marts.metricflow_time_spine": "date_day date, week_start_date date, quarter_start_date date, year_start_date date",
    "intermediate.int_cases": "case_id varchar, lead_id varchar, deal_id varchar, is_counted boolean",
    "intermediate.int_deals": "deal_id varchar, created_at timestamp, pipeline varchar, stage varchar, is_counted boolean",
    "intermediate.int_case_events": "subject_type varchar, subject_id varchar",
    "intermediate.int_present_stages": "subject_type varchar, subject_id varchar, source varchar, pipeline varchar, source_stage varchar, "
    "stage_key varchar, is_ignored boolean",
    "intermediate.int_source_stages": "source varchar, pipeline varchar, source_stage varchar, label varchar, kind varchar, is_deleted boolean",
    "intermediate.int_stage_events": "subject_type varchar, subject_id varchar, stage_key varchar, source_stage varchar, pipeline varchar, "
    '"at" timestamp, source_order bigint, source varchar, is_ignored boolean',
}


def contracts() -> dict[str, str]:
    """The columns of every fact, as the project promises them."""
    found = {}
    for file in sorted((PROJECT_ROOT / "dbt_project" / "models" / "marts").glob("fct_*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]:
            columns = [f'"{column["name"]}" {column["data_type"]}' for column in model["columns"]]
            found[f"marts.{model['name']}"] = ", ".join(columns)
    return found


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create every fact, and every table of ``DDL``, empty."""
    for table, columns in (DDL | contracts()).items():
        con.execute(f"create schema if not exists {table.split('.')[0]}")
        con.execute(f"create or replace table {table} ({columns})")
    con.execute("insert into process.calendar values ('mon', 1)")
    con.execute(
        "insert into marts.metricflow_time_spine "
        # a company whose weeks begin on Sunday and whose year begins in April: read only where process.calendar says so
        "select cast(range as date), cast(range - to_days(cast(dayofweek(range) as integer)) as date), "
        "cast(date_trunc('quarter', range - interval 3 month) + interval 3 month as date), "
        "cast(date_trunc('year', range - interval 3 month) + interval 3 month as date) "
        "from range(timestamp '2023-01-01', timestamp '2027-01-01', interval 1 day)"
    )
    con.execute(
        "insert into process.run values (?, ?, 'Test company', 'USD', 'America/Chicago', 1)", [AS_OF, AS_OF.date()]
    )
    con.execute("insert into process.versions values ('baseline', '2024-01-01', '2026-01-05', null, null)")
    con.execute("insert into process.versions values ('optimized', '2026-01-05', null, 18500, null)")
    con.execute(
        "insert into process.stages values ('inquiry', 1, 'Inquiry', 'open', 'lead', null, 15, 2, null), "
        "('qualification', 2, 'Qualification', 'open', 'lead', null, null, 5, null), ('quote', 3, 'Quote', 'open', 'deal', null, null, 14, null), "
        "('won', 4, 'Won', 'won', 'deal', null, null, null, null), ('lost', 5, 'Lost', 'lost', 'deal', null, null, null, null)"
    )


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame | list[dict]) -> None:
    """Append ``rows`` by column name; columns that ``rows`` lacks are null."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    con.register("new_rows", frame)
    con.execute(f"insert into {table} by name select * from new_rows")
    con.unregister("new_rows")


def fill(con: duckdb.DuckDBPyConnection, *, leads: int = 600, seed: int = 7) -> None:
    """Fill the empty tables with ``leads`` random leads and what belongs to them."""
    rng = np.random.default_rng(seed)
    days = (AS_OF.date() - START).days

    def pick(values: list, size: int, none_share: float = 0.1) -> np.ndarray:
        chosen = np.array(values, dtype=object)[rng.integers(0, len(values), size)]
        chosen[rng.random(size) < none_share] = None
        return chosen

    def segments(size: int, dates: pd.Series) -> dict[str, np.ndarray]:
        versions = np.where(pd.to_datetime(dates) < pd.Timestamp("2026-01-05"), "baseline", "optimized")
        reps = pick([f"Rep {letter}" for letter in "ABCDEF"], size)
        return {
            "branch": pick(["north", "south", "west"], size),
            "rep": reps,
            "rep_id": np.array([None if rep is None else f"crm:{rep[-1]}" for rep in reps], dtype=object),
            "team": pick(["inside", "field"], size),
            "channel": pick(["referral", "paid_search", "organic"], size),
            "campaign": pick(["spring", "=cmd()"], size, 0.6),
            "service_line": pick(["hvac", "plumbing", "electrical"], size),
            "job_type": pick(["repair", "installation"], size),
            "customer_type": pick(["new", "returning"], size),
            "process_version": versions,
            "pipeline": pick(["default"], size, 0.0),
        }

    def moments(size: int) -> pd.Series:
        return pd.Timestamp(START) + pd.to_timedelta(np.sort(rng.integers(0, days * 1440, size)), unit="min")

    def frame(size: int, dates: pd.Series, **columns: object) -> pd.DataFrame:
        return pd.DataFrame({**columns, **segments(size, dates)})

    def dates_of(stamps: pd.Series) -> pd.Series:
        return pd.Series(stamps).dt.date

    created = moments(leads)
    ids = np.array([f"crm:{number}" for number in range(leads)])
    outcome = rng.choice(["won", "lost", "open"], leads, p=[0.3, 0.4, 0.3])
    observed = np.round(rng.exponential(20, leads), 3)
    people = pick([f"p{number}" for number in range(leads)], leads)
    insert(
        con,
        "marts.fct_lead",
        frame(
            leads,
            created,
            lead_id=ids,
            case_id=ids,
            source="crm",
            created_at=created,
            created_date=dates_of(created),
            person_key=people,
            is_rep_created=False,
            is_won=outcome == "won",
            is_lost=outcome == "lost",
            is_open=outcome == "open",
            days_to_won=np.where(outcome == "won", observed, np.nan),
            days_observed=observed,
        ),
    )
    contacted = rng.random(leads) < 0.9
    waited = np.round(rng.exponential(40, leads)) / 2  # halves: many ties
    insert(
        con,
        "marts.fct_speed_to_lead",
        frame(
            leads,
            created,
            lead_id=ids,
            leads_in_group=1,
            created_at=created,
            created_date=dates_of(created),
            is_contacted=contacted,
            minutes=np.where(contacted, waited, np.nan),
            open_minutes=np.where(contacted, waited / 2, np.nan),
            routing_minutes=waited / 4,
            reaction_minutes=np.where(contacted, waited * 0.75, np.nan),
            connection_minutes=np.where(contacted & (waited > 10), waited * 2, np.nan),
            is_within_5_minutes=contacted & (waited <= 5),
            is_within_target=contacted & (waited <= 15),
            minutes_observed=np.where(contacted, waited, waited + 5000),
        ),
    )
    con.execute("update marts.fct_speed_to_lead set minutes = null, open_minutes = null where not is_contacted")
    con.execute(
        "update marts.fct_speed_to_lead set touches_to_contact = hash(lead_id) % 5 + 1 where connection_minutes is not null"
    )

    deals = leads // 2
    deal_ids = np.array([f"crm:{number}" for number in range(deals)])
    deal_created = moments(deals)
    deal_outcome = rng.choice(["won", "lost", "open", "disqualified"], deals, p=[0.35, 0.3, 0.3, 0.05])
    cycle = np.round(rng.exponential(12, deals), 3) - 0.2
    closed = deal_created + pd.to_timedelta(cycle, unit="D")
    is_open = deal_outcome == "open"
    amount = np.round(rng.gamma(2, 2500, deals), 2)
    amount[rng.random(deals) < 0.1] = np.nan
    current_reps = pick([f"Rep {letter}" for letter in "ABCDEF"], deals)
    deal_frame = frame(
        deals,
        deal_created,
        deal_id=deal_ids,
        case_id=ids[:deals],
        lead_id=ids[:deals],
        source="crm",
        created_at=deal_created,
        created_date=dates_of(deal_created),
        current_stage=np.where(is_open, rng.choice(["qualification", "quote"], deals), deal_outcome),
        outcome=deal_outcome,
        is_won=deal_outcome == "won",
        is_lost=deal_outcome == "lost",
        is_open=is_open,
        is_undated=False,
        closed_at=pd.Series(closed).where(~is_open),
        closed_date=pd.Series(closed).dt.date.where(~is_open),
        amount=amount,
        loss_reason=np.where(deal_outcome == "lost", pick(["price", "timing", "competitor"], deals), NONE),
        cycle_days=np.where(is_open, np.nan, cycle),
        first_close_cycle_days=np.where(is_open, np.nan, cycle * 0.9),
        lead_cycle_days=np.where(is_open, np.nan, cycle + 2),
        first_touch_cycle_days=np.where(is_open, np.nan, cycle + 1),
        is_negative_cycle=cycle < 0,
        days_observed=cycle,
        rep_closed=np.where(is_open, NONE, current_reps),
        rep_closed_id=np.where(
            is_open, NONE, np.array([f"crm:{rep[-1]}" if rep else None for rep in current_reps], dtype=object)
        ),
        rep_current=current_reps,
        rep_current_id=[f"crm:{rep[-1]}" if rep else None for rep in current_reps],
    )
    for column in ("cycle_days", "first_close_cycle_days", "lead_cycle_days", "first_touch_cycle_days", "amount"):
        deal_frame[column] = deal_frame[column].astype(object).where(deal_frame[column].notna(), None)
    insert(con, "marts.fct_deal", deal_frame)
    con.execute(
        """
        insert into marts.fct_closed_deal by name
        select * exclude (
                rep, rep_id, process_version, is_open, is_undated, created_hour, created_weekday, closed_hour, rep_closed, rep_closed_id, team_closed,
                rep_current, rep_current_id, exchange_rate
            ),
            hour(closed_at) as closed_hour, isodow(closed_date) as closed_weekday, rep_closed as rep, rep_closed_id as rep_id,
            case when closed_date < date '2026-01-05' then 'baseline' else 'optimized' end as process_version,
            case when is_won then amount end as won_amount, case when is_lost then amount end as lost_amount,
            hash(deal_id) % 9 as touches_to_close
        from marts.fct_deal where is_won or is_lost
        """
    )
    # as of today only: what is open then is the pipeline
    con.execute(
        """
        insert into marts.fct_pipeline_period by name
        select deal_id, run.as_of_date as from_date, run.as_of_date as to_date, true as is_open_at_as_of, current_stage as stage, amount
        from marts.fct_deal cross join process.run as run where is_open
        """
    )
    con.execute(
        """
        insert into marts.fct_call by name
        select * exclude (place), result = 'answered' as is_answered, result = 'abandoned' as is_abandoned, result = 'missed' as is_missed,
            case when result = 'answered' then place % 50 end as answer_seconds, case when result = 'missed' then place % 7 > 2 end as is_called_back,
            result = 'answered' as is_lead_call, case when result = 'answered' then place % 9 > 4 end as is_booked,
            place % 4 > 0 as is_classed_lead, case when result = 'answered' and place % 4 > 0 then place % 9 > 4 end as is_booked_classified
        from (
            select 'call ' || lead_id as call_id, lead_id, created_at as called_at, created_date as called_date, place % 8 > 0 as is_in_open_hours,
                ['answered', 'answered', 'abandoned', 'ended_early', 'missed'][place % 5 + 1] as result,
                place, branch, rep, rep_id, team, channel, campaign, service_line, job_type, customer_type, process_version, pipeline
            from (select *, row_number() over (order by lead_id) as place from marts.fct_lead where created_date is not null) as numbered
        ) as calls
        """
    )
    con.execute(
        """
        insert into marts.fct_pipeline_event by name
        select * exclude (place),
            case when event = 'moved' then place % 23 - 7.0 end as days_moved,
            case when event = 'moved' and place % 23 > 7 then place % 23 - 7.0 end as days_pushed,
            case when event = 'passed' then true when event = 'closed' and place % 4 > 0 then false end as is_slipped,
            case when event = 'passed' then amount end as slipped_amount,
            case when event = 'closed' then place % 5 = 0 end as is_pushed
        from (
            select deal_id, created_date as event_date, ['moved', 'passed', 'closed'][place % 3 + 1] as event, amount, place, branch, rep, rep_id, team,
                channel, campaign, service_line, job_type, customer_type, process_version, pipeline
            from (select *, row_number() over (order by deal_id) as place from marts.fct_deal where created_date is not null) as numbered
        ) as events
        """
    )
    insert(
        con,
        "marts.dim_user",
        [
            {"user_id": f"crm:{letter}", "name": f"Rep {letter}", "rep": f"Rep {letter}", "team": "inside" if letter < "D" else "field"}
            for letter in "ABCDEF"
        ],
    )  # fmt: skip

    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    # a case has one furthest stage, in all pairs of the stage that it entered
    furthest = {low: low + rng.choice([1, 2, 3, 4], leads, p=[0.5, 0.25, 0.15, 0.1]) for low in (0, 1, 2)}
    entries = {low: frame(leads, created, case_id=ids, from_stage=STAGES[low], from_order=low + 1) for low in furthest}
    for low, high in pairs:
        reached = furthest[low] > high
        insert(
            con,
            "marts.fct_stage_conversion",
            entries[low].assign(
                to_stage=STAGES[high],
                to_order=high + 1,
                is_next_stage=high == low + 1,
                furthest_order=np.minimum(furthest[low], len(STAGES)),
                entered_at=created,
                entered_date=dates_of(created),
                is_reached=reached,
                is_adjacent=reached & (rng.random(leads) < 0.8) if high == low + 1 else False,
                is_open=outcome == "open",
            ),
        )
    for order in (1, 2, 3):
        stay = rng.exponential(4, leads)
        left = created + pd.to_timedelta(stay, unit="D")
        gone = rng.random(leads) < 0.8
        insert(
            con,
            "marts.fct_stage_visit",
            frame(
                leads,
                created,
                case_id=ids,
                lead_id=ids,
                deal_id=np.where(np.arange(leads) < deals, np.resize(deal_ids, leads), NONE) if order == 3 else None,
                stage=STAGES[order - 1],
                stage_order=order,
                visit_number=1,
                entered_at=created,
                entered_date=dates_of(created),
                left_at=pd.Series(left).where(gone),
                left_date=pd.Series(left).dt.date.where(gone),
                exit_process_version=np.where(
                    gone, np.where(left < pd.Timestamp("2026-01-05"), "baseline", "optimized"), NONE
                ),
                exit_kind=np.where(gone, rng.choice(["advance", "skip", "lost", "regress"], leads), NONE),
                days=np.round(stay, 3),
            ),
        )
    activity_at = moments(leads)
    insert(
        con,
        "marts.fct_activity",
        frame(
            leads,
            activity_at,
            activity_id=ids,
            type="call",
            at=activity_at,
            activity_date=dates_of(activity_at),
            lead_id=ids,
        ),
    )
    for object_name, records, stamps in (("lead", ids, created), ("deal", deal_ids, deal_created)):
        base = segments(len(records), stamps)
        for field, weight, valid in (("phone", 3.0, True), ("email", 2.0, True), ("channel", 1.0, False)):
            filled = rng.random(len(records)) < 0.8
            rows = pd.DataFrame(
                {
                    "object": object_name,
                    "record_id": records,
                    "stage": "inquiry" if object_name == "lead" else "quote",
                    "field": field,
                    "weight": weight,
                    "is_filled": filled,
                    "filled_weight": np.where(filled, weight, 0.0),
                    "is_valid": np.where(filled & valid, rng.random(len(records)) < 0.95, NONE) if valid else None,
                    "created_date": dates_of(stamps),
                    **base,
                }
            )
            insert(con, "marts.fct_field_completeness", rows)

    answers = leads // 3
    submitted = moments(answers)
    nps = rng.integers(0, 11, answers).astype(object)
    nps[rng.random(answers) < 0.1] = None
    csat = rng.integers(1, 6, answers).astype(object)
    csat[rng.random(answers) < 0.3] = None
    insert(
        con,
        "marts.fct_survey_response",
        frame(
            answers,
            submitted,
            response_id=[f"survey:{number}" for number in range(answers)],
            form_id="F1",
            submitted_at=submitted,
            submitted_date=dates_of(submitted),
            nps_score=nps,
            csat_score=csat,
            nps_points=[None if score is None else 100 if score >= 9 else -100 if score <= 6 else 0 for score in nps],
            is_satisfied=[None if score is None else score >= 4 for score in csat],
        ),
    )
    con.execute(
        """
        update marts.fct_activity set is_held = hash(activity_id) % 10 < 7, is_no_show = hash(activity_id) % 10 in (7, 8), is_canceled = hash(activity_id) % 10 = 9
        where activity_id is not null
        """
    )
    _fill_forecasts(con, rng)
    _fill_others(con, rng, segments)


def _fill_forecasts(con: duckdb.DuckDBPyConnection, rng: np.random.Generator) -> None:
    """Locks of every Monday of half a year, all methods and levels; the last month is not over."""
    rows = []
    for lock in pd.date_range("2025-12-01", "2026-06-15", freq="W-MON"):
        for month in pd.date_range(lock.replace(day=1), periods=4, freq="MS"):
            end = month + pd.offsets.MonthEnd(0)
            horizon = (end - lock).days
            if not 0 <= horizon <= 90:
                continue
            bucket = "0-7" if horizon <= 7 else "8-30" if horizon <= 30 else "31-60" if horizon <= 60 else "61-90"
            for level, names in (
                ("total", [None]),
                ("rep", ["Rep A", "Rep B"]),
                ("branch", ["north", "south"]),
                ("service_line", ["hvac", None]),
            ):
                for name in names:
                    actual = float(np.round(rng.gamma(3, 5000), 2)) if end < pd.Timestamp(AS_OF) else None
                    for method in ("stage_age_pipeline", "seasonal_naive"):
                        if method == "seasonal_naive" and rng.random() < 0.3:
                            continue
                        forecast = float(np.round(rng.gamma(3, 5000), 2))
                        has_interval = rng.random() < 0.7
                        covered = None
                        if actual is not None and has_interval:
                            covered = bool(forecast * 0.6 <= actual <= forecast * 1.4)
                        rows.append(
                            {
                                "lock_date": lock.date(),
                                "period_start_date": month.date(),
                                "period_end_date": end.date(),
                                "horizon_days": horizon,
                                "horizon_bucket": bucket,
                                "method": method,
                                "level": level,
                                "segment": "total" if level == "total" else name or "(none)",
                                "forecast_amount": forecast,
                                "low_amount": round(forecast * 0.6, 2) if has_interval else None,
                                "high_amount": round(forecast * 1.4, 2) if has_interval else None,
                                "actual_amount": actual,
                                "absolute_error_amount": None if actual is None else round(abs(forecast - actual), 2),
                                "error_amount": None if actual is None else round(forecast - actual, 2),
                                "is_covered": covered,
                                **({level: name} if level != "total" else {}),
                            }
                        )
    insert(con, "marts.fct_forecast", rows)


def _fill_others(
    con: duckdb.DuckDBPyConnection, rng: np.random.Generator, segments: Callable[[int, pd.Series], dict]
) -> None:
    """Rows of the other facts that a KPI is declared of: any values of their types, on any day."""
    size = 300
    kinds: dict[str, Callable[[str], Any]] = {
        "VARCHAR": lambda name: [f"{name}:{number}" for number in range(size)],
        "BOOLEAN": lambda name: rng.choice(np.array([True, False, None], dtype=object), size),
        "BIGINT": lambda name: rng.integers(0, 50, size),
        "INTEGER": lambda name: rng.integers(1, 8, size),
        "DOUBLE": lambda name: np.round(rng.exponential(20, size), 2),
    }
    for name in sorted({kpi.fact for kpi in kpis().values() if kpi.fact}):
        if name in BUILT or con.execute(f"select count(*) from marts.{name}").fetchone() != (0,):
            continue
        days = pd.Series(pd.Timestamp(START) + pd.to_timedelta(np.sort(rng.integers(0, 740, size)), unit="D"))
        rows = {}
        for column, kind, *_ in con.execute(f"describe marts.{name}").fetchall():
            made = kinds.get("DOUBLE" if kind.startswith("DECIMAL") else kind)
            rows[column] = made(column) if made else days.dt.date if kind == "DATE" else days
        insert(con, f"marts.{name}", pd.DataFrame(rows | segments(size, days)))


TARGETS = [
    {"kpi": "speed_to_lead_median_minutes", "before_value": 120, "target_value": 15, "direction": "down"},
    {"kpi": "stage_conversion_rate", "from_stage": "inquiry", "to_stage": "quote", "before_value": 0.3, "target_value": 0.5, "direction": "up"},
    {"kpi": "win_rate", "before_value": 0.35, "target_value": 0.55, "direction": "up", "effective_from": dt.date(2026, 1, 5)},
    {"kpi": "win_rate", "segment_type": "branch", "segment": "north", "target_value": 0.5, "direction": "up"},
    {"kpi": "sales_cycle_days_mean", "before_value": 14, "target_value": 7, "direction": "down"},
    {"kpi": "crm_completeness", "before_value": 0.6, "target_value": 0.95, "direction": "up"},
    {"kpi": "nps", "before_value": 20, "target_value": 50, "direction": "up"},
    {"kpi": "forecast_accuracy", "before_value": 0.5, "target_value": 0.85, "direction": "up"},
    {"kpi": "non_selling_share", "before_value": 0.66, "target_value": 0.3, "direction": "down"},
]  # fmt: skip
