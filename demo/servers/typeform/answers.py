"""What Typeform's answers look like: forms, their definitions, responses with their answers, errors."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from demo.servers.shapes import Endpoint, Number, Offset, OpenShape, Seconds, Shape, Shapes

NEVER = "0001-01-01T00:00:00Z"
# what a kind of answer holds under its own name
_VALUES: dict[str, type | tuple[type, ...]] = {
    "text": str, "choice": dict, "choices": dict, "number": (int, float), "boolean": bool, "email": str, "url": str,
    "phone_number": str, "date": str, "file_url": str, "payment": dict,
}  # fmt: skip


class Field_(Shape):
    """The question that an answer belongs to."""

    id: str
    type: str
    ref: str


class Answer(OpenShape):
    """``{field, type, <type>: value}``."""

    field: Field_
    type: str

    @model_validator(mode="after")
    def _has_its_value(self) -> Answer:
        found = self.model_extra or {}
        expected = _VALUES.get(self.type)
        if expected is None:
            raise ValueError(f"type is {self.type!r}, which is no kind of answer")
        if set(found) != {self.type}:
            raise ValueError(
                f"an answer of type {self.type} holds '{self.type}' and no other value, found {sorted(found)}"
            )
        value = found[self.type]
        if not isinstance(value, expected) or (expected == (int, float) and isinstance(value, bool)):
            raise ValueError(f"'{self.type}' is {value!r}")
        return self


class Metadata(Shape):
    """Where a response came from."""

    user_agent: str
    platform: str
    referer: str
    network_id: str
    browser: str


class Calculated(Shape):
    """The score."""

    score: Number


class Response(Shape):
    """A response: completed, partial (``submitted_at`` in year 1) or only begun."""

    landing_id: str
    token: str
    response_id: str | None = None
    landed_at: Seconds
    submitted_at: Seconds
    metadata: Metadata
    hidden: dict[str, str] = Field(default_factory=dict)
    calculated: Calculated | None = None
    variables: list[dict[str, Any]] | None = None
    ending: dict[str, Any] | None = None
    thankyou_screen_ref: str | None = None
    answers: list[Answer] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Response:
        if self.submitted_at != NEVER and (self.response_id is None or self.answers is None):
            raise ValueError("a completed response has a response_id and answers")
        if self.landed_at > self.submitted_at != NEVER:
            raise ValueError("submitted_at is before landed_at")
        return self


class Responses(Shape):
    """A page of responses; ``page_count``: the pages left in this query."""

    total_items: int
    page_count: int
    items: list[Response] = Field(max_length=1000)


class Link(Shape):
    """An address."""

    href: str


class Question(OpenShape):
    """A question of a form. A group has questions of its own."""

    id: str
    title: str
    ref: str
    type: str
    validations: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class Form(OpenShape):
    """A form with its questions."""

    id: str
    type: str
    title: str
    created_at: Offset | None = None
    last_updated_at: Offset
    workspace: Link
    hidden: list[str] = Field(default_factory=list)
    fields: list[Question]
    links: dict[str, str] = Field(alias="_links")


class Links(Shape):
    """Where people see a form, and where its responses are."""

    display: str
    responses: str


class Listed(Shape):
    """A form as the list shows it."""

    id: str
    type: str
    title: str
    created_at: Offset
    last_updated_at: Offset
    settings: dict[str, Any]
    self_: Link = Field(alias="self")
    theme: Link
    links: Links = Field(alias="_links")


class Forms(Shape):
    """A page of forms."""

    total_items: int
    page_count: int
    items: list[Listed] = Field(max_length=200)


class Me(OpenShape):
    """The account of the token."""

    alias: str
    email: str
    language: str


class Error(Shape):
    """A refusal."""

    code: str
    description: str
    details: list[dict[str, Any]]


def shapes() -> Shapes:
    """All answers of Typeform."""
    return Shapes(
        "Typeform",
        (
            Endpoint("/me", Me),
            Endpoint("/forms", Forms),
            Endpoint("/forms/[^/]+", Form),
            Endpoint("/forms/[^/]+/responses", Responses),
        ),
        Error,
    )
