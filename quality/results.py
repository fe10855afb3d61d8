"""What the audit is told and what it answers: plain values, safe to log, to pickle and to publish. No logic of the gate belongs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warn"]
Origin = Literal["gx", "dbt", "gate"]


@dataclass(frozen=True)
class DbtTestResult:
    """The outcome of one dbt data test, or of a model that could not be built.

    ``status`` is dbt's word: pass, warn, fail, error, skipped. ``severity`` is what the project gave the test: error or warn.
    ``rule`` says in words what is tested, ``sql`` finds the rows that break it (both empty where nothing is known).
    """

    name: str
    table: str
    status: str
    failures: int
    severity: str
    message: str
    rule: str = ""
    sql: str = ""

    @classmethod
    def of(cls, result: DbtTestResult | Mapping[str, Any] | Any) -> DbtTestResult:
        """``result`` as one of these, whether it is one, a mapping or any object with the same attributes."""
        if isinstance(result, cls):
            return result
        values = (
            dict(result)
            if isinstance(result, Mapping)
            else {name: getattr(result, name, "") for name in cls.__dataclass_fields__}
        )
        return cls(
            name=str(values["name"]),
            table=str(values["table"]),
            status=str(values["status"]).lower(),
            failures=int(values.get("failures") or 0),
            severity=str(values.get("severity") or "error").lower(),
            message=str(values.get("message") or ""),
            rule=str(values.get("rule") or ""),
            sql=str(values.get("sql") or ""),
        )


@dataclass(frozen=True)
class Check:
    """One check of one table. ``examples`` are masked keys, never values; ``failing_rows`` is None where rows are not what is counted."""

    origin: Origin
    suite: str
    name: str
    table: str
    severity: Severity
    passed: bool
    observed: str
    expected: str
    rows: int | None = None
    failing_rows: int | None = None
    examples: tuple[str, ...] = ()
    action: str = ""


@dataclass(frozen=True)
class Failure:
    """Why nothing is published: what is wrong, where, in how many rows, and what to do."""

    what: str
    where: str
    count: int | None
    action: str

    def __str__(self) -> str:
        said = self.count is None or f"{self.count:,} of" in self.what
        rows = "" if said else f" ({self.count:,} {'row' if self.count == 1 else 'rows'})"
        return f"{self.where}: {self.what}{rows}. {self.action}"


@dataclass(frozen=True)
class AuditOutcome:
    """The verdict on a working warehouse. ``scores`` are shares of 0–1 by dimension (None: nothing to score).

    ``volumes`` is ``{source: {entity: counted records}}``, what the next audit compares with.
    """

    passed: bool
    failures: tuple[Failure, ...] = ()
    checks: tuple[Check, ...] = ()
    scores: dict[str, float | None] = field(default_factory=dict)
    volumes: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """Checks that did not pass and don't stop publishing."""
        return tuple(check for check in self.checks if not check.passed and check.severity == "warn")
