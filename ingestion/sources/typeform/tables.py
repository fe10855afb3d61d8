"""The raw tables of Typeform. How they are read is in ``run``."""

from __future__ import annotations

from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "typeform"

FORMS = RawTable(
    SOURCE,
    "forms",
    (
        RawColumn("form_id", "varchar", "$.id", required=True),
        RawColumn("title", "varchar", "$.title"),
        RawColumn("last_updated_at", "timestamp", "$.last_updated_at"),
    ),
    ("form_id",),
)

RESPONSES = RawTable(
    SOURCE,
    "responses",
    (
        RawColumn("form_id", "varchar", "$.form_id", required=True),
        RawColumn("response_id", "varchar", "$.response_id", required=True),
        RawColumn("response_type", "varchar", "$.response_type", required=True),
        RawColumn("landed_at", "timestamp", "$.landed_at"),
        RawColumn("submitted_at", "timestamp", "$.submitted_at", never="0001-01-01"),  # of a partial response
    ),
    ("form_id", "response_id"),
)

TABLES: tuple[RawTable, ...] = (FORMS, RESPONSES)
