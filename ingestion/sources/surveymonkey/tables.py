"""What is read from SurveyMonkey: raw tables and listings. How they are read is in ``run``."""

from __future__ import annotations

from ingestion.connector.rest import Resource
from ingestion.landing.changes import absences_table
from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "surveymonkey"
_PAGES = {"type": "json_link", "next_url_path": "links.next"}

SURVEYS = RawTable(
    SOURCE,
    "surveys",
    (RawColumn("id", "varchar", "$.id"), RawColumn("modified_at", "timestamp", "$.date_modified")),
    ("id",),
)
RESPONSES = RawTable(
    SOURCE,
    "responses",
    (
        RawColumn("id", "varchar", "$.id"),
        RawColumn("survey_id", "varchar", "$.survey_id", required=True),
        RawColumn("created_at", "timestamp", "$.date_created"),
        RawColumn("modified_at", "timestamp", "$.date_modified", required=True),
    ),
    ("id",),
)
TABLES: tuple[RawTable, ...] = (SURVEYS, RESPONSES, absences_table(SOURCE))

LIST = Resource(SURVEYS, "/surveys", "data", {"per_page": 1000, "include": "date_modified"}, _PAGES)
BULK = Resource(
    RESPONSES,
    "/surveys/{survey}/responses/bulk",
    "data",
    {"per_page": 100, "sort_by": "date_modified", "sort_order": "ASC"},
    _PAGES,
    total="total",
)
IDS = Resource(RESPONSES, "/surveys/{survey}/responses", "data", {"per_page": 1000}, _PAGES, total="total")
