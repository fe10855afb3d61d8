"""The raw table of GA4's export. Which files there are, and how they are read, belongs to ``days`` and ``rows``."""

from __future__ import annotations

from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "ga4"

_DAY = "cast(coalesce(try_strptime({value}, '%Y%m%d'), try_cast({value} as date)) as date)"
_MICROSECONDS = "make_timestamp(try_cast({value} as bigint))"

EVENTS = RawTable(
    SOURCE,
    "events",
    (
        RawColumn("event_day", "date", "$.event_date", required=True, convert=_DAY),
        RawColumn("event_at", "timestamp", "$.event_timestamp", required=True, convert=_MICROSECONDS),
        RawColumn("event_name", "varchar", "$.event_name", required=True),
        RawColumn("user_pseudo_id", "varchar", "$.user_pseudo_id"),
        RawColumn("ga_session_id", "bigint", "$.event_params"),
        RawColumn("page_location", "varchar", "$.event_params"),
        RawColumn("source", "varchar", "$"),
        RawColumn("medium", "varchar", "$"),
        RawColumn("campaign", "varchar", "$"),
        RawColumn("form_id", "varchar", "$.event_params"),
    ),
    (),
    day="event_day",
)
TABLES: tuple[RawTable, ...] = (EVENTS,)
