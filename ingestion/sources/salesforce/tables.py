"""What is read from Salesforce: objects and their raw tables. How they are read is in ``run``."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "salesforce"
# 2026-02-01T09:00:00.000+0000: DuckDB takes no offset without a colon
# Times end in +0000, which a cast does not know; the regular expression, for other ways to write it, is slow.
_MOMENT = (
    "try_cast(case when suffix({value}, '+0000') then left({value}, length({value}) - 5) "
    "else regexp_replace({value}, '[+]00:?00$', 'Z') end as timestamp)"
)
_EXPECTED = "a time like 2026-02-01T09:00:00.000+0000"


@dataclass(frozen=True)
class SObject:
    """An object: ``cursor`` is the field that moves with every change (None: read as a whole each time); ``is_optional``: an org may not have
    it, or not show it to the user.
    """

    name: str
    table_name: str
    cursor: str | None = "SystemModstamp"
    is_optional: bool = True

    @property
    def table(self) -> RawTable:
        """The raw table of this object."""
        columns = (
            RawColumn("id", "varchar", "$.Id", required=True),
            RawColumn("created_at", "timestamp", "$.CreatedDate", convert=_MOMENT, expected=_EXPECTED),
            RawColumn("modified_at", "timestamp", "$.SystemModstamp", convert=_MOMENT, expected=_EXPECTED),
            RawColumn("is_deleted", "boolean", "$.IsDeleted"),
        )
        return RawTable(SOURCE, self.table_name, columns, ("id",), is_bulk=True)


SOBJECTS: tuple[SObject, ...] = (
    SObject("Lead", "leads", is_optional=False),
    SObject("Opportunity", "opportunities", is_optional=False),
    SObject("User", "users", is_optional=False),
    SObject("OpportunityHistory", "opportunity_history", "CreatedDate", is_optional=False),
    SObject("OpportunityFieldHistory", "opportunity_field_history", "CreatedDate"),
    SObject("LeadHistory", "lead_history", "CreatedDate"),
    SObject("OpportunityContactRole", "opportunity_contact_roles"),
    SObject("Contact", "contacts"),
    SObject("Account", "accounts"),
    SObject("Task", "tasks"),
    SObject("Event", "events"),
    SObject("EmailMessage", "email_messages"),
    SObject("Campaign", "campaigns"),
    SObject("CampaignMember", "campaign_members"),
    SObject("UserRole", "user_roles"),
    SObject("OpportunityStage", "opportunity_stages", None),
    SObject("LeadStatus", "lead_statuses", None),
)

TABLES: tuple[RawTable, ...] = tuple(sobject.table for sobject in SOBJECTS)
