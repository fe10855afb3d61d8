"""What is read from HubSpot: the raw tables, and per object type the properties, histories and links. How it is read is in ``api``."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.landing import RawColumn, RawTable

SOURCE = "hubspot"

_RECORD = (
    "hs_object_id",
    "hs_object_source",
    "hs_object_source_label",
    "hs_object_source_detail_1",
    "hubspot_owner_id",
)
_ORIGIN = ("hs_analytics_source", "hs_analytics_source_data_1", "hs_analytics_source_data_2")
_ACTIVITY = (
    *_RECORD,
    "hs_createdate",
    "hs_lastmodifieddate",
    "hs_timestamp",
    "hs_activity_type",
    "hs_merged_object_ids",
)


@dataclass(frozen=True)
class ObjectType:
    """An object type: ``modified`` is the property that changes with every edit; ``links`` are the types whose links are read for it.

    ``has_custom``: the account's own properties are requested too.
    """

    name: str
    modified: str
    properties: tuple[str, ...]
    history: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    has_custom: bool = False

    @property
    def list_size(self) -> int:
        """Records per page of the listing and per batch read: the API allows 50 with histories, else 100."""
        return 50 if self.history else 100

    @property
    def table(self) -> RawTable:
        """The raw table of this object type."""
        return RawTable(SOURCE, self.name, _OBJECT_COLUMNS, ("id",))


_OBJECT_COLUMNS = (
    RawColumn("id", "varchar", "$.id", required=True),
    RawColumn("created_at", "timestamp", "$.createdAt"),
    RawColumn("updated_at", "timestamp", "$.updatedAt", required=True),
    RawColumn("is_archived", "boolean", "$.archived"),
    RawColumn("archived_at", "timestamp", "$.archivedAt"),
)

OBJECTS: tuple[ObjectType, ...] = (
    ObjectType(
        "contacts",
        "lastmodifieddate",
        (
            *_RECORD,
            *_ORIGIN,
            *(
                "createdate",
                "lastmodifieddate",
                "hs_createdate",
                "email",
                "firstname",
                "lastname",
                "phone",
                "mobilephone",
            ),
            *(
                "address",
                "city",
                "state",
                "zip",
                "country",
                "company",
                "associatedcompanyid",
                "hs_lead_status",
                "lifecyclestage",
            ),
            *("hubspot_owner_assigneddate", "hs_merged_object_ids", "hs_calculated_merged_vids", "hs_google_click_id"),
        ),
        history=("hs_lead_status", "lifecyclestage", "hubspot_owner_id"),
        has_custom=True,
    ),
    ObjectType(
        "companies",
        "hs_lastmodifieddate",
        (
            *_RECORD,
            *(
                "createdate",
                "hs_createdate",
                "hs_lastmodifieddate",
                "name",
                "domain",
                "industry",
                "phone",
                "city",
                "state",
                "zip",
            ),
            *("country", "hs_parent_company_id", "hs_merged_object_ids"),
        ),
        has_custom=True,
    ),
    ObjectType(
        "deals",
        "hs_lastmodifieddate",
        (
            *_RECORD,
            *_ORIGIN,
            *(
                "createdate",
                "hs_createdate",
                "hs_lastmodifieddate",
                "dealname",
                "dealtype",
                "dealstage",
                "pipeline",
                "amount",
            ),
            *("amount_in_home_currency", "deal_currency_code", "closedate", "closed_lost_reason", "closed_won_reason"),
            *(
                "hs_is_closed",
                "hs_is_closed_won",
                "hs_next_step",
                "hs_merged_object_ids",
                "hs_v2_date_entered_current_stage",
            ),
            *("hs_forecast_amount", "hs_manual_forecast_category", "hs_deal_stage_probability"),
        ),
        history=("dealstage", "pipeline", "amount", "closedate", "hubspot_owner_id"),
        links=("contacts", "companies"),
        has_custom=True,
    ),
    ObjectType(
        "calls",
        "hs_lastmodifieddate",
        (
            *_ACTIVITY,
            *(
                "hs_call_title",
                "hs_call_direction",
                "hs_call_duration",
                "hs_call_status",
                "hs_call_disposition",
                "hs_call_source",
            ),
            *("hs_call_from_number", "hs_call_to_number"),
        ),
        links=("contacts", "deals"),
    ),
    ObjectType(
        "emails",
        "hs_lastmodifieddate",
        (*_ACTIVITY, "hs_email_direction", "hs_email_status", "hs_email_subject", "hs_sequence_id"),
        links=("contacts", "deals"),
    ),
    ObjectType(
        "meetings",
        "hs_lastmodifieddate",
        (
            *_ACTIVITY,
            *(
                "hs_meeting_title",
                "hs_meeting_start_time",
                "hs_meeting_end_time",
                "hs_meeting_outcome",
                "hs_meeting_source",
            ),
            "hs_meeting_location_type",
        ),
        links=("contacts", "deals"),
    ),
    ObjectType(
        "tasks",
        "hs_lastmodifieddate",
        (
            *_ACTIVITY,
            *("hs_task_subject", "hs_task_status", "hs_task_type", "hs_task_priority", "hs_task_completion_date"),
        ),
        links=("contacts", "deals"),
    ),
)

OWNERS = RawTable(
    SOURCE,
    "owners",
    (
        RawColumn("id", "varchar", "$.id", required=True),
        RawColumn("email", "varchar", "$.email"),
        RawColumn("first_name", "varchar", "$.firstName"),
        RawColumn("last_name", "varchar", "$.lastName"),
        RawColumn("is_archived", "boolean", "$.archived"),
    ),
    ("id",),
)

PIPELINES = RawTable(
    SOURCE,
    "pipelines",
    (
        RawColumn("object_type", "varchar", "$.object_type", required=True),
        RawColumn("id", "varchar", "$.id", required=True),
        RawColumn("label", "varchar", "$.label"),
    ),
    ("object_type", "id"),
)

ASSOCIATIONS = RawTable(
    SOURCE,
    "associations",
    (
        RawColumn("from_type", "varchar", "$.from_type", required=True),
        RawColumn("from_id", "varchar", "$.from_id", required=True),
        RawColumn("to_type", "varchar", "$.to_type", required=True),
        RawColumn("to_ids", "varchar[]", "$.to_ids", required=True),
    ),
    ("from_type", "from_id", "to_type"),
)

TABLES: tuple[RawTable, ...] = (*(kind.table for kind in OBJECTS), OWNERS, PIPELINES, ASSOCIATIONS)
