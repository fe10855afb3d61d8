"""What a load is accounted with: counts per table and the outcome per source. Where it is stored is ``views``' business."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["loaded", "unchanged", "failed"]


@dataclass(frozen=True)
class TableCount:
    """Records of one table in one load: ``received = loaded + quarantined + duplicates`` always holds.

    ``superseded``: those of the loaded ones that are older versions of a record of the same file. ``filtered``: rows besides, which the mapping leaves out.
    """

    received: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicates: int = 0
    superseded: int = 0
    filtered: int = 0

    def __sub__(self, other: TableCount) -> TableCount:
        return TableCount(
            self.received - other.received,
            self.loaded - other.loaded,
            self.quarantined - other.quarantined,
            self.duplicates - other.duplicates,
            self.superseded - other.superseded,
            self.filtered - other.filtered,
        )

    def __add__(self, other: TableCount) -> TableCount:
        return TableCount(
            self.received + other.received,
            self.loaded + other.loaded,
            self.quarantined + other.quarantined,
            self.duplicates + other.duplicates,
            self.superseded + other.superseded,
            self.filtered + other.filtered,
        )


@dataclass(frozen=True)
class SourceResult:
    """What came of one source in one run.

    ``tables`` counts per raw table, ``load_id`` is the committed load (None: nothing was committed), ``error`` says why a source failed or
    which of its files were refused, ``seconds`` is wall time, ``requests`` the number of HTTP requests or files read,
    ``is_misconfigured``: it failed for what the company directory says or lacks, not for what the source did; ``notes``: what people should
    know of what was loaded (sampled numbers, a quota that ended).
    """

    source: str
    state: State
    tables: dict[str, TableCount] = field(default_factory=dict)
    load_id: str | None = None
    error: str | None = None
    seconds: float = 0.0
    requests: int = 0
    is_misconfigured: bool = False
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> TableCount:
        """The sum over all tables."""
        return sum(self.tables.values(), TableCount())

    def summary(self) -> dict[str, Any]:
        """State and accounting as plain values, without the single tables."""
        return {
            "state": self.state,
            "error": self.error,
            "notes": list(self.notes),
            "seconds": self.seconds,
            "requests": self.requests,
            **{word: getattr(self.total, word) for word in ("received", "loaded", "quarantined", "duplicates")},
        }
