"""What an account can have beyond the ordinary: leads as objects of their own, quotes, invoices, payments, forms, audits of deleted stages.

All of it is derived from the contacts and deals of a ``HubSpotState``. HTTP belongs to ``hubspot``.
"""

from __future__ import annotations

import base64
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from demo.log import to_ms

if TYPE_CHECKING:
    from demo.servers.hubspot.state import HubSpotState, Record

EXTRAS = ("leads", "quotes", "invoices", "commerce_payments", "forms")
EXTRA_TYPES = EXTRAS[:4]
LEAD_PIPELINE = "lead-pipeline-id"
LEAD_STAGES = {  # hs_lead_status -> stage of the leads' pipeline: id, label, lead state
    "NEW": ("new-stage-id", "New", "NEW"),
    "OPEN": ("attempting-stage-id", "Attempting", "IN_PROGRESS"),
    "UNQUALIFIED": ("unqualified-stage-id", "Disqualified", "UNQUALIFIED"),
}
FORM, COMMENTS = "591e2731-c869-445d-b422-26f43145e9d2", "0d6f44ab-3b0e-45a1-8ad4-31f0b1f3a9c2"
_FIRST_ID = {"leads": 810_000_000, "quotes": 820_000_000, "invoices": 830_000_000, "commerce_payments": 840_000_000}
_SOURCE = {"sourceType": "CRM_UI"}
_PAYS_AFTER = timedelta(days=10)


def extra_id(kind: str, one: str) -> str:
    """The id of what belongs to a contact (leads) or a deal (the rest)."""
    return str(_FIRST_ID[kind] + int(one))


def add_extras(state: HubSpotState) -> None:
    """Fill the records and links of ``EXTRA_TYPES``; records of the same contact or deal live and are archived with it."""
    from demo.servers.hubspot.state import Record

    def add(kind: str, origin: Record, created: datetime, values: dict[str, str | None]) -> Record:
        record = Record(extra_id(kind, origin.id), kind, created, max(created, origin.updated), values)
        record.archived_at = origin.archived_at
        state.records[kind][record.id] = record
        return record

    for contact in state.records["contacts"].values():
        name = " ".join(filter(None, (contact.properties.get(part) for part in ("firstname", "lastname"))))
        values = {"hs_lead_name": name or "Unknown", "hs_object_source": contact.properties.get("hs_object_source")}
        lead = add("leads", contact, contact.created, values)
        lead.set("hs_pipeline", LEAD_PIPELINE, contact.created, _SOURCE)
        for entry in contact.history.get("hs_lead_status", ()):
            lead.set("hs_pipeline_stage", LEAD_STAGES[entry["value"]][0], _moment(entry), _SOURCE)
        for entry in contact.history.get("hubspot_owner_id", ()):
            lead.set("hubspot_owner_id", entry["value"], _moment(entry), _SOURCE)
        lead.updated = contact.updated
        state.link("leads", lead.id, "contacts", contact.id)
    for deal in state.records["deals"].values():
        stages = deal.history.get("dealstage", ())
        quoted = next((_moment(entry) for entry in stages if entry["value"] == "quote_sent"), None)
        won = next((_moment(entry) for entry in reversed(stages) if entry["value"] == "closedwon"), None)
        amount = deal.properties.get("amount")
        if quoted is not None:
            quote = add("quotes", deal, quoted, {"hs_title": deal.properties["dealname"], "hs_quote_amount": amount})
            quote.properties["hs_currency"] = "USD"
            quote.set("hs_status", "DRAFT", quoted, _SOURCE)
            quote.set("hs_status", "APPROVAL_NOT_NEEDED", quoted + timedelta(minutes=5), _SOURCE)
            quote.updated = max(quoted, deal.updated)
            state.link("quotes", quote.id, "deals", deal.id)
        if won is None or amount is None or deal.properties["dealstage"] != "closedwon":
            continue
        paid = won + _PAYS_AFTER if won + _PAYS_AFTER <= state.as_of else None
        values = {
            "hs_invoice_status": "paid" if paid else "open", "hs_invoice_date": _text(won), "hs_amount_billed": amount,
            "hs_amount_paid": amount if paid else "0", "hs_balance_due": "0" if paid else amount, "hs_currency": "USD",
            "hs_payment_date": _text(paid) if paid else None,
        }  # fmt: skip
        invoice = add("invoices", deal, won, values)
        state.link("invoices", invoice.id, "deals", deal.id)
        if paid:
            invoice.updated = max(invoice.updated, paid)
            values = {
                "hs_initial_amount": amount, "hs_refunds_amount": None, "hs_currency_code": "USD", "hs_initiated_date": _text(paid),
                "hs_latest_status": "succeeded", "hs_payment_method_type": "CREDIT_OR_DEBIT_CARD",
            }  # fmt: skip
            payment = add("commerce_payments", deal, paid, values)
            state.link("commerce_payments", payment.id, "invoices", invoice.id)


def lead_pipelines() -> list[dict[str, Any]]:
    """The pipeline of leads, as the API shows it."""
    epoch = {"createdAt": "1970-01-01T00:00:00Z", "updatedAt": "1970-01-01T00:00:00Z", "archived": False}
    stages = [
        {"id": one, "label": label, "displayOrder": order, "metadata": {"leadState": lead_state}, **epoch}
        for order, (one, label, lead_state) in enumerate(LEAD_STAGES.values())
    ]
    return [{"id": LEAD_PIPELINE, "label": "Lead pipeline", "displayOrder": 0, "stages": stages, **epoch}]


def forms(state: HubSpotState) -> list[dict[str, Any]]:
    """The forms as the API shows them; the submissions of the second one can't be read."""
    at = _text(state.log.start if isinstance(state.log.start, datetime) else datetime(2024, 1, 1))
    common = {"createdAt": at, "updatedAt": at, "archived": False, "fieldGroups": []}
    return [
        {"id": FORM, "name": "Request a visit", "formType": "hubspot", **common},
        {"id": COMMENTS, "name": "Comments", "formType": "blog_comment", **common},
    ]


def submissions(state: HubSpotState) -> list[dict[str, Any]]:
    """What was sent off with the first form, newest first: one per contact that a form created."""
    found = [
        {
            "conversionId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"submission/{contact.id}")),
            "submittedAt": to_ms(contact.created),
            "values": [
                {"name": name, "value": contact.properties[name], "objectTypeId": "0-1"}
                for name in ("firstname", "lastname", "email", "phone")
                if contact.properties.get(name)
            ],
            "pageUrl": "https://www.demo.example/request-a-visit",
        }
        for contact in state.records["contacts"].values()
        if contact.properties.get("hs_object_source") == "FORMS"
    ]
    return sorted(found, key=lambda one: (-one["submittedAt"], one["conversionId"]))


def page_of(items: list[dict[str, Any]], limit: int, after: str | None) -> dict[str, Any]:
    """A page of a listing whose cursor says nothing to the reader."""
    start = int(base64.urlsafe_b64decode(after).decode()) if after else 0
    body: dict[str, Any] = {"results": items[start : start + limit]}
    if start + limit < len(items):
        body["paging"] = {"next": {"after": base64.urlsafe_b64encode(str(start + limit).encode()).decode()}}
    return body


def audit(shown: dict[str, Any], deleted_at: str) -> list[dict[str, Any]]:
    """The audit of a pipeline or stage that was made and deleted, newest first."""
    entries = [("DELETE", deleted_at), ("CREATE", "2024-01-01T00:00:00Z")]
    return [
        {"portalId": 44237313, "identifier": shown["id"], "action": action, "timestamp": at, "fromUserId": 5_000_001,
         "rawObject": shown if action == "CREATE" else None, "message": None}
        for action, at in entries
    ]  # fmt: skip


def _text(at: datetime) -> str:
    return f"{at.isoformat(timespec='milliseconds')}Z"


def _moment(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["timestamp"].removesuffix("Z"))
