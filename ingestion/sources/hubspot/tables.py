"""What is read from HubSpot: the raw tables, and per object type the properties, histories and links. How it is read is in ``api``."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.landing.changes import absences_table
from ingestion.rawlog.declarations import RawColumn, RawTable

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

    ``has_custom``: the account's own properties are requested too. ``can_merge``: two records can become one, so that ids vanish without being
    archived. ``is_optional``: not every account has or may read it; what is refused is said, and the rest is read.
    """

    name: str
    modified: str
    properties: tuple[str, ...]
    history: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    has_custom: bool = False
    can_merge: bool = False
    is_optional: bool = False

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
        can_merge=True,
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
        can_merge=True,
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
        can_merge=True,
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
    ObjectType(
        "leads",
        "hs_lastmodifieddate",
        (
            *_RECORD,
            *("hs_createdate", "hs_lastmodifieddate", "hs_lead_name", "hs_lead_type", "hs_lead_label"),
            *("hs_pipeline", "hs_pipeline_stage", "hs_merged_object_ids"),
        ),
        history=("hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id"),
        links=("contacts",),
        has_custom=True,
    ),
    ObjectType(
        "quotes",
        "hs_lastmodifieddate",
        (
            *_RECORD,
            *("hs_createdate", "hs_lastmodifieddate", "hs_title", "hs_status", "hs_quote_amount", "hs_currency"),
            *("hs_expiration_date", "hs_payment_status", "hs_payment_date", "hs_quote_number"),
        ),
        history=("hs_status",),
        links=("deals",),
        is_optional=True,
    ),
    ObjectType(
        "invoices",
        "hs_lastmodifieddate",
        (
            *_RECORD,
            *("hs_createdate", "hs_lastmodifieddate", "hs_invoice_status", "hs_invoice_date", "hs_due_date"),
            *("hs_amount_billed", "hs_amount_paid", "hs_balance_due", "hs_currency", "hs_payment_date", "hs_number"),
        ),
        links=("deals",),
        is_optional=True,
    ),
    ObjectType(
        "commerce_payments",
        "hs_lastmodifieddate",
        (
            *_RECORD,
            *("hs_createdate", "hs_lastmodifieddate", "hs_initial_amount", "hs_refunds_amount", "hs_currency_code"),
            *("hs_initiated_date", "hs_latest_status", "hs_payment_method_type", "hs_payment_type"),
        ),
        links=("invoices",),
        is_optional=True,
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

# What HubSpot remembers of pipelines and stages that it lists no more; ``stage_id`` is empty for the pipeline itself.
PIPELINE_AUDITS = RawTable(
    SOURCE,
    "pipeline_audits",
    (
        RawColumn("object_type", "varchar", "$.object_type", required=True),
        RawColumn("pipeline_id", "varchar", "$.pipeline_id", required=True),
        RawColumn("stage_id", "varchar", "$.stage_id"),
        RawColumn("is_found", "boolean", "$.is_found", required=True),
    ),
    ("object_type", "pipeline_id", "stage_id"),
)

FORMS = RawTable(
    SOURCE,
    "forms",
    (
        RawColumn("id", "varchar", "$.id", required=True),
        RawColumn("name", "varchar", "$.name"),
        RawColumn("updated_at", "timestamp", "$.updatedAt"),
    ),
    ("id",),
)

FORM_SUBMISSIONS = RawTable(
    SOURCE,
    "form_submissions",
    (
        RawColumn("form_id", "varchar", "$.formId", required=True),
        RawColumn("id", "varchar", "$.conversionId", required=True),
        RawColumn(
            "submitted_at",
            "timestamp",
            "$.submittedAt",
            required=True,
            convert="make_timestamp(try_cast({value} as bigint) * 1000)",
            expected="a time in milliseconds since 1970",
        ),
    ),
    ("form_id", "id"),
)

ABSENCES = absences_table(SOURCE)

TABLES: tuple[RawTable, ...] = (
    *(kind.table for kind in OBJECTS),
    OWNERS,
    PIPELINES,
    ASSOCIATIONS,
    PIPELINE_AUDITS,
    FORMS,
    FORM_SUBMISSIONS,
    ABSENCES,
)
