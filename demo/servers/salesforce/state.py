"""What Salesforce would hold of the company: rows of its objects by name, with history rows. A pure function of the ``CompanyLog``.

HTTP belongs to ``salesforce``, what the log loses on the way to Salesforce to ``demo.crms.salesforce``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from demo.log import CompanyLog

Row = dict[str, Any]
PREFIX = {
    "Lead": "00Q", "Contact": "003", "Account": "001", "Opportunity": "006", "Task": "00T", "Event": "00U", "User": "005",
    "EmailMessage": "02s", "LeadHistory": "017", "OpportunityHistory": "008", "OpportunityFieldHistory": "01F",
    "OpportunityContactRole": "00K", "Group": "00G", "OpportunityStage": "01J", "LeadStatus": "01l", "UserRole": "00E",
}  # fmt: skip
LEAD_STATUS = {"inquiry": "New", "qualification": "Working", "disqualified": "Unqualified"}
CONVERTED = "Qualified"
STAGES = {  # stage key -> name, probability, is closed, is won
    "consultation_scheduled": ("Consultation Scheduled", 20, False, False),
    "consultation_held": ("Consultation Held", 40, False, False),
    "proposal": ("Proposal/Price Quote", 60, False, False),
    "won": ("Closed Won", 100, True, True),
    "lost": ("Closed Lost", 0, True, False),
    "disqualified": ("Closed Disqualified", 0, True, False),
}
LEAD_FIELDS = {
    "first_name": "FirstName", "last_name": "LastName", "email": "Email", "phone": "Phone", "postcode": "PostalCode",
    "branch": "Branch__c", "channel": "Channel__c", "campaign": "Campaign__c", "service_line": "Service_Line__c",
    "job_type": "Job_Type__c", "customer_type": "Customer_Type__c", "is_test": "Is_Test__c",
}  # fmt: skip
DEAL_FIELDS = {
    "branch": "Branch__c", "service_line": "Service_Line__c", "job_type": "Job_Type__c", "budget_band": "Budget_Band__c",
    "is_decision_maker": "Is_Decision_Maker__c", "need": "Need__c", "wanted_by": "Wanted_By__c", "next_step": "NextStep",
    "loss_reason": "Loss_Reason__c",
}  # fmt: skip
CALL_DISPOSITION = {"answered": "Answered", "missed": "Missed", "no_answer": "No Answer", "busy": "Busy"}
OUTCOME = {"held": "Held", "no_show": "No Show", "canceled": "Canceled"}


def record_id(sobject: str, log_id: str) -> str:
    """The 18 characters by which Salesforce names a record of the log."""
    return f"{PREFIX[sobject]}{log_id.zfill(12)}AAA"


AUTOMATION = record_id("User", "1")
UNASSIGNED = record_id("Group", "1")


def stamp(moment: datetime) -> str:
    """A UTC moment as REST writes it."""
    return f"{moment.isoformat(timespec='milliseconds')}+0000"


class SalesforceState:
    """All rows by object, in the order in which they were created. Deleted ones stay, with ``IsDeleted``."""

    def __init__(self, log: CompanyLog) -> None:
        self.log, self.as_of = log, log.as_of
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in PREFIX if name != "Group"}
        self._merged: dict[str, str] = {}
        self._lead_of_deal: dict[str, str] = {}
        self._activity_of: list[tuple[Row, str | None, str | None]] = []
        self._counts: dict[str, int] = {}
        moments = pd.DatetimeIndex(log.events["at"]).to_pydatetime()
        columns = (log.events[name] for name in ("kind", "lead_id", "deal_id", "rep_id", "data"))
        for at, kind, lead, deal, rep, data in zip(moments, *columns, strict=True):
            self._apply(at, kind, lead, deal, rep, data)
        self._people()
        self._convert()
        self._settings()

    def _apply(self, at: datetime, kind: str, lead: str | None, deal: str | None, rep: str | None, data: dict) -> None:
        if kind == "lead_created":
            self._lead_created(at, str(lead), rep, data)
        elif kind.startswith("lead_"):
            self._lead(at, kind, str(lead), rep, data)
        elif kind == "deal_created":
            self._deal_created(at, lead, str(deal), rep, data)
        elif kind.startswith("deal_"):
            self._deal(at, kind, str(deal), rep, data)
        elif kind in ("call", "email", "task", "meeting_set"):
            if lead is not None or deal is not None:  # people log what belongs to a record
                self._activity(at, kind, lead, deal, rep, data)
        elif kind == "meeting_outcome":
            row = self.rows["Event"][record_id("Event", data["activity_id"])]
            self._set(row, at, Outcome__c=OUTCOME[data["outcome"]])
        elif kind == "task_done":
            row = self.rows["Task"][record_id("Task", data["activity_id"])]
            self._set(row, at, Status="Completed", IsClosed=True, CompletedDateTime=stamp(at))

    # Leads.

    def _lead_created(self, at: datetime, lead: str, rep: str | None, data: dict) -> None:
        row = self._new("Lead", lead, at, rep)
        row |= {shown: data.get(name) for name, shown in LEAD_FIELDS.items()}
        row |= {
            "Company": data.get("company") or "Household", "Status": LEAD_STATUS["inquiry"], "Created_Via__c": data["created_by"],
            "OwnerId": self._owner(data["owner"]), "Is_Test__c": bool(data.get("is_test")), "MasterRecordId": None,
            "IsConverted": False, "ConvertedDate": None, "ConvertedContactId": None, "ConvertedOpportunityId": None,
            "ConvertedAccountId": None, "LeadSource": None,
        }  # fmt: skip

    def _lead(self, at: datetime, kind: str, lead: str, rep: str | None, data: dict) -> None:
        row = self.rows["Lead"][record_id("Lead", lead)]
        if kind == "lead_owner":
            self._own("LeadHistory", "LeadId", row, self._owner(data["owner"]), at, rep)
        elif kind == "lead_stage":
            status = LEAD_STATUS[data["stage"]]
            if status != row["Status"]:
                self._note("LeadHistory", "LeadId", row, "Status", row["Status"], status, at, rep)
                self._set(row, at, Status=status)
        elif kind == "lead_field":
            value = bool(data["value"]) if data["field"] == "is_test" else data["value"]
            self._set(row, at, **{LEAD_FIELDS[data["field"]]: value})
        elif kind == "lead_merged":
            self._merged[lead] = data["into"]
            self._set(row, at, IsDeleted=True, MasterRecordId=record_id("Lead", data["into"]))
            self._set(self.rows["Lead"][record_id("Lead", data["into"])], at)
        else:
            self._set(row, at, IsDeleted=kind == "lead_archived")

    # Opportunities.

    def _deal_created(self, at: datetime, lead: str | None, deal: str, rep: str | None, data: dict) -> None:
        row = self._new("Opportunity", deal, at, rep)
        row |= {shown: _plain(data.get(name)) for name, shown in DEAL_FIELDS.items()}
        row |= {
            "Name": data["name"], "Amount": data["amount"], "CloseDate": _plain(data["expected_close_date"]), "RecordTypeId": None,
            "OwnerId": self._owner(data["owner"]), "AccountId": None, "ContactId": None, "LeadSource": None, "CampaignId": None,
            **_stage(data["stage"]),
        }  # fmt: skip
        if lead is not None:
            self._lead_of_deal[deal] = lead
        self._history(row, at, rep)

    def _deal(self, at: datetime, kind: str, deal: str, rep: str | None, data: dict) -> None:
        row = self.rows["Opportunity"][record_id("Opportunity", deal)]
        if kind == "deal_owner":
            self._own("OpportunityFieldHistory", "OpportunityId", row, self._owner(data["owner"]), at, rep)
        elif kind == "deal_field":
            self._set(row, at, **{DEAL_FIELDS[data["field"]]: _plain(data["value"])})
        elif kind in ("deal_archived", "deal_unarchived"):
            self._set(row, at, IsDeleted=kind == "deal_archived")
        else:
            change: Row = {
                "deal_stage": lambda: _stage(data["stage"]),
                "deal_amount": lambda: {"Amount": data["amount"]},
                "deal_close_date": lambda: {"CloseDate": _plain(data["expected_close_date"])},
            }[kind]()
            changed = {name: value for name, value in change.items() if row[name] != value}
            for name, value in changed.items():
                if name in ("StageName", "Amount", "CloseDate"):
                    self._note("OpportunityFieldHistory", "OpportunityId", row, name, row[name], value, at, rep)
            self._set(row, at, **changed)
            if changed:
                self._history(row, at, rep)

    def _history(self, row: Row, at: datetime, rep: str | None) -> None:
        copied = ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategory")
        self._add("OpportunityHistory", at, rep, OpportunityId=row["Id"], **{name: row[name] for name in copied})

    # Activities.

    def _activity(
        self, at: datetime, kind: str, lead: str | None, deal: str | None, rep: str | None, data: dict
    ) -> None:
        sobject, one = ("Event" if kind == "meeting_set" else "Task"), data["activity_id"]
        row = self._new(sobject, one, at, rep)
        row |= {"OwnerId": self._owner(rep) if rep else AUTOMATION, "WhoId": None, "WhatId": None}
        if kind == "meeting_set":
            starts = data["starts_at"]
            row |= {
                "Subject": "Consultation", "StartDateTime": stamp(starts), "EndDateTime": stamp(starts + timedelta(hours=1)),
                "DurationInMinutes": 60, "ActivityDateTime": stamp(starts), "Outcome__c": "Scheduled", "IsArchived": False,
            }  # fmt: skip
            if data["by"] != "person":
                row["CreatedById"] = AUTOMATION
        else:
            row |= {
                "Subject": kind.capitalize(), "TaskSubtype": kind.capitalize(), "Status": "Completed", "IsClosed": True,
                "ActivityDate": at.date().isoformat(), "CompletedDateTime": stamp(at), "CallType": None, "CallDisposition": None,
                "CallDurationInSeconds": None, "IsArchived": False,
            }  # fmt: skip
        if kind == "call":
            row |= {
                "CallType": data["direction"].capitalize(),
                "CallDisposition": CALL_DISPOSITION[data["outcome"]],
                "CallDurationInSeconds": round(data["duration_seconds"]),
            }
        elif kind == "task":
            row |= {"Status": "Not Started", "IsClosed": False, "CompletedDateTime": None}
            row["ActivityDate"] = data["due_at"].date().isoformat()
        elif kind == "email":
            self._add(
                "EmailMessage", at, None if data["is_automated"] else rep, ActivityId=row["Id"], Incoming=data["direction"] == "inbound",
                MessageDate=stamp(at), Subject="Re: your inquiry", Status="3",
            )  # fmt: skip
        self._activity_of.append((row, lead, deal))

    # What follows from all events.

    def _convert(self) -> None:
        """Leads with an opportunity are converted: they have a contact, to which the opportunity and all activities belong."""
        converted: dict[str, str] = {}
        for deal, lead in self._lead_of_deal.items():
            converted.setdefault(self._survivor(lead), deal)
        statuses: dict[str, list[Row]] = {}
        for one in self.rows["LeadHistory"].values():
            if one["Field"] == "Status":
                statuses.setdefault(one["LeadId"], []).append(one)
        for lead, deal in converted.items():
            row, opportunity = self.rows["Lead"][record_id("Lead", lead)], record_id("Opportunity", deal)
            created = self.rows["Opportunity"][opportunity]["CreatedDate"]
            row["SystemModstamp"] = max(row["SystemModstamp"], created)
            at = datetime.fromisoformat(created).replace(tzinfo=None)
            before, is_last = _status_at(statuses.get(row["Id"], []), created)
            for name, old, new in (("Status", before, CONVERTED), ("leadConverted", None, None)):
                self._note("LeadHistory", "LeadId", row, name, old, new, at, None)
            if is_last:  # else somebody edited the converted lead afterwards
                row["Status"] = CONVERTED
            contact = self._row("Contact", lead, created, row["SystemModstamp"])
            contact |= {name: row[name] for name in ("FirstName", "LastName", "Email", "Phone", "OwnerId")}
            contact |= {"MailingPostalCode": row["PostalCode"], "AccountId": None, "MasterRecordId": None}
            row |= {
                "IsConverted": True,
                "ConvertedDate": created[:10],
                "ConvertedContactId": contact["Id"],
                "ConvertedOpportunityId": opportunity,
            }
        for sold, asked in self._lead_of_deal.items():
            sale = self.rows["Opportunity"][record_id("Opportunity", sold)]
            buyer = record_id("Contact", self._survivor(asked))
            moved = max(sale["CreatedDate"], self.rows["Contact"][buyer]["SystemModstamp"])
            role = self._row("OpportunityContactRole", sold, sale["CreatedDate"], moved)
            role |= {"OpportunityId": sale["Id"], "ContactId": buyer, "Role": None, "IsPrimary": True}
            sale["ContactId"] = buyer
        for row, who, what in self._activity_of:
            if who is not None:
                survivor = self._survivor(who)
                row["WhoId"] = record_id("Contact" if survivor in converted else "Lead", survivor)
            if what is not None:
                row["WhatId"] = record_id("Opportunity", what)

    def _people(self) -> None:
        start = stamp(pd.Timestamp(self.log.start).to_pydatetime())
        user = self._row("User", "1", start, start)
        user |= {
            "Name": "Automated Process",
            "Email": None,
            "IsActive": True,
            "Department": None,
            "UserType": "AutomatedProcess",
        }
        for rep in self.log.reps.sort_values("rep_id").itertuples():
            user = self._row("User", rep.rep_id, start, start)
            user |= {
                "Name": rep.name, "FirstName": rep.first_name, "LastName": rep.last_name, "Email": rep.email,
                "IsActive": bool(rep.is_active), "Department": rep.team, "UserType": "Standard", "UserRoleId": None, "ManagerId": None,
            }  # fmt: skip

    def _settings(self) -> None:
        start = stamp(pd.Timestamp(self.log.start).to_pydatetime())
        for order, (name, probability, closed, won) in enumerate(STAGES.values(), 1):
            row = self._row("OpportunityStage", str(order), start, start)
            row |= {
                "ApiName": name, "MasterLabel": name, "IsActive": True, "IsClosed": closed, "IsWon": won, "SortOrder": order,
                "DefaultProbability": probability,
            }  # fmt: skip
        for order, name in enumerate([*LEAD_STATUS.values(), CONVERTED], 1):
            row = self._row("LeadStatus", str(order), start, start)
            row |= {"ApiName": name, "MasterLabel": name, "SortOrder": order, "IsConverted": name == CONVERTED}

    # Rows.

    def _row(self, sobject: str, log_id: str, created: str, modified: str) -> Row:
        row: Row = {
            "Id": record_id(sobject, log_id),
            "IsDeleted": False,
            "CreatedDate": created,
            "SystemModstamp": modified,
        }
        self.rows[sobject][row["Id"]] = row
        return row

    def _new(self, sobject: str, log_id: str, at: datetime, rep: str | None) -> Row:
        row = self._row(sobject, log_id, stamp(at), stamp(at))
        row["CreatedById"] = self._owner(rep) if rep else AUTOMATION
        return row

    def _add(self, sobject: str, at: datetime, rep: str | None, **values: Any) -> None:
        self._counts[sobject] = self._counts.get(sobject, 0) + 1
        row = self._new(sobject, str(self._counts[sobject]), at, rep)
        row |= values

    def _set(self, row: Row, at: datetime, **values: Any) -> None:
        row |= {**values, "SystemModstamp": stamp(at)}

    def _note(
        self, sobject: str, parent: str, row: Row, name: str, old: Any, new: Any, at: datetime, rep: str | None
    ) -> None:
        self._add(sobject, at, rep, **{parent: row["Id"]}, Field=name, OldValue=old, NewValue=new, DataType="Text")

    def _own(self, sobject: str, parent: str, row: Row, owner: str, at: datetime, rep: str | None) -> None:
        """Salesforce notes a change of owner twice: once with the names, once with the ids."""
        if owner != row["OwnerId"]:
            self._note(sobject, parent, row, "Owner", self._name(row["OwnerId"]), self._name(owner), at, rep)
            self._note(sobject, parent, row, "Owner", row["OwnerId"], owner, at, rep)
            self._set(row, at, OwnerId=owner)

    def _name(self, owner: str) -> str:
        names = {record_id("User", rep.rep_id): rep.name for rep in self.log.reps.itertuples()}
        return names.get(owner, "Unassigned")

    @staticmethod
    def _owner(rep: str | None) -> str:
        return record_id("User", rep) if rep else UNASSIGNED

    def _survivor(self, lead: str) -> str:
        while lead in self._merged:
            lead = self._merged[lead]
        return lead


def fields(rows: Iterable[Row]) -> dict[str, str]:
    """Field → type of what ``describe`` shows, of the rows of one object."""
    kinds: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None or name not in kinds:
                kinds[name] = _kind(name, value)
    return kinds


def _kind(name: str, value: Any) -> str:
    if name == "Id":
        return "id"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "double"
    if name.endswith(("Date", "DateTime", "Modstamp")) and isinstance(value, str):
        return "datetime" if len(value) > 10 else "date"
    return "string"


def _status_at(changes: list[Row], moment: str) -> tuple[str, bool]:
    """A lead's status at a moment, and whether it was its last one."""
    until = [one for one in changes if one["CreatedDate"] <= moment]
    return (until[-1]["NewValue"] if until else LEAD_STATUS["inquiry"]), len(until) == len(changes)


def _stage(key: str) -> Row:
    name, probability, closed, won = STAGES[key]
    category = "Closed" if won else "Omitted" if closed else "Pipeline"
    return {
        "StageName": name,
        "Probability": probability,
        "IsClosed": closed,
        "IsWon": won,
        "ForecastCategory": category,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return value.isoformat() if isinstance(value, date) else value
