"""What a source answers: with what was asked for, with an error that says why, or not at all. Asking belongs to ``client``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from salesgauge.errors import SourceError

Body = Literal["object", "array", "json"]


@dataclass(frozen=True)
class ErrorReading:
    """What a source's error answer says. ``wait``: seconds to wait without ``Retry-After``; ``is_final``: retrying is of no use;
    ``is_retried``: retrying may help though the status code does not say so.
    """

    code: str | None = None
    message: str | None = None
    advice: str | None = None
    wait: float | None = None
    is_final: bool = False
    is_retried: bool = False


@dataclass(frozen=True)
class Answer:
    """What a source answered with one of the expected status codes. ``body`` is a JSON object, unless the request asked for another kind."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Refused(SourceError):
    """The source answered with an error that a retry does not heal; ``status`` is its HTTP code, ``code`` the vendor's own."""

    def __init__(self, message: str, status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Stopped(SourceError):
    """The client was stopped while a thread waited: another thread's error is the one to show."""
