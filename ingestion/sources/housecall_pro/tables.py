"""What is read from Housecall Pro: listings and raw tables. How they are read is in ``run``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ingestion.landing.changes import absences_table
from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "housecall_pro"


@dataclass(frozen=True)
class Listing:
    """A listing. ``reading``: ``newest_first`` is sorted by ``updated_at`` and read down to the cursor, ``invoices`` by windows, ``whole`` each time.

    ``key``: the name of the array in its answers; ``is_optional``: a plan may not have it.
    """

    path: str
    key: str
    table_name: str
    reading: Literal["newest_first", "invoices", "whole"]
    has_times: bool = True
    is_optional: bool = False

    @property
    def table(self) -> RawTable:
        """The raw table of this listing."""
        columns = [RawColumn("id", "varchar", "$.id")]
        if self.has_times:
            columns.append(RawColumn("created_at", "timestamp", "$.created_at"))
            columns.append(RawColumn("modified_at", "timestamp", "$.updated_at"))
        return RawTable(SOURCE, self.table_name, tuple(columns), ("id",))


LISTINGS: tuple[Listing, ...] = (
    Listing("/employees", "employees", "employees", "whole", has_times=False),
    Listing("/customers", "customers", "customers", "newest_first"),
    Listing("/leads", "leads", "leads", "whole", has_times=False, is_optional=True),
    Listing("/estimates", "estimates", "estimates", "newest_first"),
    Listing("/jobs", "jobs", "jobs", "newest_first"),
    Listing("/invoices", "invoices", "invoices", "invoices", has_times=False),
)

TABLES: tuple[RawTable, ...] = (*(listing.table for listing in LISTINGS), absences_table(SOURCE))
