"""What of a company's log looks different in each CRM: the names of stages, and what it shows at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from demo.truth.records import Lead, Record


@dataclass(frozen=True)
class Dialect:
    """``lead`` and ``deal``: stage key → what the CRM calls it. ``keeps_merged``: it still gives records that were merged away.
    ``has_owner_history``: it tells since when somebody owns a lead.
    """

    lead: Mapping[str, str]
    deal: Mapping[str, str]
    keeps_merged: bool = False
    has_owner_history: bool = True

    def activity(self, record: Record, stage: str) -> str:
        """The step of the process map that entering ``stage`` is."""
        return (self.lead if isinstance(record, Lead) else self.deal).get(stage, stage)


# docs/demo.md
HUBSPOT = Dialect(
    lead={"inquiry": "NEW", "qualification": "OPEN", "disqualified": "UNQUALIFIED"},
    deal={
        "consultation_scheduled": "consultation_booked",
        "consultation_held": "consultation_done",
        "proposal": "quote_sent",
        "won": "closedwon",
        "lost": "closedlost",
        "disqualified": "closed_disqualified",
    },
)
