"""Collects what the simulation does and turns it into a ``CompanyLog``'s events: order, ids, nothing after ``as_of``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from demo.log import EVENT_COLUMNS
from demo.simulation.clock import from_ms

FIRST_LEAD_ID = 20_501
FIRST_DEAL_ID = 9_001  # ids get a fifth digit on the way: their order as text is not their order in time
FIRST_ACTIVITY_ID = 400_001

Row = list  # [ms, kind, lead, deal, rep_id, data]; leads, deals and activities are numbers until the log is closed


class Recorder:
    """Events as they come, in any order. ``lead``, ``deal`` and ``activity`` numbers are replaced by ids in the order of creation."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._leads = self._deals = self._activities = 0

    def new_lead(self) -> int:
        """A number for a lead."""
        self._leads += 1
        return self._leads

    def new_deal(self) -> int:
        """A number for a deal."""
        self._deals += 1
        return self._deals

    def add(self, ms: float, kind: str, lead: int | None, deal: int | None, rep: str | None, **data: Any) -> None:
        """Note an event. Its place among the events of the same millisecond is the order of the calls."""
        self.rows.append([int(ms), kind, lead, deal, rep, data])

    def activity(self, ms: float, kind: str, lead: int | None, deal: int | None, rep: str | None, **data: Any) -> int:
        """Note an activity; returns its number."""
        self._activities += 1
        self.add(ms, kind, lead, deal, rep, activity_id=self._activities, **data)
        return self._activities

    def in_order(self) -> list[Row]:
        """The rows by time; those of one millisecond in the order of the calls."""
        return sorted(self.rows, key=lambda row: row[0])


def close(rows: list[Row], as_of_ms: int) -> pd.DataFrame:
    """The events of ``rows`` (in order) up to ``as_of_ms`` as the log's data frame.

    What belongs to a lead or deal that was not created by then is left out (the call before a lead, for one).
    """
    rows = [row for row in rows if row[0] <= as_of_ms]
    leads = _ids(rows, "lead_created", 2, FIRST_LEAD_ID)
    rows = [row for row in rows if row[2] is None or row[2] in leads]
    deals = _ids(rows, "deal_created", 3, FIRST_DEAL_ID)
    rows = [row for row in rows if row[3] is None or row[3] in deals]
    activities: dict[int, str] = {}
    for row in rows:
        data = row[5]
        if "activity_id" in data:
            known = activities.setdefault(data["activity_id"], str(FIRST_ACTIVITY_ID + len(activities)))
            row[5] = {**data, "activity_id": known}
        if kind_has_time := next((key for key in ("starts_at", "due_at") if key in data), None):
            row[5] = {**row[5], kind_has_time: from_ms(data[kind_has_time])}
        if "into" in data:
            row[5] = {"into": (leads if row[1] == "lead_merged" else deals)[data["into"]]}
    frame = pd.DataFrame(
        {
            "seq": np.arange(len(rows)),
            "at": pd.to_datetime(np.array([row[0] for row in rows], dtype="int64"), unit="ms").astype("datetime64[ns]"),
            "kind": [row[1] for row in rows],
            "lead_id": pd.Series([None if row[2] is None else leads[row[2]] for row in rows], dtype=object),
            "deal_id": pd.Series([None if row[3] is None else deals[row[3]] for row in rows], dtype=object),
            "rep_id": pd.Series([row[4] for row in rows], dtype=object),
            "data": pd.Series([row[5] for row in rows], dtype=object),
        }
    )
    return frame[list(EVENT_COLUMNS)]


def _ids(rows: list[Row], kind: str, column: int, first: int) -> dict[int, str]:
    numbers = [row[column] for row in rows if row[1] == kind]
    return {number: str(first + index) for index, number in enumerate(numbers)}
