"""What to look at: a few sentences computed from the report's own rows. No number is made here that the report does not show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from reporting.content import LEAST_N, Report, Row, by
from salesgauge.numbers import count, day, days, kpi_name, money, month, n_of, share, span, value_of

MOST = 5
_STALE = timedelta(hours=36)


@dataclass(frozen=True)
class Finding:
    """``title`` says what it is about in a few words, ``text`` is the sentence with its numbers."""

    title: str
    text: str


def findings(report: Report) -> list[Finding]:
    """The sentences, the most urgent first; at most five. Empty where there is nothing to compare."""
    finders = (_worse, _farthest_from_target, _open_months, _bias, _completeness, _stuck, _stale, _met)
    found: list[Finding] = []
    for finder in finders:
        found += list(finder(report))
    return found[:MOST]


def kpi_title(row: Row, report: Report) -> str:
    """A scorecard row's name, with its stages where it has them."""
    if not row["from_stage"]:
        return kpi_name(row["kpi"])
    stages: list[str] = [row[end] for end in ("from_stage", "to_stage") if row[end]]
    return " → ".join(report.labels.get(stage, stage) for stage in stages)


def before_words(row: Row) -> str:
    """What the baseline of a scorecard row is."""
    return "a year before" if row["is_season_matched"] else "before the change"


def _gap(row: Row) -> float | None:
    """How far the current value is from its target, as a share of the target; None where it is met or unknown."""
    if row["status"] == "met" or row["current_value"] is None or not row["target"]:
        return None
    gap = (row["target"] - row["current_value"]) / abs(row["target"])
    gap = -gap if row["direction"] == "down" else gap
    return gap if gap > 0 else None


def _now(row: Row, report: Report) -> str:
    unit, currency = row["unit"], report.currency
    details = f"{n_of(row['current_n'])}"
    if row["current_low"] is not None and row["current_high"] is not None:
        details = f"95 % interval {span(row['current_low'], row['current_high'], unit, currency)}, {details}"
    return f"{value_of(row['current_value'], unit, currency)} ({details})"


def _worse(report: Report) -> Iterator[Finding]:
    rows = [row for row in report.scorecard.rows if row["status"] == "worse" and not row["is_low_n"]]
    for row in rows[:1]:
        before = value_of(row["baseline"], row["unit"], report.currency)
        yield Finding(
            f"{kpi_title(row, report)} got worse",
            f"It is {_now(row, report)} in the last 13 weeks, {before} {before_words(row)}; the difference is larger than chance.",
        )


def _farthest_from_target(report: Report) -> Iterator[Finding]:
    rows = [row for row in report.scorecard.rows if not row["is_low_n"] and row["status"] != "worse"]
    for row in by(rows, _gap)[-1:]:
        yield Finding(
            f"{kpi_title(row, report)} is farthest from its target",
            f"It is {_now(row, report)}; the target is {value_of(row['target'], row['unit'], report.currency)}{_was(row, report)}.",
        )


def _was(row: Row, report: Report) -> str:
    if row["baseline"] is None:
        return ""
    return f", and it was {value_of(row['baseline'], row['unit'], report.currency)} {before_words(row)}"


def _open_months(report: Report) -> Iterator[Finding]:
    """The running month and the next one: forecast, interval, what is won so far, the year before."""
    won = {row["month"]: row["actual_amount"] for row in report.months.rows}
    rows = [row for row in report.months.rows if not row["is_over"] and row["forecast_amount"] is not None][:2]
    parts = []
    for row in rows:
        notes = []
        if row["low_amount"] is not None:
            notes.append(f"80 % interval {span(row['low_amount'], row['high_amount'], 'money', report.currency)}")
        if row["actual_amount"]:
            notes.append(f"{money(row['actual_amount'], report.currency)} won so far")
        if year_before := won.get(row["month"].replace(year=row["month"].year - 1)):
            notes.append(f"a year before {money(year_before, report.currency)}")
        details = f" ({'; '.join(notes)})" if notes else ""
        parts.append(f"{month(row['month'])}: {money(row['forecast_amount'], report.currency)}{details}")
    if parts:
        yield Finding("Forecast of the open months", f"{'. '.join(parts)}. Locked on {day(rows[0]['lock_date'])}.")


def _bias(report: Report) -> Iterator[Finding]:
    rows = [row for row in report.horizons.rows if not row["is_low_n"]]
    for row in by(rows, lambda row: None if row["bias"] is None else abs(row["bias"]))[-1:]:
        direction = "too high" if row["bias"] > 0 else "too low"
        yield Finding(
            "Largest forecast bias",
            f"Forecasts made {row['horizon_bucket'].replace('-', '–')} days ahead were {share(abs(row['bias']))} {direction} over all "
            f"(WAPE {share(row['wape'])}, {n_of(row['n'])} forecasts).",
        )


def _completeness(report: Report) -> Iterator[Finding]:
    for row in [row for row in report.completeness.rows if not row["is_low_n"]][:1]:
        whole = report.completeness_total
        company = f"; the whole company is at {share(whole['completeness'])} ({n_of(whole['n'])})" if whole else ""
        yield Finding(
            "Lowest CRM completeness",
            f"{row['segment']} has {share(row['completeness'])} of the required fields filled ({n_of(row['n'])} records){company}.",
        )


def _stuck(report: Report) -> Iterator[Finding]:
    rows = [
        row
        for row in report.pipeline.rows
        if row["median_age_days"]
        and row["deals"] >= LEAST_N
        and row["median_age_days"] > report.stage_limits.get(row["stage"], float("inf"))
    ]
    for row in by(rows, lambda row: row["amount"])[-1:]:
        amount = f" ({money(row['amount'], report.currency)})" if row["amount"] else ""
        yield Finding(
            f"Deals wait in {report.labels.get(row['stage'], row['stage'])}",
            f"Half of the {count(row['deals'])} open deals there{amount} have been waiting for "
            f"{days(row['median_age_days'])} or longer; the limit is {days(report.stage_limits[row['stage']])}.",
        )


def _stale(report: Report) -> Iterator[Finding]:
    for row in report.loads.rows:
        if report.as_of - row["loaded_at"] > _STALE:
            yield Finding(f"{row['source']} is not fresh", f"Its newest data were loaded on {day(row['loaded_at'])}.")
            return


def _met(report: Report) -> Iterator[Finding]:
    rows = [row for row in report.scorecard.rows if row["status"] == "met" and not row["is_low_n"]]
    for row in rows[:1]:
        yield Finding(
            f"{kpi_title(row, report)} meets its target",
            f"It is {_now(row, report)}; the target is {value_of(row['target'], row['unit'], report.currency)}.",
        )
