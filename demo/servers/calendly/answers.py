"""What Calendly's answers look like: the token's user, appointments with invitees, small lists, routing forms, errors."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import Field, model_validator

from demo.servers.shapes import Endpoint, Microseconds, Number, OpenShape, Shape, Shapes, matching, one_of

_API = r"https://api\.calendly\.com"
_ID = "[A-Za-z0-9_-]+"


def _uri(kind: str) -> Any:
    return matching(f"{_API}/{kind}/{_ID}")


EventUri, TypeUri, UserUri = _uri("scheduled_events"), _uri("event_types"), _uri("users")
OrganizationUri, FormUri = _uri("organizations"), _uri("routing_forms")
InviteeUri = matching(f"{_API}/scheduled_events/{_ID}/invitees/{_ID}")
Item = TypeVar("Item")


class Pagination(Shape):
    """Which page follows; both nulls are told."""

    count: int
    next_page: str | None
    previous_page: str | None
    next_page_token: str | None
    previous_page_token: str | None

    @model_validator(mode="after")
    def _agrees(self) -> Pagination:
        if (self.next_page is None) != (self.next_page_token is None):
            raise ValueError("next_page and next_page_token come together")
        return self


class Collection(Shape, Generic[Item]):
    """A page of a list."""

    collection: list[Item] = Field(max_length=100)
    pagination: Pagination

    @model_validator(mode="after")
    def _is_counted(self) -> Collection[Item]:
        if self.pagination.count != len(self.collection):
            raise ValueError("pagination.count is not the number of items")
        return self


class Cancellation(Shape):
    """Who canceled, and when."""

    canceled_by: str
    reason: str | None
    canceler_type: one_of("host", "invitee")
    created_at: Microseconds


class Counter(Shape):
    """Invitees of an appointment."""

    total: int
    active: int
    limit: int


class Host(Shape):
    """A member who holds an appointment."""

    user: UserUri
    user_email: str
    user_name: str
    buffered_start_time: Microseconds | None = None
    buffered_end_time: Microseconds | None = None


class Event(Shape):
    """An appointment. ``cancellation`` is there on canceled ones only."""

    uri: EventUri
    name: str | None
    status: one_of("active", "canceled")
    start_time: Microseconds
    end_time: Microseconds
    event_type: TypeUri | None
    location: dict[str, Any] | None
    invitees_counter: Counter
    event_memberships: list[Host]
    event_guests: list[dict[str, Any]]
    calendar_event: dict[str, Any] | None
    cancellation: Cancellation | None = None
    meeting_notes_plain: str | None = None
    meeting_notes_html: str | None = None
    created_at: Microseconds
    updated_at: Microseconds

    @model_validator(mode="after")
    def _is_canceled_or_not(self) -> Event:
        if (self.status == "canceled") != ("cancellation" in self.model_fields_set):
            raise ValueError("cancellation belongs to canceled appointments, and to them only")
        return self


class Question(Shape):
    """A question of the booking page and what was answered."""

    question: str
    answer: str
    position: int


class Tracking(Shape):
    """Where the visitor came from; every key is told."""

    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_content: str | None
    utm_term: str | None
    salesforce_uuid: str | None


class NoShow(Shape):
    """The mark of a host."""

    uri: _uri("invitee_no_shows")
    created_at: Microseconds


class Payment(Shape):
    """What was paid at booking."""

    external_id: str
    provider: one_of("stripe", "paypal")
    amount: Number
    currency: one_of("AUD", "CAD", "EUR", "GBP", "USD")
    terms: str | None
    successful: bool


class Invitee(Shape):
    """Who was booked. What is not known is null."""

    uri: InviteeUri
    event: EventUri
    email: str
    name: str
    first_name: str | None
    last_name: str | None
    status: one_of("active", "canceled")
    timezone: str | None
    questions_and_answers: list[Question]
    tracking: Tracking
    rescheduled: bool
    old_invitee: InviteeUri | None
    new_invitee: InviteeUri | None
    cancellation: Cancellation | None = None
    no_show: NoShow | None
    payment: Payment | None
    reconfirmation: dict[str, Any] | None
    routing_form_submission: _uri("routing_form_submissions") | None
    scheduling_method: str | None = None
    invitee_scheduled_by: UserUri | None = None
    text_reminder_number: str | None
    cancel_url: str
    reschedule_url: str
    created_at: Microseconds
    updated_at: Microseconds

    @model_validator(mode="after")
    def _was_moved_or_not(self) -> Invitee:
        if self.rescheduled != (self.new_invitee is not None):
            raise ValueError("a rescheduled invitee names the new one, and no other does")
        return self


class EventType(OpenShape):
    """A kind of meeting."""

    uri: TypeUri
    name: str
    active: bool
    created_at: Microseconds
    updated_at: Microseconds


class User(OpenShape):
    """A person."""

    uri: UserUri
    name: str
    email: str


class Membership(OpenShape):
    """A person's place in the organization."""

    uri: _uri("organization_memberships")
    role: one_of("user", "admin", "owner")
    user: User
    organization: OrganizationUri
    created_at: Microseconds
    updated_at: Microseconds


class RoutingForm(OpenShape):
    """A routing form."""

    uri: FormUri
    name: str
    organization: OrganizationUri
    created_at: Microseconds
    updated_at: Microseconds


class RoutingAnswer(Shape):
    """A question of a routing form and what was answered."""

    question_uuid: str
    question: str
    answer: str


class Submission(OpenShape):
    """A routing form that was filled in. ``submitter``: the invitee where a booking followed."""

    uri: _uri("routing_form_submissions")
    routing_form: FormUri
    questions_and_answers: list[RoutingAnswer]
    result: dict[str, Any] | None
    submitter: InviteeUri | None
    submitter_type: str | None
    tracking: Tracking
    created_at: Microseconds
    updated_at: Microseconds


class Account(OpenShape):
    """The token's user."""

    uri: UserUri
    current_organization: OrganizationUri


class Me(Shape):
    """One thing, wrapped."""

    resource: Account


class Error(Shape):
    """A refusal."""

    title: str
    message: str
    details: list[dict[str, str]] | None = None


def shapes() -> Shapes:
    """All answers of Calendly."""
    return Shapes(
        "Calendly",
        (
            Endpoint("/users/me", Me),
            Endpoint("/scheduled_events", Collection[Event]),
            Endpoint(f"/scheduled_events/{_ID}/invitees", Collection[Invitee]),
            Endpoint("/event_types", Collection[EventType]),
            Endpoint("/organization_memberships", Collection[Membership]),
            Endpoint("/routing_forms", Collection[RoutingForm]),
            Endpoint("/routing_form_submissions", Collection[Submission]),
        ),
        Error,
    )
