"""Random companies as files: leads, deals with a few dates and a present stage, calls. What must hold of them belongs to the tests."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from salesgauge.settings import Company

PROCESS = """
company:
  name: Random
  currency: USD
  timezone: America/Chicago
  branches:
    main: {open: {mon-fri: "08:00-17:00"}}
    west: {timezone: America/Denver}
process:
  versions: [{key: baseline, effective_from: 2024-01-01}, {key: new, effective_from: 2026-02-01}]
  stages:
    - {key: inquiry, object: lead, limits: {first_touch_minutes: 15}, required: {phone: 2, channel: 1}}
    - {key: qualified, object: lead}
    - {key: proposal, object: deal, required: {amount: 1}}
    - {key: negotiation, object: deal}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
"""
SOURCE = """
files:
  - path: leads*.csv
    entity: leads
    key: id
    columns: {created_at: created, status: status, phone: phone, channel: channel, branch: branch, owner: owner}
    dates: {format: iso8601, timezone: America/Chicago}
  - path: deals*.csv
    entity: deals
    key: id
    columns: {lead: lead, amount: amount, created_at: created, updated_at: changed, channel: channel, branch: branch, owner: owner}
    dates: {format: iso8601, timezone: America/Chicago}
    stages:
      current: {column: stage, map: {Proposal: proposal, Negotiation: negotiation, Won: won, Lost: lost}}
      entered: {proposal: created, negotiation: negotiated, won: closed, lost: closed}
  - path: calls*.csv
    entity: activities
    key: id
    columns: {type: type, direction: direction, outcome: outcome, at: at, lead: lead, user: owner}
    dates: {format: iso8601, timezone: America/Chicago}
"""
START = datetime(2026, 1, 5)
Row = dict[str, Any]


@dataclass(frozen=True)
class Files:
    """The rows of each kind of file; ``parts``: into how many files the rows of a kind are split."""

    leads: Sequence[Row]
    deals: Sequence[Row]
    calls: Sequence[Row]
    parts: int = 1
    again: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    def of_days(self) -> Files:
        """The same without any time of day."""
        leads, deals, calls = ([_day(row) for row in rows] for rows in (self.leads, self.deals, self.calls))
        return replace(self, leads=leads, deals=deals, calls=calls)

    def write(self, root: Path) -> Company:
        """A company directory with these files."""
        for folder in (root / ".dlt", root / "sources", root / "data"):
            folder.mkdir(parents=True, exist_ok=True)
        (root / ".dlt" / "config.toml").write_text("", encoding="utf-8")
        (root / "process.yml").write_text(PROCESS, encoding="utf-8")
        (root / "sources" / "crm.yml").write_text(SOURCE, encoding="utf-8")
        for kind in ("leads", "deals", "calls"):
            rows = list(getattr(self, kind))
            header = HEADERS[kind]
            for part in range(self.parts):
                _csv(root / "data" / f"{kind}_{part + 1}.csv", header, rows[part :: self.parts])
            if kind in self.again:
                _csv(root / "data" / f"{kind}_again.csv", header, self.again[kind])
        return Company.open(root, {})


HEADERS = {
    "leads": ("id", "created", "status", "phone", "channel", "branch", "owner"),
    "deals": (
        "id",
        "lead",
        "amount",
        "stage",
        "created",
        "negotiated",
        "closed",
        "changed",
        "channel",
        "branch",
        "owner",
    ),
    "calls": ("id", "type", "direction", "outcome", "at", "lead", "owner"),
}


def _csv(path: Path, header: Iterable[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(header))
        writer.writeheader()
        writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return "" if value is None else str(value)


def _day(row: Row) -> Row:
    return {name: value.date().isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


# A minute of a working day, never midnight: only then it is a day.
_MOMENTS = st.builds(
    lambda day, minute: START + timedelta(days=day, minutes=minute), st.integers(0, 60), st.integers(8 * 60, 17 * 60)
)
_LATER = st.integers(0, 20 * 24 * 60)
_CHANNELS = st.sampled_from(["paid_search", "referral", None])
_BRANCHES = st.sampled_from(["main", "west", None])
_OWNERS = st.sampled_from(["ann", "bob", None])


@st.composite
def files(draw: st.DrawFn) -> Files:
    """Up to a dozen leads, with up to a deal and a call each; every deal has a lead, and moves on in the order of the process."""
    leads: list[Row] = []
    deals: list[Row] = []
    calls: list[Row] = []
    for number in range(draw(st.integers(3, 12))):
        created = draw(_MOMENTS)
        shared = {"channel": draw(_CHANNELS), "branch": draw(_BRANCHES), "owner": draw(_OWNERS)}
        leads.append(
            {"id": number, "created": created, "status": draw(st.sampled_from(["inquiry", "qualified", None])), "phone": f"312555{number:04}", **shared}
        )  # fmt: skip
        if draw(st.booleans()):
            calls.append(
                {"id": number, "type": "call", "direction": "outbound", "outcome": draw(st.sampled_from(["answered", "no_answer"])),
                 "at": created + timedelta(minutes=draw(st.integers(1, 3000))), "lead": number, "owner": shared["owner"]}
            )  # fmt: skip
        if not draw(st.booleans()):
            continue
        began = created + timedelta(minutes=draw(_LATER))
        stage = draw(st.sampled_from(["Proposal", "Negotiation", "Won", "Lost"]))
        negotiated = began + timedelta(minutes=draw(_LATER)) if stage != "Proposal" and draw(st.booleans()) else None
        closed = (
            (negotiated or began) + timedelta(minutes=draw(_LATER))
            if stage in ("Won", "Lost") and draw(st.booleans())
            else None
        )
        # deals and leads are numbered each for themselves
        deals.append(
            {"id": len(deals), "lead": number, "amount": draw(st.integers(0, 9999)), "stage": stage, "created": began, "negotiated": negotiated,
             "closed": closed, "changed": None, **shared}
        )  # fmt: skip
    return Files(leads, deals, calls)
