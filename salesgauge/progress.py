"""How work tells people how far it is. Drawing it belongs to the command line."""

from __future__ import annotations

import logging
import time
from typing import Protocol

_LOG = logging.getLogger(__name__)
_EVERY = 2.0  # seconds


class Reporter(Protocol):
    """Receives progress. Implementations may be called from several threads."""

    def step(self, name: str, detail: str = "") -> None:
        """``name`` has begun."""

    def advance(self, name: str, done: int, total: int | None = None, unit: str = "rows") -> None:
        """``name`` has done ``done`` of ``total`` (None: not known) units."""

    def done(self, name: str, detail: str = "") -> None:
        """``name`` has ended; ``detail`` sums it up in a few words."""


class _Silent:
    def step(self, name: str, detail: str = "") -> None:
        pass

    def advance(self, name: str, done: int, total: int | None = None, unit: str = "rows") -> None:
        pass

    def done(self, name: str, detail: str = "") -> None:
        pass


class LoggingReporter:
    """Tells Python's logger: each step's end, and every two seconds how far one is."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def step(self, name: str, detail: str = "") -> None:
        self._said.setdefault(name, time.monotonic())

    def advance(self, name: str, done: int, total: int | None = None, unit: str = "rows") -> None:
        now = time.monotonic()
        if now - self._said.setdefault(name, now) >= _EVERY:
            self._said[name] = now
            _LOG.info("%s: %s %s", name, f"{done:,} of {total:,}" if total else f"{done:,}", unit)

    def done(self, name: str, detail: str = "") -> None:
        _LOG.info("%s: %s", name, detail or "done")


SILENT: Reporter = _Silent()
