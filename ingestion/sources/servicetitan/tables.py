"""What is read from ServiceTitan: export feeds and lists, with their raw tables. How they are read is in ``run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "servicetitan"


@dataclass(frozen=True)
class Feed:
    """An export feed, or a list where there is none (``is_list``). ``is_optional``: the app may lack its scope, or the tenant the module."""

    module: str
    resource: str
    table_name: str
    is_list: bool = False
    is_optional: bool = True
    key: tuple[tuple[str, str], ...] = (("id", "$.id"),)
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path after the tenant's base address: ``{tenant}`` is to be filled in."""
        return f"/{self.module}/v2/tenant/{{tenant}}/{'' if self.is_list else 'export/'}{self.resource}"

    @property
    def name(self) -> str:
        """What the vendor calls its scope's object."""
        return f"{self.module}/{self.resource}"

    @property
    def table(self) -> RawTable:
        """The raw table of this feed."""
        columns = tuple(RawColumn(name, "varchar", path) for name, path in self.key)
        if self.key[0][0] == "id":
            columns += (
                RawColumn("created_at", "timestamp", "$.createdOn"),
                RawColumn("modified_at", "timestamp", "$.modifiedOn"),
                RawColumn("is_active", "boolean", "$.active"),
            )
        return RawTable(SOURCE, self.table_name, columns, tuple(name for name, _ in self.key))


_COST = (("campaign_id", "$.campaignId"), ("year", "$.year"), ("month", "$.month"))

FEEDS: tuple[Feed, ...] = (
    Feed("jpm", "jobs", "jobs", is_optional=False),
    Feed("sales", "estimates", "estimates", is_optional=False),
    Feed("settings", "employees", "employees", is_optional=False),
    Feed("settings", "technicians", "technicians", is_optional=False),
    Feed("settings", "business-units", "business_units", is_optional=False),
    Feed("crm", "leads", "leads"),
    Feed("crm", "bookings", "bookings"),
    Feed("crm", "customers", "customers"),
    Feed("crm", "customers/contacts", "customer_contacts"),
    Feed("crm", "locations", "locations"),
    Feed("telecom", "calls", "calls"),
    Feed("jpm", "job-history", "job_history", key=(("job_id", "$.jobId"),)),
    Feed("jpm", "job-canceled-logs", "job_canceled_logs"),
    Feed("jpm", "appointments", "appointments"),
    Feed("dispatch", "appointment-assignments", "appointment_assignments"),
    Feed("accounting", "invoices", "invoices"),
    Feed("accounting", "payments", "payments"),
    Feed("jpm", "job-types", "job_types", is_list=True, params={"active": "Any"}),
    Feed("jpm", "job-cancel-reasons", "job_cancel_reasons", is_list=True, params={"active": "Any"}),
    Feed("marketing", "campaigns", "campaigns", is_list=True, params={"active": "Any"}),
    Feed("marketing", "costs", "campaign_costs", is_list=True, key=_COST),
)

# What became of an estimate and when: one request for each, so only of those that were dismissed since the last sync.
ESTIMATE_CHANGES = RawTable(
    SOURCE,
    "estimate_changes",
    (
        RawColumn("estimate_id", "varchar", "$.estimateId"),
        RawColumn("id", "varchar", "$.id"),
        RawColumn("created_at", "timestamp", "$.createdOn", required=True),
    ),
    ("estimate_id", "id"),
)

TABLES: tuple[RawTable, ...] = (*(feed.table for feed in FEEDS), ESTIMATE_CHANGES)
