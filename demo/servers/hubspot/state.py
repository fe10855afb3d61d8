"""What HubSpot would hold of the company: records with property values and histories, links, owners, pipelines.

A pure function of the ``CompanyLog`` (``docs/demo.md`` has the table of properties). HTTP belongs to ``hubspot``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import pandas as pd

from demo.log import CompanyLog, to_ms
from demo.servers.hubspot.extras import EXTRA_TYPES, add_extras, lead_pipelines

LEAD_STATUS = {"inquiry": "NEW", "qualification": "OPEN", "disqualified": "UNQUALIFIED"}
DEAL_STAGES = {  # stage key -> id, label, probability, is closed
    "consultation_scheduled": ("consultation_booked", "Consultation booked", "0.2", "false"),
    "consultation_held": ("consultation_done", "Consultation done", "0.4", "false"),
    "proposal": ("quote_sent", "Quote sent", "0.6", "false"),
    "won": ("closedwon", "Closed won", "1.0", "true"),
    "lost": ("closedlost", "Closed lost", "0.0", "true"),
    "disqualified": ("closed_disqualified", "Disqualified", "0.0", "true"),
}
STAGE_ID = {key: row[0] for key, row in DEAL_STAGES.items()}
CREATED_BY = {"form": "FORMS", "call": "CALLS", "chat": "CHAT", "rep": "CRM_UI"}
LEAD_PROPERTY = {
    "first_name": "firstname",
    "last_name": "lastname",
    "email": "email",
    "phone": "phone",
    "postcode": "zip",
    "branch": "branch",
    "channel": "lead_channel",
    "campaign": "campaign",
    "service_line": "service_line",
    "job_type": "job_type",
    "customer_type": "customer_type",
    "is_test": "is_test",
    "company": "company",
}
DEAL_FIELDS = (
    "branch", "service_line", "job_type", "budget_band", "is_decision_maker", "need", "wanted_by", "next_step", "loss_reason",
)  # fmt: skip
HISTORY = {
    "contacts": ("hs_lead_status", "hubspot_owner_id", "lifecyclestage"),
    "deals": ("dealstage", "pipeline", "amount", "closedate", "hubspot_owner_id"),
    "leads": ("hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id"),
    "quotes": ("hs_status",),
}
MODIFIED = {"contacts": "lastmodifieddate"}  # all others: hs_lastmodifieddate
OBJECT_TYPES = ("contacts", "companies", "deals", "calls", "emails", "meetings", "tasks", *EXTRA_TYPES)
FIRST_MINTED_ID = 900_000_001
CALL_STATUS = {"answered": "COMPLETED", "missed": "MISSED", "no_answer": "NO_ANSWER", "busy": "BUSY"}
DISPOSITION = {
    "answered": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
}
MEETING_OUTCOME = {"held": "COMPLETED", "no_show": "NO_SHOW", "canceled": "CANCELED"}
ACTIVITY_TYPE = {"call": "calls", "email": "emails", "meeting_set": "meetings", "task": "tasks"}
FIRST_COMPANY_ID = 7_001


def timestamp(moment: datetime) -> str:
    """A UTC moment as HubSpot writes it."""
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def text(value: Any) -> str | None:
    """A property value: text or null; never a number or boolean."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


@dataclass
class Record:
    """One CRM record. ``history``: property → entries, oldest first; the server shows them newest first."""

    id: str
    kind: str
    created: datetime
    updated: datetime
    properties: dict[str, str | None]
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    archived_at: datetime | None = None

    def set(self, name: str, value: str | None, at: datetime, source: dict[str, Any]) -> None:
        """Set a property, noting it in its history where it has one. A value that is cleared is the empty string."""
        shown = "" if value is None and self.properties.get(name) is not None else value
        self.properties[name] = shown
        if name in HISTORY.get(self.kind, ()) and shown is not None:
            self.history.setdefault(name, []).append({"value": shown, "timestamp": timestamp(at), **source})
        self.updated = at

    def seal(self) -> None:
        """Write the dates and the id into the properties."""
        created = "createdate" if self.kind in ("contacts", "companies", "deals") else "hs_createdate"
        modified = MODIFIED.get(self.kind, "hs_lastmodifieddate")
        self.properties |= {
            "hs_object_id": self.id,
            created: timestamp(self.created),
            modified: timestamp(self.updated),
        }


class HubSpotState:
    """All records of the account by type and id, without those that were merged away.

    ``mint``: a merge makes a new record and retires both, with the histories of both ("combined") or one that begins with the merge ("own"); it
    moves no modified date. None: one of the two records survives. ``has_extras``: with the objects of ``extras``.
    """

    def __init__(self, log: CompanyLog, *, mint: str | None = None, has_extras: bool = False) -> None:
        self.log, self.mint = log, mint
        self.as_of = log.as_of
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in OBJECT_TYPES}
        self._merged: dict[str, dict[str, str]] = {"contacts": {}, "deals": {}}
        self._count_minted = 0
        self._activities: dict[str, Record] = {}
        self._linked: dict[tuple[str, str], list[tuple[str, str]]] = {}
        moments = pd.DatetimeIndex(log.events["at"]).to_pydatetime()
        columns = (log.events[name] for name in ("kind", "lead_id", "deal_id", "rep_id", "data"))
        for at, kind, lead, deal, rep, data in zip(moments, *columns, strict=True):
            self._apply(at, kind, lead, deal, rep, data)
        if has_extras:
            add_extras(self)
        for records in self.records.values():
            for record in records.values():
                record.seal()
        self._describe_deals()

    # The events.

    def _apply(self, at: datetime, kind: str, lead: str | None, deal: str | None, rep: str | None, data: dict) -> None:
        source = {"sourceType": "CRM_UI", "sourceId": f"userId:{user_id(rep)}", "updatedByUserId": user_id(rep)} if rep else {
            "sourceType": "AUTOMATION_PLATFORM"
        }  # fmt: skip
        if kind in ACTIVITY_TYPE:
            if lead is None and deal is None:  # people log what belongs to a record
                return
            self._activity(at, kind, lead, deal, rep, data)
        elif kind == "meeting_outcome":
            self._activities[data["activity_id"]].set(
                "hs_meeting_outcome", MEETING_OUTCOME[data["outcome"]], at, source
            )
        elif kind == "task_done":
            record = self._activities[data["activity_id"]]
            record.set("hs_task_completion_date", timestamp(at), at, source)
            record.set("hs_task_status", "COMPLETED", at, source)
        elif kind.startswith("lead_"):
            self._lead(at, kind, lead, data, source)  # type: ignore[arg-type]  # such an event names its lead
        elif kind.startswith("deal_"):
            self._deal(at, kind, lead, deal, data, source)  # type: ignore[arg-type]  # such an event names its deal

    def _lead(self, at: datetime, kind: str, lead: str, data: dict, source: dict) -> None:
        contacts = self.records["contacts"]
        if kind == "lead_created":
            record = contacts[lead] = Record(
                lead, "contacts", at, at, {"hs_lead_status": None, "hubspot_owner_id": None}
            )
            record.properties["hs_object_source"] = CREATED_BY[data["created_by"]]
            for name, shown in LEAD_PROPERTY.items():
                record.properties[shown] = text(data.get(name))
            record.set("lifecyclestage", "lead", at, source)
            if data["owner"]:
                record.set("hubspot_owner_id", data["owner"], at, source)
            if data.get("company"):
                self._link_company(lead, data["company"], at)
            return
        record = contacts[self._survivor("contacts", lead)]
        if kind == "lead_owner":
            record.set("hubspot_owner_id", data["owner"], at, source)
        elif kind == "lead_stage":
            record.set("hs_lead_status", LEAD_STATUS[data["stage"]], at, source)
        elif kind == "lead_field":
            record.set(LEAD_PROPERTY[data["field"]], text(data["value"]), at, source)
        else:
            self._upkeep(at, kind.removeprefix("lead_"), "contacts", record, data)

    def _deal(self, at: datetime, kind: str, lead: str | None, deal: str, data: dict, source: dict) -> None:
        deals = self.records["deals"]
        if kind == "deal_created":
            record = deals[deal] = Record(deal, "deals", at, at, {"dealname": data["name"], "deal_currency_code": None})
            record.properties["hs_object_source"] = source["sourceType"]
            for name in DEAL_FIELDS:
                record.properties[name] = text(data.get(name))
            for name, value in (
                ("pipeline", data["pipeline"]), ("dealstage", STAGE_ID[data["stage"]]), ("hubspot_owner_id", data["owner"]),
                ("amount", self._amount(deal, data["amount"])), ("closedate", _closedate(data["expected_close_date"])),
            ):  # fmt: skip
                record.set(name, value, at, source)
            if lead is not None:
                self.link("deals", deal, "contacts", lead)
            return
        record = deals[self._survivor("deals", deal)]
        if kind == "deal_stage":
            record.set("dealstage", STAGE_ID[data["stage"]], at, source)
        elif kind == "deal_owner":
            record.set("hubspot_owner_id", data["owner"], at, source)
        elif kind == "deal_amount":
            record.set("amount", self._amount(deal, data["amount"]), at, source)
        elif kind == "deal_close_date":
            record.set("closedate", _closedate(data["expected_close_date"]), at, source)
        elif kind == "deal_field":
            record.set(data["field"], text(data["value"]), at, source)
        else:
            self._upkeep(at, kind.removeprefix("deal_"), "deals", record, data)

    def _upkeep(self, at: datetime, change: str, kind: str, record: Record, data: dict) -> None:
        if change == "archived":
            record.archived_at = at  # does not move the modified date
        elif change == "unarchived":
            record.archived_at, record.updated = None, at
        elif change == "merged":
            survivor = self.records[kind][self._survivor(kind, data["into"])]
            self.merge(kind, at, record, survivor)

    def merge(self, kind: str, at: datetime, record: Record, survivor: Record) -> Record:
        """Make one record of two; the one that they live on in."""
        retired = [record]
        if self.mint is not None:
            first = survivor
            survivor = self._minted(kind, at, record, first)
            retired = [first, record]
        for one in retired:
            self._merged[kind][one.id] = survivor.id
            gone = [*filter(None, (survivor.properties.get("hs_merged_object_ids") or "").split(";")), one.id]
            survivor.properties["hs_merged_object_ids"] = ";".join(gone)
            if kind == "contacts":
                vids = [*filter(None, (survivor.properties.get("hs_calculated_merged_vids") or "").split(";"))]
                survivor.properties["hs_calculated_merged_vids"] = ";".join([*vids, f"{one.id}:{to_ms(at)}"])
            del self.records[kind][one.id]
        if self.mint is None:
            survivor.updated = at
        return survivor

    def _minted(self, kind: str, at: datetime, record: Record, first: Record) -> Record:
        self._count_minted += 1
        minted = Record(str(FIRST_MINTED_ID + self._count_minted), kind, at, first.updated, dict(first.properties))
        for name in HISTORY.get(kind, ()):
            if self.mint == "combined":
                entries = [*record.history.get(name, ()), *first.history.get(name, ())]
                minted.history[name] = sorted(entries, key=lambda entry: entry["timestamp"])
            elif minted.properties.get(name) is not None:
                entry = {"value": minted.properties[name], "timestamp": timestamp(at), "sourceType": "MERGE_OBJECTS"}
                minted.history[name] = [entry]
        self.records[kind][minted.id] = minted
        return minted

    def _activity(
        self, at: datetime, kind: str, lead: str | None, deal: str | None, rep: str | None, data: dict
    ) -> None:
        object_type, one = ACTIVITY_TYPE[kind], data["activity_id"]
        properties: dict[str, str | None] = {
            "hubspot_owner_id": rep,
            "hs_timestamp": timestamp(at),
            "hs_object_source": "CRM_UI",
        }
        if kind == "call":
            properties |= {
                "hs_call_direction": data["direction"].upper(),
                "hs_call_status": CALL_STATUS[data["outcome"]],
                "hs_call_disposition": DISPOSITION.get(data["outcome"]),
                "hs_call_duration": str(round(data["duration_seconds"] * 1000)),
                "hs_call_title": f"{data['direction'].capitalize()} call",
            }
        elif kind == "email":
            is_inbound = data["direction"] == "inbound"
            properties |= {
                "hs_email_direction": "INCOMING_EMAIL" if is_inbound else "EMAIL",
                "hs_email_status": "SENT",
                "hs_email_subject": "Re: your inquiry",
            }
            if data["is_automated"] or is_inbound:
                properties["hs_object_source"] = "EMAIL_INTEGRATION" if is_inbound else "AUTOMATION_PLATFORM"
        elif kind == "meeting_set":
            starts = data["starts_at"]
            properties |= {
                "hs_timestamp": timestamp(starts),
                "hs_meeting_start_time": timestamp(starts),
                "hs_meeting_end_time": timestamp(starts + timedelta(hours=1)),
                "hs_meeting_outcome": "SCHEDULED",
                "hs_meeting_title": "Consultation",
                "hs_object_source": "CRM_UI" if data["by"] == "person" else "MEETINGS",
            }
        else:
            properties |= {
                "hs_timestamp": timestamp(data["due_at"]),
                "hs_task_status": "NOT_STARTED",
                "hs_task_type": "TODO",
                "hs_task_subject": "Follow up",
                "hs_task_completion_date": None,
            }
        record = Record(one, object_type, at, at, properties)
        self.records[object_type][one] = self._activities[one] = record
        if lead is not None:
            self.link(object_type, one, "contacts", lead)
        if deal is not None:
            self.link(object_type, one, "deals", deal)

    # Companies: one per name that a lead carries.

    def _link_company(self, lead: str, name: str, at: datetime) -> None:
        companies = self.records["companies"]
        known = next((one for one, record in companies.items() if record.properties["name"] == name), None)
        if known is None:
            known = str(FIRST_COMPANY_ID + len(companies))
            domain = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum()) + ".example"
            companies[known] = Record(
                known, "companies", at, at, {"name": name, "domain": domain, "industry": None, "city": None}
            )
        self.link("contacts", lead, "companies", known)

    # Links.

    def link(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """Link two records."""
        self._linked.setdefault((from_type, to_type), []).append((from_id, to_id))

    @cached_property
    def links(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """(from type, to type) → id → linked ids, both ways; what was merged away is replaced by its survivor.

        Archived records keep their links. A deal belongs to the company of its contact.
        """
        found: dict[tuple[str, str], dict[str, list[str]]] = {}
        pairs = dict(self._linked)
        company_of = dict(pairs.get(("contacts", "companies"), ()))
        pairs["deals", "companies"] = [
            (deal, company_of[lead]) for deal, lead in pairs.get(("deals", "contacts"), ()) if lead in company_of
        ]
        for (from_type, to_type), rows in pairs.items():
            there, back = found.setdefault((from_type, to_type), {}), found.setdefault((to_type, from_type), {})
            for from_id, to_id in rows:
                one, other = self._survivor(from_type, from_id), self._survivor(to_type, to_id)
                if other not in there.setdefault(one, []) and not (
                    from_type == "deals" and to_type == "contacts" and there[one]
                ):
                    there[one].append(other)
                    back.setdefault(other, []).append(one)
        return found

    def _survivor(self, kind: str, one: str) -> str:
        merged = self._merged.get(kind, {})
        while one in merged:
            one = merged[one]
        return one

    # What does not come from single events.

    def _describe_deals(self) -> None:
        closed = {row[0]: row for row in DEAL_STAGES.values()}
        for record in self.records["deals"].values():
            stage = closed[record.properties["dealstage"]]  # type: ignore[index]  # a deal has a stage
            won = stage[3] == "true" and stage[2] == "1.0"
            record.properties |= {
                "hs_is_closed": stage[3],
                "hs_is_closed_won": text(won),
                "amount_in_home_currency": record.properties["amount"],
                "hs_v2_date_entered_current_stage": record.history["dealstage"][-1]["timestamp"],
            }
            for entry in record.history["dealstage"]:
                record.properties[f"hs_v2_date_entered_{entry['value']}"] = entry["timestamp"]

    @staticmethod
    def _amount(deal: str, amount: float | None) -> str | None:
        if amount is None:
            return None
        if int(deal) % 9 == 0:
            return str(Decimal(amount))  # the long decimals that HubSpot shows now and then
        return str(int(amount)) if amount == int(amount) else f"{amount:.2f}"

    @cached_property
    def owners(self) -> list[dict[str, Any]]:
        """Owners as the API shows them, active and archived, in the order of ids."""
        teams = {team: str(31_000 + index) for index, team in enumerate(sorted(set(self.log.reps["team"])))}
        rows = self.log.reps.sort_values("rep_id").itertuples()
        return [
            {
                "id": rep.rep_id,
                "type": "PERSON",
                "email": rep.email,
                "firstName": rep.first_name,
                "lastName": rep.last_name,
                "userId": user_id(rep.rep_id) if rep.is_active else None,
                "userIdIncludingInactive": user_id(rep.rep_id),
                "createdAt": timestamp(pd.Timestamp(self.log.start).to_pydatetime()),
                "updatedAt": timestamp(pd.Timestamp(self.log.start).to_pydatetime()),
                "archived": not rep.is_active,
                "teams": [{"id": teams[rep.team], "name": rep.team, "primary": True}],
            }
            for rep in rows
        ]

    @cached_property
    def pipelines(self) -> dict[str, list[dict[str, Any]]]:
        """Pipelines by object type, as the API shows them."""
        epoch = {"createdAt": "1970-01-01T00:00:00Z", "updatedAt": "1970-01-01T00:00:00Z", "archived": False}
        stages = [
            {
                "label": label,
                "displayOrder": order,
                "metadata": {"isClosed": closed, "probability": probability},
                "id": stage,
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                **epoch,
            }
            for order, (stage, label, probability, closed) in enumerate(DEAL_STAGES.values())
        ]
        deals = [{"label": "Sales Pipeline", "displayOrder": 0, "id": "default", "stages": stages, **epoch}]
        return {"deals": deals, "leads": lead_pipelines()}


def user_id(rep_id: str) -> int:
    """The ``userId`` of an owner: not the owner's id."""
    return 5_000_000 + int(rep_id)


def _closedate(expected: date | None) -> str | None:
    return None if expected is None else f"{expected.isoformat()}T17:00:00.000Z"
