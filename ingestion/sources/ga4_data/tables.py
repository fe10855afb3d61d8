"""What is read from the GA4 Data API: reports with their dimensions and metrics, and the raw tables that they fill. How they are read is in ``run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "ga4_data"
_DAY = "cast(try_strptime({value}, '%Y%m%d') as date)"


@dataclass(frozen=True)
class Report:
    """A report by day. ``dimensions``: column → the API's name; ``metrics``: column → the API's name and the DuckDB type. ``date`` is always there."""

    name: str
    dimensions: Mapping[str, str]
    metrics: Mapping[str, tuple[str, str]]

    @property
    def table(self) -> RawTable:
        """The raw table: a load holds all rows of each day that it holds, and the newest load of a day is the day (``days`` names it)."""
        columns = (
            RawColumn("property_id", "varchar", "$.property_id"),
            RawColumn("date", "date", "$.date", convert=_DAY, expected="a day like 20260201"),
            *(RawColumn(name, "varchar", f"$.{theirs}", required=True) for name, theirs in self.dimensions.items()),
            *(RawColumn(name, kind, f"$.{theirs}", required=True) for name, (theirs, kind) in self.metrics.items()),
        )
        return RawTable(SOURCE, self.name, columns, ("property_id", "date"), day="date")


_ORIGIN = {"source": "sessionSource", "medium": "sessionMedium", "campaign": "sessionCampaignName"}
_SESSIONS = {"sessions": ("sessions", "bigint"), "engaged_sessions": ("engagedSessions", "bigint")}
_USERS = {"total_users": ("totalUsers", "bigint")}
_KEY_EVENTS = {"key_events": ("keyEvents", "double")}

SESSIONS = Report(
    "sessions",
    {"channel_group": "sessionDefaultChannelGroup", **_ORIGIN},
    {**_SESSIONS, **_USERS, "new_users": ("newUsers", "bigint"), **_KEY_EVENTS},
)
LANDING_PAGES = Report(
    "landing_pages", {"landing_page": "landingPagePlusQueryString"}, {**_SESSIONS, **_USERS, **_KEY_EVENTS}
)
EVENTS = Report(
    "events", {"event_name": "eventName"}, {"event_count": ("eventCount", "bigint"), **_USERS, **_KEY_EVENTS}
)
AD_COST = Report(
    "ad_cost",
    _ORIGIN,
    {
        "cost": ("advertiserAdCost", "decimal(18, 6)"),
        "clicks": ("advertiserAdClicks", "bigint"),
        "impressions": ("advertiserAdImpressions", "bigint"),
    },
)
REPORTS: tuple[Report, ...] = (SESSIONS, LANDING_PAGES, EVENTS, AD_COST)

# One row per report and day that was read and differed from what was known: its rows are those of the same load.
DAYS = RawTable(
    SOURCE,
    "days",
    (
        RawColumn("property_id", "varchar", "$.property_id"),
        RawColumn("report", "varchar", "$.report"),
        RawColumn("date", "date", "$.date", convert=_DAY, expected="a day like 20260201"),
        RawColumn("row_count", "bigint", "$.row_count", required=True),
        RawColumn("digest", "varchar", "$.digest", required=True),
        RawColumn("is_thresholded", "boolean", "$.is_thresholded", required=True),
        RawColumn("is_sampled", "boolean", "$.is_sampled", required=True),
        RawColumn("has_other_row", "boolean", "$.has_other_row", required=True),
        RawColumn("is_truncated", "boolean", "$.is_truncated", required=True),
        RawColumn("is_restricted", "boolean", "$.is_restricted", required=True),
        RawColumn("time_zone", "varchar", "$.time_zone"),
        RawColumn("currency", "varchar", "$.currency"),
    ),
    ("property_id", "report", "date"),
    day="date",
)
TABLES: tuple[RawTable, ...] = (*(report.table for report in REPORTS), DAYS)
