"""How work tells people how far it is. Drawing it belongs to the command line."""

from __future__ import annotations

from typing import Protocol


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


SILENT: Reporter = _Silent()
