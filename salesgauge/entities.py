"""The canonical entities: the one list of tables and columns to which every source is mapped.

The file source offers exactly these columns to a mapping, staging models select exactly these, ``docs/tables.md`` refers to it.
How a source is mapped does not belong here (``ingestion``, ``dbt_project/models/staging``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "timestamp", "date", "decimal", "integer", "float", "boolean"]

DUCKDB_TYPES: dict[ColumnType, str] = {
    "text": "varchar",
    "timestamp": "timestamp",
    "date": "date",
    "decimal": "decimal(18, 2)",
    "integer": "bigint",
    "float": "double",
    "boolean": "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column of an entity. ``refers_to`` names the entity whose id it holds: the source's prefix is added to it."""

    name: str
    type: ColumnType
    meaning: str
    refers_to: str | None = None


@dataclass(frozen=True)
class Entity:
    """A canonical table. ``key`` is the column that identifies a record within its source."""

    name: str
    key: str
    meaning: str
    columns: tuple[Column, ...]
    required: tuple[str, ...]

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError if the entity has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


# Of the versions of a record that files hold the newest by it counts (dbt_project/macros/versions.sql).
_UPDATED_AT = ("updated_at", "timestamp", "when the source changed the record last; of its versions the newest counts")


def _columns(*rows: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in (*rows, _UPDATED_AT))  # type: ignore[arg-type]


_SEGMENTS = (
    ("branch", "text", "branch key of process.yml"),
    ("channel", "text", "where the customer came from: paid_search, referral, ..."),
    ("campaign", "text", "marketing campaign"),
    ("service_line", "text", "hvac, plumbing, electrical, ..."),
    ("job_type", "text", "repair, installation, maintenance, ..."),
    ("customer_type", "text", "new or returning"),
)
_PERSON = (
    ("first_name", "text", ""),
    ("last_name", "text", ""),
    ("email", "text", ""),
    ("phone", "text", "as written; compared by its digits"),
    ("postcode", "text", ""),
)
_MERGED_IDS = ("merged_ids", "text", "ids of records that were merged into this one, parted by ; , or |")
_STATE = (
    ("is_deleted", "boolean", "deleted or archived in the source"),
    ("merged_into_id", "text", "the surviving record's id"),
    ("is_test", "boolean", "marked as a test or spam in the source"),
)

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        Entity(
            "users",
            "user_id",
            "people who work on leads and deals",
            _columns(
                ("user_id", "text", "id in the source"),
                ("name", "text", "as reports show it"),
                ("email", "text", ""),
                ("role", "text", ""),
                ("team", "text", ""),
                ("branch", "text", "branch key of process.yml"),
                ("manager", "text", "name of the manager"),
                ("is_active", "boolean", "false: left the company"),
            ),
            ("user_id",),
        ),
        Entity(
            "accounts",
            "account_id",
            "households and companies",
            _columns(
                ("account_id", "text", "id in the source"),
                ("name", "text", ""),
                ("industry", "text", ""),
                ("city", "text", ""),
                ("postcode", "text", ""),
                ("country", "text", ""),
                ("parent", "text", "name of the parent account"),
                ("created_at", "timestamp", ""),
                ("is_deleted", "boolean", ""),
            ),
            ("account_id",),
        ),
        Entity(
            "contacts",
            "contact_id",
            "persons that a source knows beside its leads: of a customer base, a calendar, a form",
            _columns(
                ("contact_id", "text", "id in the source"),
                *_PERSON,
                ("account_id", "text", "", "accounts"),
                ("lead_id", "text", "the lead that this person is, where the source says so", "leads"),
                ("created_at", "timestamp", ""),
                ("is_deleted", "boolean", ""),
                ("merged_into_id", "text", "the surviving contact's id"),
            ),
            ("contact_id",),
        ),
        Entity(
            "products",
            "product_id",
            "what is sold",
            _columns(
                ("product_id", "text", "id in the source, as deals name it"),
                ("name", "text", ""),
                ("series", "text", ""),
                ("list_price_amount", "decimal", "list price, company currency"),
            ),
            ("product_id",),
        ),
        Entity(
            "leads",
            "lead_id",
            "inquiries: persons who asked for something",
            _columns(
                ("lead_id", "text", "id in the source"),
                ("created_at", "timestamp", "when the inquiry arrived"),
                ("created_by", "text", "form, call, chat, rep, import, ..."),
                *_PERSON,
                *_SEGMENTS,
                ("status", "text", "stage or status in the source; mapped by stage_mapping, pipeline 'lead'"),
                (
                    "first_touch_at",
                    "timestamp",
                    "when somebody first reached out to the lead; empty = never, or not known here",
                ),
                ("owner_id", "text", "today's owner", "users"),
                *_STATE,
                _MERGED_IDS,
            ),
            ("lead_id",),
        ),
        Entity(
            "deals",
            "deal_id",
            "opportunities, estimates",
            _columns(
                ("deal_id", "text", "id in the source"),
                ("lead_id", "text", "the lead it came from", "leads"),
                ("account_id", "text", "", "accounts"),
                ("product_id", "text", "", "products"),
                ("name", "text", ""),
                ("pipeline", "text", ""),
                ("stage", "text", "current stage in the source; mapped by stage_mapping"),
                ("amount", "decimal", ""),
                ("currency", "text", "ISO 4217; empty = the company's"),
                ("created_at", "timestamp", ""),
                ("closed_at", "timestamp", "when the source says that it was closed; the ledger decides"),
                ("expected_close_date", "date", ""),
                ("loss_reason", "text", ""),
                ("budget_band", "text", "BANT: budget"),
                ("is_decision_maker", "boolean", "BANT: authority"),
                ("need", "text", "BANT: need"),
                ("wanted_by", "date", "BANT: timeline"),
                ("next_step", "text", ""),
                *_SEGMENTS,
                ("owner_id", "text", "today's owner", "users"),
                *_STATE,
                _MERGED_IDS,
            ),
            ("deal_id",),
        ),
        Entity(
            "deal_leads",
            "link_id",
            "a link table: which leads belong to which deals, where a deal may have several and names none itself",
            _columns(
                ("link_id", "text", "id in the source; derived from file and line where it has none"),
                ("deal_id", "text", "", "deals"),
                ("lead_id", "text", "", "leads"),
                ("is_primary", "boolean", "the one that counts; else the newest lead created at or before the deal"),
            ),
            ("deal_id", "lead_id"),
        ),
        Entity(
            "stage_events",
            "event_id",
            "an event log: one row per entry of a lead or deal into a stage",
            _columns(
                ("event_id", "text", "id in the source; derived from file and line where it has none"),
                ("subject_type", "text", "lead or deal (default deal)"),
                ("subject_id", "text", "id of the lead or deal in the source"),
                ("stage", "text", "stage in the source; mapped by stage_mapping"),
                ("pipeline", "text", ""),
                ("at", "timestamp", "when the stage was entered"),
                ("owner_id", "text", "who did it", "users"),
                ("source_order", "integer", "breaks ties of 'at'"),
            ),
            ("subject_id", "stage", "at"),
        ),
        Entity(
            "field_history",
            "event_id",
            "one row per change of a field",
            _columns(
                ("event_id", "text", "id in the source; derived from file and line where it has none"),
                ("subject_type", "text", "lead or deal"),
                ("subject_id", "text", "id of the lead or deal in the source"),
                ("field", "text", "canonical column name: owner_id, amount, expected_close_date, ..."),
                ("value", "text", "as text; empty = cleared"),
                ("at", "timestamp", ""),
                ("source_order", "integer", "breaks ties of 'at'"),
            ),
            ("subject_type", "subject_id", "field", "at"),
        ),
        Entity(
            "activities",
            "activity_id",
            "calls, e-mails, texts, meetings, tasks, notes",
            _columns(
                ("activity_id", "text", "id in the source"),
                ("type", "text", "call, email, text, meeting, task, note"),
                ("direction", "text", "inbound or outbound; empty where it has none"),
                ("is_automated", "boolean", "sent or set by software, not by a person"),
                (
                    "outcome",
                    "text",
                    "call: answered, missed, no_answer, busy, failed; meeting: scheduled, held, no_show, canceled",
                ),
                ("created_at", "timestamp", "when it was recorded; for a meeting: when it was set"),
                ("at", "timestamp", "when it took place; for a meeting: its start; for a task: when it is due"),
                ("duration_seconds", "float", ""),
                ("user_id", "text", "who", "users"),
                ("lead_id", "text", "", "leads"),
                ("deal_id", "text", "", "deals"),
                ("is_deleted", "boolean", ""),
            ),
            ("activity_id", "type", "at"),
        ),
        Entity(
            "calls",
            "call_id",
            "calls of a telephone system (not of the CRM)",
            _columns(
                ("call_id", "text", "id in the source"),
                ("at", "timestamp", ""),
                ("direction", "text", "inbound or outbound"),
                ("is_answered", "boolean", ""),
                ("outcome", "text", "connected, voicemail, no answer, busy …: what denies an answer is believed"),
                (
                    "duration_seconds",
                    "float",
                    "from the first ring to the end; where it is empty, wait and talk together",
                ),
                ("is_lead", "boolean", "whether people say that it was about work to be had; empty = nobody said"),
                ("wait_seconds", "float", "until somebody answered, or the caller gave up"),
                ("talk_seconds", "float", "how long people talked; 0 where nobody answered"),
                ("queue", "text", "the line or group that was called"),
                ("agent", "text", "who took it: e-mail or name; finds the user where there is no user_id"),
                ("from_number", "text", ""),
                ("to_number", "text", ""),
                ("channel", "text", ""),
                ("campaign", "text", ""),
                ("user_id", "text", "", "users"),
                ("lead_id", "text", "", "leads"),
                ("recording_url", "text", ""),
                ("transcript", "text", ""),
                ("keywords", "text", "found in the call, separated by commas"),
            ),
            ("call_id", "at"),
        ),
        Entity(
            "appointments",
            "appointment_id",
            "consultations and visits",
            _columns(
                ("appointment_id", "text", "id in the source"),
                ("created_at", "timestamp", "when it was set"),
                ("starts_at", "timestamp", ""),
                ("ends_at", "timestamp", ""),
                ("status", "text", "scheduled, held, no_show, canceled"),
                ("is_self_booked", "boolean", "set by the customer: no answer of ours"),
                ("email", "text", "the customer's: finds the lead where there is no lead_id"),
                ("phone", "text", "the customer's, likewise"),
                ("first_name", "text", ""),
                ("last_name", "text", ""),
                ("user_email", "text", "finds the user where there is no user_id"),
                ("user_id", "text", "", "users"),
                ("lead_id", "text", "", "leads"),
                ("deal_id", "text", "", "deals"),
                ("job_id", "text", "", "jobs"),
                ("is_deleted", "boolean", ""),
            ),
            ("appointment_id", "starts_at"),
        ),
        Entity(
            "estimates",
            "estimate_id",
            "priced offers to a customer; a deal may have several",
            _columns(
                ("estimate_id", "text", "id in the source"),
                ("deal_id", "text", "", "deals"),
                ("lead_id", "text", "", "leads"),
                ("job_id", "text", "", "jobs"),
                ("name", "text", ""),
                ("status", "text", "draft, sent, approved, declined, expired"),
                ("created_at", "timestamp", ""),
                ("sent_at", "timestamp", ""),
                ("decided_at", "timestamp", "when it was approved or declined"),
                ("options", "integer", "how many options it offers; several estimates of a deal add up"),
                ("amount", "decimal", ""),
                ("currency", "text", "ISO 4217; empty = the company's"),
                ("user_id", "text", "who sells it", "users"),
                ("is_deleted", "boolean", ""),
            ),
            ("estimate_id",),
        ),
        Entity(
            "jobs",
            "job_id",
            "work that was sold",
            _columns(
                ("job_id", "text", "id in the source"),
                ("deal_id", "text", "", "deals"),
                ("lead_id", "text", "", "leads"),
                ("account_id", "text", "", "accounts"),
                ("user_id", "text", "who does it", "users"),
                ("created_at", "timestamp", ""),
                ("scheduled_at", "timestamp", ""),
                ("completed_at", "timestamp", ""),
                ("status", "text", "unscheduled, scheduled, in_progress, on_hold, completed, canceled"),
                ("amount", "decimal", ""),
                ("is_deleted", "boolean", ""),
            ),
            ("job_id",),
        ),
        Entity(
            "invoices",
            "invoice_id",
            "invoices and what was paid of them",
            _columns(
                ("invoice_id", "text", "id in the source"),
                ("job_id", "text", "", "jobs"),
                ("deal_id", "text", "", "deals"),
                ("invoiced_at", "timestamp", ""),
                ("paid_at", "timestamp", "when it was paid in full"),
                ("amount", "decimal", ""),
                ("paid_amount", "decimal", ""),
                ("currency", "text", "ISO 4217; empty = the company's"),
                ("status", "text", "draft, open, paid, void, bad_debt"),
                ("is_deleted", "boolean", ""),
            ),
            ("invoice_id",),
        ),
        Entity(
            "payments",
            "payment_id",
            "what customers paid, and refunds",
            _columns(
                ("payment_id", "text", "id in the source"),
                ("invoice_id", "text", "", "invoices"),
                ("paid_at", "timestamp", ""),
                ("amount", "decimal", "a refund is negative"),
                ("currency", "text", "ISO 4217; empty = the company's"),
                ("method", "text", "card, cash, check, ..."),
                ("is_deleted", "boolean", ""),
            ),
            ("payment_id",),
        ),
        Entity(
            "campaigns",
            "campaign_id",
            "marketing campaigns",
            _columns(
                ("campaign_id", "text", "id in the source"),
                ("name", "text", "as leads and spend name it"),
                ("channel", "text", ""),
                ("is_active", "boolean", ""),
            ),
            ("campaign_id",),
        ),
        Entity(
            "spend",
            "spend_id",
            "marketing spend per day and campaign",
            _columns(
                ("spend_id", "text", "id in the source; derived from file and line where it has none"),
                ("date", "date", ""),
                ("channel", "text", ""),
                ("campaign", "text", ""),
                ("amount", "decimal", ""),
                ("currency", "text", "ISO 4217; empty = the company's"),
            ),
            ("date", "amount"),
        ),
        Entity(
            "web_events",
            "event_id",
            "events of the company's website",
            _columns(
                ("event_id", "text", "id in the source; derived from file and line where it has none"),
                ("at", "timestamp", ""),
                ("event", "text", "page_view, form_start, form_submit, generate_lead, ..."),
                ("visitor_id", "text", ""),
                ("session_id", "text", ""),
                ("page", "text", ""),
                ("traffic_source", "text", ""),
                ("medium", "text", ""),
                ("campaign", "text", ""),
                ("form_id", "text", ""),
                ("device", "text", "desktop, mobile, tablet"),
            ),
            ("at", "event"),
        ),
        Entity(
            "web_sessions",
            "session_key",
            "sessions of the company's website, counted per day and origin (of sources that give no events)",
            _columns(
                ("session_key", "text", "derived from file and line where the source has none"),
                ("date", "date", ""),
                ("channel", "text", ""),
                ("traffic_source", "text", ""),
                ("medium", "text", ""),
                ("campaign", "text", ""),
                ("landing_page", "text", ""),
                ("sessions", "integer", ""),
                ("engaged_sessions", "integer", ""),
                ("users", "integer", ""),
                ("conversions", "float", "key events; fractions are attribution's"),
                ("is_sampled", "boolean", "counted from a sample"),
                ("is_thresholded", "boolean", "small groups were withheld"),
            ),
            ("date", "sessions"),
        ),
        Entity(
            "form_submissions",
            "submission_id",
            "what visitors sent off with a form",
            _columns(
                ("submission_id", "text", "id in the source; derived from file and line where it has none"),
                ("form_id", "text", ""),
                ("form", "text", "its name"),
                ("submitted_at", "timestamp", ""),
                ("first_name", "text", ""),
                ("last_name", "text", ""),
                ("email", "text", ""),
                ("phone", "text", ""),
                ("page", "text", ""),
                ("channel", "text", ""),
                ("campaign", "text", ""),
                ("lead_id", "text", "", "leads"),
            ),
            ("submitted_at",),
        ),
        Entity(
            "timesheet_entries",
            "entry_id",
            "time that people booked",
            _columns(
                ("entry_id", "text", "id in the source; derived from file and line where it has none"),
                ("user_id", "text", "", "users"),
                ("starts_at", "timestamp", ""),
                ("ends_at", "timestamp", ""),
                ("activity", "text", "what it was spent on; classed by activity_classes of process.yml"),
                ("deal_id", "text", "", "deals"),
                ("job_id", "text", "", "jobs"),
            ),
            ("user_id", "starts_at"),
        ),
        Entity(
            "survey_answers",
            "response_id",
            "one row per survey response",
            _columns(
                ("response_id", "text", "id in the source"),
                ("form_id", "text", ""),
                ("submitted_at", "timestamp", "empty: not finished"),
                ("nps_score", "integer", "0-10"),
                ("csat_score", "integer", "1-5"),
                ("comment", "text", ""),
                ("email", "text", "links the answer to a lead"),
                ("lead_id", "text", "", "leads"),
                ("deal_id", "text", "", "deals"),
            ),
            ("response_id",),
        ),
    )
}
