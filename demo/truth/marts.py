"""The KPI marts of docs/tables.md from the observations: same keys, same column names. Money is ``Decimal`` with two places.

Forecasts are in ``forecast``, the scorecard in ``scorecard``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from demo.truth.completeness import cells, records
from demo.truth.estimates import (
    km_median,
    mean_interval,
    median_interval,
    percentile,
    points_interval,
    quotient,
    ratio_interval,
    wilson,
)
from demo.truth.facts import Facts
from demo.truth.open_cases import open_cases
from demo.truth.pipeline import changes, daily
from demo.truth.process_map import process_edges, process_variants
from demo.truth.rollup import KEYS, NONE, rollup, sums
from demo.truth.values import values as kpi_values

LOW_N = 20


def money(cents: int | Fraction) -> Decimal:
    """Cents as an amount; parts of a cent are rounded half to even."""
    whole = round(cents) if isinstance(cents, Fraction) else cents
    return (Decimal(int(whole)) / 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _flags(frame: pd.DataFrame, *names: str) -> list[np.ndarray]:
    return [np.array([value is True or value == 1 for value in frame[name]], dtype=bool) for name in names]


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].to_numpy(dtype=float, na_value=np.nan)


def _cents(frame: pd.DataFrame) -> np.ndarray:
    """Whole cents; an amount that is not known adds nothing to a sum."""
    return np.array([0 if cents is None else cents for cents in frame["cents"]], dtype=np.int64)


def _known(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    found = values[members]
    return np.sort(found[~np.isnan(found)])


def _with_shares(frame: pd.DataFrame, shares: dict[str, tuple[str, str, str, str]]) -> pd.DataFrame:
    """``shares``: name → (numerator, denominator, name of the low end, of the high end)."""
    for name, (numerator, n, low, high) in shares.items():
        pairs = list(zip(frame[numerator].tolist(), frame[n].tolist(), strict=True))
        ends = {pair: wilson(*pair) for pair in set(pairs)}
        frame[name] = [quotient(*pair) for pair in pairs]
        frame[low] = [ends[pair][0] for pair in pairs]
        frame[high] = [ends[pair][1] for pair in pairs]
    return frame


def volume(facts: Facts) -> pd.DataFrame:
    """kpi_volume."""
    leads, deals = (
        facts.leads.assign(leads_created=1, deals_created=0),
        facts.deals.assign(leads_created=0, deals_created=1),
    )
    return sums(pd.concat([leads, deals], ignore_index=True), "created_date", ["leads_created", "deals_created"])


def speed_to_lead(facts: Facts) -> pd.DataFrame:
    """kpi_speed_to_lead."""
    frame = facts.waits
    names = ("minutes", "open_minutes", "routing", "reaction", "connection", "observed")
    columns = {name: _numbers(frame, name) for name in names}
    contacted, within_5, within_target = _flags(frame, "is_contacted", "within_5", "within_target")
    has_target = frame["within_target"].notna().to_numpy()

    def values(members: np.ndarray) -> dict[str, Any]:
        ordered = _known(columns["minutes"], members)
        low, high = median_interval(ordered)
        medians = {f"median_{name}": percentile(_known(columns[of], members), 0.5) for name, of in (
            ("minutes", "minutes"), ("open_minutes", "open_minutes"), ("routing_minutes", "routing"),
            ("reaction_minutes", "reaction"), ("connection_minutes", "connection"),
        )}  # fmt: skip
        return {
            "n": len(members),
            "contacted": int(contacted[members].sum()),
            "not_measured": 0,  # the log knows the moment of every creation and touch
            "never_contacted": int((~contacted[members]).sum()),
            "within_5_minutes": int(within_5[members].sum()),
            "within_target": int(within_target[members].sum()),
            "with_target": int(has_target[members].sum()),
            "median_low": low,
            "median_high": high,
            "p90_minutes": percentile(ordered, 0.9),
            "km_median_minutes": km_median(columns["observed"][members], contacted[members]),
            **medians,
        }

    rows = rollup(frame, "created_date", values)
    shares = {
        f"{name}_rate": (name, "with_target" if name == "within_target" else "n", f"{name}_low", f"{name}_high")
        for name in ("within_5_minutes", "within_target", "never_contacted")
    }
    return _with_shares(rows, shares).drop(columns="with_target").assign(is_low_n=rows["n"] < LOW_N)


def stage_conversion(facts: Facts) -> pd.DataFrame:
    """kpi_stage_conversion."""
    settings, keys = facts.book.settings, ["mode", "from_stage", "to_stage"]
    pairs, visits = facts.stage_pairs, facts.visits
    reached = pairs.assign(
        mode="reached", on=pairs["entered_date"], success=pairs["is_reached"], has_open=1, open=pairs["is_open"]
    )
    adjacent = reached[reached["is_next"].astype(bool)].assign(mode="adjacent")
    adjacent["success"] = adjacent["is_adjacent"]
    nexts = {stage.key: settings.next_stage(stage.key) for stage in settings.open_stages}
    ended = visits[visits["left_date"].notna() & visits["stage"].isin(list(nexts))]
    period = ended.assign(
        mode="period",
        from_stage=ended["stage"],
        to_stage=ended["stage"].map(nexts),
        on=ended["left_date"],
        process_version=ended["exit_version"],
        success=ended["exit_kind"].isin(["advance", "skip", "won"]),
        has_open=0,
        open=False,
    )
    frame = pd.concat([reached, adjacent, period], ignore_index=True)
    frame = frame.assign(n=1, numerator=frame["success"].astype(int), opened=frame["open"].astype(int))
    rows = sums(frame, "on", ["n", "numerator", "opened", "has_open"], keys)
    rows = _with_shares(rows, {"conversion_rate": ("numerator", "n", "low", "high")})
    rows["open_share"] = [quotient(*pair) for pair in zip(rows["opened"], rows["has_open"], strict=True)]
    return rows.drop(columns=["opened", "has_open"]).assign(is_low_n=rows["n"] < LOW_N)


def overall_conversion(facts: Facts) -> pd.DataFrame:
    """kpi_overall_conversion."""
    leads, closed = facts.leads, facts.closed_deals
    won = closed[closed["outcome"] == "won"]
    frame = pd.concat(
        [
            leads.assign(
                on=leads["created_date"], n=1, customers=leads["is_won"], opened=leads["is_open"], deals_won=0
            ),
            won.assign(on=won["closed_date"], n=0, customers=False, opened=False, deals_won=1),
        ],
        ignore_index=True,
    )
    frame[["customers", "opened"]] = frame[["customers", "opened"]].astype(int)
    rows = sums(frame, "on", ["n", "customers", "opened", "deals_won"])
    rows = _with_shares(rows, {"conversion_rate": ("customers", "n", "low", "high")})
    rows["open_share"] = [quotient(*pair) for pair in zip(rows["opened"], rows["n"], strict=True)]
    rows["period_conversion_rate"] = [quotient(*pair) for pair in zip(rows["deals_won"], rows["n"], strict=True)]
    medians = _km(leads, "created_date", "days_observed", "is_won", "km_median_days")
    return rows.drop(columns="opened").merge(medians, on=KEYS, how="left").assign(is_low_n=rows["n"] < LOW_N)


def _km(frame: pd.DataFrame, date: str, time: str, event: str, name: str) -> pd.DataFrame:
    frame = frame[frame[time].notna()].reset_index(drop=True)
    times, (events,) = _numbers(frame, time), _flags(frame, event)
    return rollup(frame, date, lambda members: {name: km_median(times[members], events[members])})


def sales_cycle(facts: Facts) -> pd.DataFrame:
    """kpi_sales_cycle."""
    closed = facts.closed_deals
    won = closed[closed["outcome"] == "won"].reset_index(drop=True)
    cycle, first_close, first_touch = (
        _numbers(won, name) for name in ("cycle_days", "first_close_days", "first_touch_days")
    )
    negative = cycle < 0
    first_close = np.where(first_close < 0, np.nan, first_close)
    first_touch = np.where(first_touch < 0, np.nan, first_touch)

    def values(members: np.ndarray) -> dict[str, Any]:
        kept = members[~negative[members]]
        ordered = _known(cycle, kept)
        (mean_low, mean_high), (median_low, median_high) = mean_interval(ordered), median_interval(ordered)
        return {
            "n": len(ordered),
            "mean_days": float(ordered.mean()) if len(ordered) else None,
            "mean_low": mean_low,
            "mean_high": mean_high,
            "median_days": percentile(ordered, 0.5),
            "median_low": median_low,
            "median_high": median_high,
            "p90_days": percentile(ordered, 0.9),
            "median_first_close_days": percentile(_known(first_close, kept), 0.5),
            "median_first_touch_days": percentile(_known(first_touch, kept), 0.5),
            "negative_cycles": int(negative[members].sum()),
            # the log knows when each deal was created and when it was closed
            "from_lead": 0,
            "undated": 0,
        }

    rows = rollup(won, "closed_date", values)
    medians = _km(facts.deals, "created_date", "days_observed", "is_won", "km_median_days")
    created = sums(facts.deals.assign(won=facts.deals["is_won"].astype(int)), "created_date", ["won"])
    medians = medians.merge(created[created["won"] > 0][KEYS], on=KEYS)
    rows = rows.merge(medians, on=KEYS, how="outer")
    counts = ["n", "negative_cycles", "from_lead", "undated"]
    rows[counts] = rows[counts].fillna(0).astype(int)
    return rows.assign(is_low_n=rows["n"] < LOW_N)


def win_loss(facts: Facts) -> pd.DataFrame:
    """kpi_win_loss."""
    frame = facts.closed_deals
    for outcome, name in (("won", "deals_won"), ("lost", "deals_lost"), ("disqualified", "disqualified")):
        frame = frame.assign(**{name: (frame["outcome"] == outcome).astype(int)})
    cents = _cents(frame)
    frame = frame.assign(won_cents=cents * frame["deals_won"], lost_cents=cents * frame["deals_lost"])
    rows = sums(frame, "closed_date", ["deals_won", "deals_lost", "disqualified", "won_cents", "lost_cents"])
    rows["n"] = rows["deals_won"] + rows["deals_lost"]
    rows["undated"] = 0
    rows = _with_shares(rows, {"win_rate": ("deals_won", "n", "low", "high")})
    rows["win_rate_by_amount"] = [
        quotient(won, won + lost) for won, lost in zip(rows["won_cents"], rows["lost_cents"], strict=True)
    ]
    rows["win_loss_ratio"] = [quotient(*pair) for pair in zip(rows["deals_won"], rows["deals_lost"], strict=True)]
    rows["won_amount"] = [money(cents) for cents in rows.pop("won_cents")]
    rows["lost_amount"] = [money(cents) for cents in rows.pop("lost_cents")]
    return rows.assign(is_low_n=rows["n"] < LOW_N)


def loss_reasons(facts: Facts) -> pd.DataFrame:
    """kpi_loss_reasons."""
    closed = facts.closed_deals
    lost = closed[closed["outcome"] == "lost"]
    lost = lost.assign(loss_reason=lost["loss_reason"].fillna(NONE), deals_lost=1, cents=_cents(lost))
    rows = sums(lost.reset_index(drop=True), "closed_date", ["deals_lost", "cents"], ["loss_reason"])
    rows["lost_amount"] = [money(cents) for cents in rows.pop("cents")]
    rows["share"] = rows["deals_lost"] / rows.groupby(KEYS, dropna=False)["deals_lost"].transform("sum")
    rows = rows.sort_values(["deals_lost", "loss_reason"], ascending=[False, True], kind="stable")
    rows["rank"] = rows.groupby(KEYS, dropna=False).cumcount() + 1
    return rows.sort_index()


def crm_completeness(facts: Facts) -> pd.DataFrame:
    """kpi_crm_completeness."""
    frame = records(facts, cells(facts))
    weight, filled = _numbers(frame, "weight"), _numbers(frame, "filled_weight")
    complete, unique, timely = _flags(frame, "is_complete", "is_unique", "is_timely")
    has_person, has_limit = frame["is_unique"].notna().to_numpy(), frame["is_timely"].notna().to_numpy()
    counts = {name: frame[name].to_numpy(dtype=int) for name in ("cells", "valid", "checked")}

    def values(members: np.ndarray) -> dict[str, Any]:
        low, high = ratio_interval(filled[members], weight[members])
        return {
            "n": len(members),
            "cells": int(counts["cells"][members].sum()),
            "completeness": quotient(float(filled[members].sum()), float(weight[members].sum())),
            "completeness_low": low,
            "completeness_high": high,
            "complete_records": int(complete[members].sum()),
            "validity_rate": quotient(int(counts["valid"][members].sum()), int(counts["checked"][members].sum())),
            "uniqueness_rate": quotient(int(unique[members].sum()), int(has_person[members].sum())),
            "timeliness_rate": quotient(int(timely[members].sum()), int(has_limit[members].sum())),
        }

    rows = rollup(frame, "created_date", values)
    rows = _with_shares(rows, {"complete_record_rate": ("complete_records", "n", "low", "high")})
    return rows.assign(is_low_n=rows["n"] < LOW_N)


def crm_completeness_by_field(facts: Facts) -> pd.DataFrame:
    """kpi_crm_completeness_by_field."""
    frame = cells(facts)
    weights = {
        (stage.key, name): weight for stage in facts.book.settings.stages for name, weight in stage.required.items()
    }
    frame = frame.assign(n=1, filled=frame["is_filled"].astype(int))
    rows = sums(frame, "created_date", ["n", "filled"], ["object", "stage", "field"])
    rows = _with_shares(rows, {"completeness": ("filled", "n", "low", "high")})
    rows["weight"] = [weights[key] for key in zip(rows["stage"], rows["field"], strict=True)]
    return rows.assign(is_low_n=rows["n"] < LOW_N)


def satisfaction(facts: Facts) -> pd.DataFrame:
    """kpi_satisfaction."""
    frame = facts.answers
    points, (satisfied,) = _numbers(frame, "points"), _flags(frame, "satisfied")
    rated = frame["satisfied"].notna().to_numpy()

    def values(members: np.ndarray) -> dict[str, Any]:
        known = _known(points, members)
        low, high = points_interval(known)
        return {
            "responses": len(members),
            "nps_n": len(known),
            "nps": float(known.mean()) if len(known) else None,
            "nps_low": low,
            "nps_high": high,
            "csat_n": int(rated[members].sum()),
            "satisfied": int(satisfied[members].sum()),
        }

    rows = rollup(frame, "submitted_date", values)
    rows = _with_shares(rows, {"csat": ("satisfied", "csat_n", "csat_low", "csat_high")})
    return rows.assign(is_low_n=rows["csat_n"] < LOW_N, is_low_nps_n=rows["nps_n"] < LOW_N)


def pipeline(facts: Facts) -> pd.DataFrame:
    """kpi_pipeline: no periods."""
    entered: Counter[str] = Counter()
    won: Counter[str] = Counter()
    for case in facts.journeys.cases:
        for stage in {entry.stage for entry in case.entries} if not case.is_open else ():
            entered[stage] += 1
            won[stage] += case.state == "won"
    frame = facts.open_deals
    ages, cents, stages = _numbers(frame, "age_days"), _cents(frame), frame["stage"].to_numpy()

    def values(members: np.ndarray) -> dict[str, Any]:
        stage, total = next(iter(stages[members]), ""), int(cents[members].sum())
        return {
            "deals": len(members),
            "amount": money(total),
            "weighted_amount": money(total * Fraction(won[stage], entered[stage])) if entered[stage] else None,
            "median_age_days": percentile(_known(ages, members), 0.5),
        }

    return rollup(frame, None, values, keys=["stage"]).drop(columns=["period_grain", "period_start_date"])


def open_by_stage(facts: Facts) -> pd.DataFrame:
    """fct_open_case by stage and owner: cases, those with a next step, sums of the others that were there as long, of those won, of the days overdue."""
    frame = open_cases(facts)
    frame = frame.assign(
        cases=1,
        with_step=frame["next_step"].notna().astype(int),
        overdue=[0 if pd.isna(days) else int(days) for days in frame["days_overdue"]],
    )
    sums_of = ["cases", "with_step", "past_cases", "past_won", "overdue"]
    rows = frame.groupby(["stage", "rep"], dropna=False)[sums_of].sum().astype(int).reset_index()
    return rows.assign(rep=rows["rep"].astype(object).where(rows["rep"].notna(), None))


def pipeline_waterfall(facts: Facts) -> pd.DataFrame:
    """kpi_pipeline_waterfall."""
    frame = changes(facts)
    came, went = frame["cents_in"].to_numpy(dtype=np.int64), frame["cents_out"].to_numpy(dtype=np.int64)
    parts = {name: (frame["came"] == name, came) for name in ("start", "new", "reopened", "pulled_in")}
    parts |= {name: (frame["went"] == name, went) for name in ("pushed_out", "won", "lost", "removed", "end")}
    parts |= {"increased": (pd.Series(went > came), went - came), "decreased": (pd.Series(went < came), came - went)}
    columns = {
        f"{name}_{what}": values
        for name, (is_so, cents) in parts.items()
        for what, values in (("deals", is_so.astype(int).to_numpy()), ("cents", cents * is_so.to_numpy()))
    }
    rows = sums(frame.assign(**columns), None, list(columns), ["grain", "period"])
    rows = rows.drop(columns=["period_grain", "period_start_date"]).rename(
        columns={"grain": "period_grain", "period": "period_start_date"}
    )
    for name in parts:
        rows[f"{name}_amount"] = [money(cents) for cents in rows.pop(f"{name}_cents")]
    return rows


def pipeline_daily(facts: Facts) -> pd.DataFrame:
    """fct_pipeline_daily by day, stage and owner: deals, amount, those with an expected close and the days to it, those whose expected close has passed."""
    frame = daily(facts)
    days = [row.expected - row.day if row.expected else None for row in frame.itertuples()]
    frame = frame.assign(
        deals=1,
        cents=_cents(frame),
        dated=[int(one is not None) for one in days],
        days_to_close=[one.days if one else 0 for one in days],
        overdue=[int(one is not None and one.days < 0) for one in days],
    )
    keys = {"pipeline_date": frame["day"], "stage": frame["stage"], "rep": frame["rep"]}
    rows = (
        frame.assign(**keys)
        .groupby(list(keys), dropna=False)[["deals", "cents", "dated", "days_to_close", "overdue"]]
        .sum()
    )
    rows = rows.reset_index()
    return rows.assign(
        amount=[money(cents) for cents in rows.pop("cents")],
        rep=rows["rep"].astype(object).where(rows["rep"].notna(), None),
    )


def ledger_kinds(facts: Facts) -> pd.DataFrame:
    """Moves of counted cases by kind: kind, moves."""
    return facts.visits.groupby("kind").size().rename("moves").reset_index()


def reconciliation(facts: Facts) -> pd.DataFrame:
    """kpi_reconciliation of one first load: where the CRM no longer has what was merged away, it is not received."""
    rows: Counter[tuple[str, str]] = Counter()
    for entity, found in (("lead", facts.book.leads), ("deal", facts.book.deals)):
        for record in found.values():
            if record.reason != "merged" or facts.dialect.keeps_merged:
                rows[entity, record.reason or "counted"] += 1
                rows[entity, "received"] += 1
    # the company sells in its own currency, and no amount is below zero
    for deal in facts.book.deals.values():
        if deal.counts and deal.cents is not None:
            rows["deal_amount", "received"] += 1
            rows["deal_amount", "counted"] += 1
    return pd.DataFrame([(*key, count) for key, count in sorted(rows.items())], columns=["entity", "reason", "records"])


BY_NAME: dict[str, Callable[[Facts], pd.DataFrame]] = {
    "kpi_volume": volume,
    "kpi_speed_to_lead": speed_to_lead,
    "kpi_stage_conversion": stage_conversion,
    "kpi_overall_conversion": overall_conversion,
    "kpi_sales_cycle": sales_cycle,
    "kpi_win_loss": win_loss,
    "kpi_loss_reasons": loss_reasons,
    "kpi_crm_completeness": crm_completeness,
    "kpi_crm_completeness_by_field": crm_completeness_by_field,
    "kpi_satisfaction": satisfaction,
    "kpi_value": kpi_values,
    "kpi_pipeline": pipeline,
    "fct_open_case": open_by_stage,
    "kpi_pipeline_waterfall": pipeline_waterfall,
    "fct_pipeline_daily": pipeline_daily,
    "kpi_process_edges": process_edges,
    "kpi_process_variants": process_variants,
    "kpi_reconciliation": reconciliation,
    "ledger_kinds": ledger_kinds,
}
