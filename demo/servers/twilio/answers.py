"""What Twilio's answers look like: pages of calls and recordings, errors. Numbers are text, times RFC 2822, what is not known null or empty."""

from __future__ import annotations

from pydantic import Field, model_validator

from demo.servers.shapes import Endpoint, OpenShape, Rfc2822, Shape, Shapes, matching, one_of

_BASE = r"/2010-04-01/Accounts/AC[0-9a-zA-Z]+"
CallSid, AccountSid, RecordingSid = (matching(f"{prefix}[0-9a-zA-Z]+") for prefix in ("CA", "AC", "RE"))
Whole = matching(r"\d+")
Price = matching(r"-?\d+(\.\d+)?")
Phone = matching(r"\+\d{5,15}|client:.+|sips?:.+|anonymous")
PageUri = matching(rf"{_BASE}/(Calls|Recordings)\.json\?.+")


class Call(Shape):
    """One leg of a call."""

    sid: CallSid
    parent_call_sid: CallSid | None
    account_sid: AccountSid
    to: Phone
    to_formatted: str
    from_: Phone = Field(alias="from")
    from_formatted: str
    phone_number_sid: str | None
    status: one_of("queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled")
    start_time: Rfc2822 | None
    end_time: Rfc2822 | None
    date_created: Rfc2822
    date_updated: Rfc2822
    duration: Whole | None
    price: Price | None
    price_unit: matching("[A-Z]{3}")
    direction: one_of("inbound", "outbound-api", "outbound-dial", "trunking-originating", "trunking-terminating")
    answered_by: str | None
    forwarded_from: str | None
    caller_name: str | None
    queue_time: Whole | None
    trunk_sid: str | None
    group_sid: str | None
    api_version: matching("2010-04-01")
    uri: matching(rf"{_BASE}/Calls/CA\w+\.json")
    subresource_uris: dict[str, str]

    @model_validator(mode="after")
    def _is_a_leg(self) -> Call:
        if (self.direction == "outbound-dial") != (self.parent_call_sid is not None):
            raise ValueError("a dialled leg names its parent_call_sid, and no other does")
        if self.status in ("queued", "ringing") and self.end_time is not None:
            raise ValueError("a call that has not begun has no end_time")
        return self


class Recording(OpenShape):
    """The recording of a call."""

    sid: RecordingSid
    account_sid: AccountSid
    call_sid: CallSid
    duration: Whole | None
    date_created: Rfc2822
    start_time: Rfc2822
    status: one_of("in-progress", "paused", "stopped", "processing", "completed", "absent", "deleted")
    channels: int
    uri: matching(rf"{_BASE}/Recordings/RE\w+\.json")


class Page(Shape):
    """The envelope of a list; ``next_page_uri`` is null at its end."""

    page: int
    page_size: int = Field(le=1000)
    start: int
    end: int
    uri: PageUri
    first_page_uri: PageUri
    previous_page_uri: PageUri | None
    next_page_uri: PageUri | None


class Calls(Page):
    """A page of calls."""

    calls: list[Call]


class Recordings(Page):
    """A page of recordings."""

    recordings: list[Recording]


class Error(Shape):
    """A refusal."""

    code: int
    message: str
    more_info: matching(r"https://www\.twilio\.com/docs/errors/\d+")
    status: int


def shapes() -> Shapes:
    """All answers of Twilio."""
    return Shapes(
        "Twilio", (Endpoint(rf"{_BASE}/Calls\.json", Calls), Endpoint(rf"{_BASE}/Recordings\.json", Recordings)), Error
    )
