"""What the truth needs to know of ``process.yml``, read with a reader of its own. Nothing of the log belongs here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from demo.truth.conditions import Condition, read_condition

PLACEHOLDERS = (
    "n/a", "na", "none", "null", "unknown", "unk", "tbd", "test", "select", "-", "--", ".", "?", "x", "xx", "xxx", "asdf", "0",
)  # fmt: skip
# Said here again, not read from the declarations: the truth shares nothing with what it judges. A test compares both.
LOWER_IS_BETTER = {
    "form_abandonment_rate",
    "no_next_step_rate",
    "touches_to_contact_median",
    "touches_to_close_median",
    "slipped_deal_rate",
    "slipped_amount",
    "pushed_deal_rate",
    "push_days_median",
    "speed_to_lead_median_minutes",
    "speed_to_lead_p90_minutes",
    "speed_to_lead_never_contacted_rate",
    "sales_cycle_days_mean",
    "sales_cycle_days_median",
    "sales_cycle_days_p90",
    "first_touch_cycle_days_median",
    "lead_cycle_days_median",
    "call_abandoned_rate",
    "call_abandoned_rate_all_hours",
    "call_missed_rate",
    "call_missed_rate_all_hours",
    "calls_ended_early",
    "lead_calls_reclassified",
    "answer_seconds_mean",
    "answer_seconds_p90",
    "appointment_no_show_rate",
    "appointment_cancel_rate",
    "unsold_estimates",
    "unsold_estimates_amount",
    "unsold_estimates_age_days",
    "days_to_invoice_median",
    "days_to_pay_median",
    "deals_lost",
    "lost_amount",
    "forecast_wape",
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Stage:
    """A stage in its order; ``required``: field → weight."""

    key: str
    order: int
    kind: str
    object: str
    required: dict[str, float]
    first_touch_minutes: float | None
    days_in_stage: float | None
    cadence_days: tuple[int, ...]


@dataclass(frozen=True)
class Branch:
    """``week``: ISO weekday → (minute it opens, minute it closes)."""

    zone: ZoneInfo
    week: dict[int, tuple[int, int]]
    holidays: frozenset[date]


@dataclass(frozen=True)
class Target:
    """A target of the scorecard."""

    kpi: str
    from_stage: str | None
    to_stage: str | None
    segment_type: str
    segment: str
    before: float | None
    target: float
    direction: str
    effective_from: date | None


@dataclass(frozen=True)
class Settings:
    """The process as plain values. ``versions``: (key, effective from), in order."""

    zone: ZoneInfo
    branches: dict[str, Branch]
    stages: tuple[Stage, ...]
    versions: tuple[tuple[str, date], ...]
    exclusions: tuple[tuple[str, Condition], ...]
    qualification: tuple[Condition, ...]
    qualified_after: str | None
    placeholders: frozenset[str]
    targets: tuple[Target, ...]

    def zone_of(self, branch: str | None) -> ZoneInfo:
        """The zone of a branch; the company's where there is no such branch."""
        return self.branches[branch].zone if branch in self.branches else self.zone

    def version_on(self, day: date | None) -> str | None:
        """The process version in force on ``day``."""
        if day is None:
            return None
        return next((key for key, start in reversed(self.versions) if start <= day), None)

    def version_span(self, key: str) -> tuple[date, date | None]:
        """First and last day of a version; None: still in force."""
        keys = [version for version, _ in self.versions]
        index = keys.index(key)
        following = self.versions[index + 1][1] - timedelta(days=1) if index + 1 < len(keys) else None
        return self.versions[index][1], following

    def stage(self, key: str) -> Stage:
        """The stage of that key."""
        return next(stage for stage in self.stages if stage.key == key)

    @property
    def open_stages(self) -> list[Stage]:
        """The stages of kind open, in order."""
        return [stage for stage in self.stages if stage.kind == "open"]

    def next_stage(self, key: str) -> str | None:
        """The next open stage; the won stage after the last one; None for a stage that is not open."""
        path = [stage.key for stage in self.stages if stage.kind == "open"]
        path += [stage.key for stage in self.stages if stage.kind == "won"]
        return path[path.index(key) + 1] if key in path[:-1] else None


def read_settings(path: Path) -> Settings:
    """``process.yml`` as plain values. It is taken to be valid: the warehouse checks it."""
    document: dict[str, Any] = YAML(typ="safe").load(path)
    company, process = document["company"], document["process"]
    zone = ZoneInfo(company["timezone"])
    return Settings(
        zone=zone,
        branches={
            key: Branch(
                zone=ZoneInfo(branch["timezone"]) if branch.get("timezone") else zone,
                week=_week(branch.get("open") or {}),
                holidays=frozenset(company.get("holidays") or []) | frozenset(branch.get("holidays") or []),
            )
            for key, branch in (company.get("branches") or {}).items()
        },
        stages=tuple(_stage(order, stage) for order, stage in enumerate(process["stages"], start=1)),
        versions=tuple((version["key"], version["effective_from"]) for version in process["versions"]),
        exclusions=tuple((reason, read_condition(text)) for reason, text in (document.get("exclusions") or {}).items()),
        qualification=tuple(
            read_condition(text) for text in (document.get("qualification") or {}).get("met", {}).values()
        ),
        qualified_after=(document.get("qualification") or {}).get("after"),
        placeholders=frozenset(str(value).strip().lower() for value in document.get("placeholders") or PLACEHOLDERS),
        targets=tuple(_target(target) for target in document.get("targets") or []),
    )


def _stage(order: int, stage: dict[str, Any]) -> Stage:
    limits = stage.get("limits") or {}
    return Stage(
        key=stage["key"],
        order=order,
        kind=stage.get("kind", "open"),
        object=stage.get("object", "deal"),
        required={field: float(weight) for field, weight in (stage.get("required") or {}).items()},
        first_touch_minutes=limits.get("first_touch_minutes"),
        days_in_stage=limits.get("days_in_stage"),
        cadence_days=tuple(limits.get("cadence_days") or ()),
    )


def _target(target: dict[str, Any]) -> Target:
    return Target(
        kpi=target["kpi"],
        from_stage=target.get("from"),
        to_stage=target.get("to"),
        segment_type=target.get("segment_type") or "total",
        segment=target.get("segment") or "total",
        before=target.get("before"),
        target=float(target["target"]),
        direction=target.get("direction") or ("down" if target["kpi"] in LOWER_IS_BETTER else "up"),
        effective_from=target.get("effective_from"),
    )


def _week(spec: dict[str, str]) -> dict[int, tuple[int, int]]:
    week = {}
    for days, hours in spec.items():
        first, _, last = days.partition("-")
        opens, closes = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
        for day in range(_WEEKDAYS.index(first), _WEEKDAYS.index(last or first) + 1):
            week[day + 1] = (opens, closes)
    return week
