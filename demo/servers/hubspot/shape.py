"""How HubSpot shows what it holds: names of object types and links, a record with its properties and histories, definitions."""

from __future__ import annotations

from typing import Any

from demo.servers.hubspot.state import (
    DEAL_FIELDS,
    HISTORY,
    LEAD_PROPERTY,
    OBJECT_TYPES,
    HubSpotState,
    Record,
    timestamp,
)

ALIASES = {"0-1": "contacts", "0-2": "companies", "0-3": "deals", **{kind: kind for kind in OBJECT_TYPES}}
ALIASES |= {"contact": "contacts", "company": "companies", "deal": "deals"}
DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    "deals": (
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
    ),
}
ALWAYS = ("hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate")
CUSTOM = {
    "contacts": frozenset(LEAD_PROPERTY[name] for name in ("branch", "channel", "campaign", "service_line", "job_type", "customer_type", "is_test")),
    "deals": frozenset(DEAL_FIELDS),
}  # fmt: skip
LINK_TYPES: dict[tuple[str, str], list[tuple[int, str | None]]] = {  # (from, to) → [(type id, label)]
    ("contacts", "companies"): [(1, "Primary"), (279, None)], ("companies", "contacts"): [(2, "Primary"), (280, None)],
    ("deals", "contacts"): [(3, None)], ("contacts", "deals"): [(4, None)],
    ("deals", "companies"): [(5, "Primary"), (341, None)], ("companies", "deals"): [(6, "Primary"), (342, None)],
    ("contacts", "calls"): [(193, None)], ("calls", "contacts"): [(194, None)],
    ("contacts", "emails"): [(197, None)], ("emails", "contacts"): [(198, None)],
    ("contacts", "meetings"): [(199, None)], ("meetings", "contacts"): [(200, None)],
    ("contacts", "tasks"): [(203, None)], ("tasks", "contacts"): [(204, None)],
    ("deals", "calls"): [(205, None)], ("calls", "deals"): [(206, None)],
    ("deals", "emails"): [(209, None)], ("emails", "deals"): [(210, None)],
    ("deals", "meetings"): [(211, None)], ("meetings", "deals"): [(212, None)],
    ("deals", "tasks"): [(215, None)], ("tasks", "deals"): [(216, None)],
    ("leads", "contacts"): [(578, "Primary")], ("quotes", "deals"): [(64, None)], ("invoices", "deals"): [(175, None)],
    ("commerce_payments", "invoices"): [(542, None)],
}  # fmt: skip
SINGULAR = {kind: kind[:-1] for kind in OBJECT_TYPES} | {"companies": "company"}


def shown(
    state: HubSpotState, record: Record, names: list[str], history: list[str], linked: list[str]
) -> dict[str, Any]:
    """The record as the API shows it. Names that the account does not have are left out without a word."""
    asked = dict.fromkeys([*(names or DEFAULTS.get(record.kind, ())), *ALWAYS, *history])
    known = known_properties(record.kind)
    body: dict[str, Any] = {
        "id": record.id,
        "properties": {
            name: record.properties.get(name) for name in sorted(asked) if name in record.properties or name in known
        },
        "createdAt": timestamp(record.created),
        "updatedAt": timestamp(record.updated),
        "archived": record.archived_at is not None,
        "url": f"https://app.hubspot.com/contacts/44237313/record/{record.kind}/{record.id}",
    }
    if record.archived_at is not None:
        body["archivedAt"] = timestamp(record.archived_at)
    if history:
        kept = [name for name in history if name in HISTORY.get(record.kind, ())]
        body["propertiesWithHistory"] = {name: record.history.get(name, [])[::-1] for name in kept}
    links = {other: state.links.get((record.kind, other), {}).get(record.id, []) for other in linked}
    if any(links.values()):
        kind = SINGULAR[record.kind]
        body["associations"] = {
            other: {"results": [{"id": one, "type": f"{kind}_to_{SINGULAR[other]}"} for one in ids]}
            for other, ids in links.items()
            if ids
        }
    return body


def known_properties(kind: str) -> frozenset[str]:
    """Properties that the account has even where no record holds a value."""
    merged = {"contacts": {"hs_merged_object_ids", "hs_calculated_merged_vids"}, "deals": {"hs_merged_object_ids"}}
    return CUSTOM.get(kind, frozenset()) | merged.get(kind, set())


def definitions(state: HubSpotState, kind: str) -> list[dict[str, Any]]:
    """The properties of an object type as the properties endpoint shows them."""
    names = {name for record in state.records[kind].values() for name in record.properties} | known_properties(kind)
    return [
        {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "type": "enumeration" if name in CUSTOM.get(kind, ()) else "string",
            "fieldType": "select" if name in CUSTOM.get(kind, ()) else "text",
            "groupName": f"{SINGULAR[kind]}information",
            "options": [],
            "hubspotDefined": name not in CUSTOM.get(kind, ()),
            "calculated": False,
            "archived": False,
            "dataSensitivity": "non_sensitive",
        }
        for name in sorted(names)
    ]


def no_link(one: str, kind: str, other: str) -> dict[str, Any]:
    """What an associations batch read says of a record without links."""
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {other} is associated with {kind} {one}.",
        "context": {"fromObjectId": [one], "fromObjectType": [kind], "toObjectType": [other]},
    }
