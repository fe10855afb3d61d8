"""What is read from Calendly: listings and raw tables. How they are read is in ``run``."""

from __future__ import annotations

from typing import Any

from ingestion.connector.rest import Resource
from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "calendly"
PER_PAGE = 100
_PAGES = {"type": "json_link", "next_url_path": "pagination.next_page"}


def _table(name: str) -> RawTable:
    columns = (
        RawColumn("uri", "varchar", "$.uri"),
        RawColumn("created_at", "timestamp", "$.created_at"),
        RawColumn("modified_at", "timestamp", "$.updated_at"),
    )
    return RawTable(SOURCE, name, columns, ("uri",))


EVENTS = _table("scheduled_events")
INVITEES = _table("invitees")
EVENT_TYPES = _table("event_types")
MEMBERSHIPS = _table("memberships")
ROUTING_FORMS = _table("routing_forms")
SUBMISSIONS = _table("routing_form_submissions")
TABLES: tuple[RawTable, ...] = (EVENTS, INVITEES, EVENT_TYPES, MEMBERSHIPS, ROUTING_FORMS, SUBMISSIONS)


def listing(table: RawTable, path: str, **params: Any) -> Resource:
    """A listing, page by page."""
    return Resource(table, path, "collection", {"count": PER_PAGE, **params}, _PAGES)
