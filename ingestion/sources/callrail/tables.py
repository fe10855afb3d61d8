"""What is read from CallRail: raw tables and listings. How they are read is in ``run``."""

from __future__ import annotations

from ingestion.connector.rest import Resource
from ingestion.landing.changes import absences_table
from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "callrail"
PER_PAGE = 250
_PAGES = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "total_pages"}

CALLS = RawTable(
    SOURCE,
    "calls",
    (RawColumn("id", "varchar", "$.id"), RawColumn("start_time", "timestamp", "$.start_time", required=True)),
    ("id",),
)
FORMS = RawTable(
    SOURCE,
    "form_submissions",
    (RawColumn("id", "varchar", "$.id"), RawColumn("submitted_at", "timestamp", "$.submitted_at", required=True)),
    ("id",),
)
COMPANIES = RawTable(SOURCE, "companies", (RawColumn("id", "varchar", "$.id"),), ("id",))
USERS = RawTable(SOURCE, "users", (RawColumn("id", "varchar", "$.id"),), ("id",))
TRACKERS = RawTable(SOURCE, "trackers", (RawColumn("id", "varchar", "$.id"),), ("id",))
TABLES: tuple[RawTable, ...] = (CALLS, FORMS, COMPANIES, USERS, TRACKERS, absences_table(SOURCE))

# Only what is asked for by name is answered.
FIELDS = (
    "company_id,company_time_zone,created_at,first_call,prior_calls,lead_status,note,tags,value,source,source_name,medium,campaign,keywords,"
    "landing_page_url,utm_source,utm_medium,utm_campaign,gclid,tracker_id,person_id"
)
INTELLIGENCE = "transcription,keywords_spotted,call_highlights,sentiment"  # a paid part of the plan
FORM_FIELDS = "utm_source,utm_medium,utm_campaign,lead_status,value,note,tags"


def listing(table: RawTable, path: str) -> Resource:
    """The listing of ``table`` in an account, page by page."""
    return Resource(table, f"/a/{{account}}/{path}.json", path, {"per_page": PER_PAGE}, _PAGES, total="total_records")
