"""Checks the answers of a loopback server against the shapes that the vendor documents, so that a server that is wrong says so instead of lying.

What an answer looks like is declared in ``<name>_shape``; here are the parts that they share and the check itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

# No status that a client tries again: a wrong server does not become right.
STATUS = 501


class Shape(BaseModel):
    """An object whose members are all declared and have just the declared types."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=True)


class OpenShape(Shape):
    """An object of which only what matters to readers is declared."""

    model_config = ConfigDict(strict=True, extra="allow", populate_by_name=True)


def matching(pattern: str) -> Any:
    """Text of this form."""
    return Annotated[str, StringConstraints(pattern=rf"^(?:{pattern})$", strict=True)]


_DAY = r"\d{4}-\d\d-\d\d"
Day = matching(_DAY)
Seconds = matching(rf"{_DAY}T\d\d:\d\d:\d\dZ")
Milliseconds = matching(rf"{_DAY}T\d\d:\d\d:\d\d\.\d{{3}}Z")
Microseconds = matching(rf"{_DAY}T\d\d:\d\d:\d\d\.\d{{6}}Z")
Instant = matching(rf"{_DAY}T\d\d:\d\d:\d\d(\.\d{{1,7}})?Z")  # RFC 3339 in UTC, whatever its fraction
Offset = matching(rf"{_DAY}T\d\d:\d\d:\d\d(\.\d{{1,6}})?(Z|[+-]\d\d:\d\d)")
Rfc2822 = matching(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000")
Number = int | float


def one_of(*words: str) -> Any:
    """One of these words."""

    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"is {value!r}, not one of {', '.join(words)}")
        return value

    return Annotated[str, AfterValidator(check)]


@dataclass(frozen=True)
class Endpoint:
    """The shape of the answers whose path matches ``path`` (a regular expression for all of it) with a status below 400.

    ``shape``: what a JSON answer is; or ``text``: a function that raises ValueError with what is wrong with another body.
    """

    path: str
    shape: Any = None
    text: Callable[[str], None] | None = None


@dataclass
class Shapes:
    """All answers of a server. ``error``: the shape of refusals; ``wrong``: what was found so far, in words.

    An answer of a path that no endpoint has is wrong too, unless ``is_complete`` is False.
    """

    name: str
    endpoints: Sequence[Endpoint]
    error: Any
    is_complete: bool = True
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._error = TypeAdapter(self.error)
        self._known = [
            (re.compile(one.path), TypeAdapter(one.shape) if one.shape is not None else None, one.text)
            for one in self.endpoints
        ]

    def problem(self, path: str, status: int, body: bytes) -> str | None:
        """What is wrong with an answer, in words; None where it is as it should be."""
        if status >= 400:
            return _problem(self._error, body)
        for pattern, adapter, text in self._known:
            if pattern.fullmatch(path):
                if adapter is not None:
                    return _problem(adapter, body)
                try:
                    text(body.decode("utf-8")) if text else None
                except ValueError as error:
                    return str(error)
                return None
        return "no shape is declared for this path" if self.is_complete else None

    def checked(self, app: Any) -> Any:
        """The application with its answers checked: a wrong one becomes a server error that says what is wrong."""

        async def checking(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            start: dict[str, Any] = {}
            body = bytearray()

            async def take(message: Any) -> None:
                if message["type"] == "http.response.start":
                    start.update(message)
                    return
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    await self._send(scope["path"], start, bytes(body), send)

            await app(scope, receive, take)

        return checking

    async def _send(self, path: str, start: dict[str, Any], body: bytes, send: Any) -> None:
        # the router's own words for an address that the server does not have
        is_unknown = (
            start["status"] in (404, 405) and (b"content-type", b"text/plain; charset=utf-8") in start["headers"]
        )
        problem = None if is_unknown else self.problem(path, start["status"], body)
        if problem is not None:
            text = f"the demo's {self.name} answered {path} in a shape that {self.name} does not have: {problem}"
            self.wrong.append(text)
            body = json.dumps(dict.fromkeys(("message", "title", "description", "error"), text)).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            start = {**start, "status": STATUS, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": body})


def _problem(adapter: TypeAdapter[Any], body: bytes) -> str | None:
    try:
        adapter.validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        first = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the body'}: {one['msg']}" for one in found[:3])
        return f"{first}{f'; and {len(found) - 3} more' if len(found) > 3 else ''}"
    return None
