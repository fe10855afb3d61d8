"""What is read from Twilio: raw tables and listings. How they are read is in ``run``."""

from __future__ import annotations

from ingestion.connector.rest import Resource
from ingestion.landing.changes import absences_table
from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "twilio"
_MOMENT = "timezone('UTC', try_strptime({value}, '%a, %d %b %Y %H:%M:%S %z'))"  # Mon, 02 Feb 2026 17:02:00 +0000
_EXPECTED = "a time like Mon, 02 Feb 2026 17:02:00 +0000"


def _table(name: str, *, key: str = "sid") -> RawTable:
    columns = (
        RawColumn(key, "varchar", f"$.{key}"),
        RawColumn("created_at", "timestamp", "$.date_created", required=True, convert=_MOMENT, expected=_EXPECTED),
        RawColumn("started_at", "timestamp", "$.start_time", convert=_MOMENT, expected=_EXPECTED),
    )
    return RawTable(SOURCE, name, columns, (key,))


CALLS, RECORDINGS = _table("calls"), _table("recordings")
TABLES: tuple[RawTable, ...] = (CALLS, RECORDINGS, absences_table(SOURCE))


def listing(table: RawTable, base: str, path: str) -> Resource:
    """The listing of ``table``: every page names the next one."""
    pages = {"type": "json_link", "next_url_path": "next_page_uri"}
    return Resource(table, f"{base}/{path}.json", table.name, {"PageSize": 1000}, pages)
