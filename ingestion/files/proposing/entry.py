"""What is known of a table that becomes an entry of ``files``: how it can be read (``Fit``), what was found out of it (``Entry``). The text of the entry does not belong here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import duckdb

from ingestion.files.profiles import Profile
from ingestion.files.sampling import Table
from ingestion.files.synonyms import plain
from salesgauge.entities import Entity
from salesgauge.process import Process


@dataclass
class Fit:
    """An entity as which a table can be read: our column → the table's."""

    entity: Entity
    columns: dict[str, Profile]
    score: float
    key: list[str] = field(default_factory=list)
    is_snapshot: bool = False
    doubts: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Profile | None:
        return self.columns.get(name)


@dataclass
class Entry:
    """What is known of a table that becomes an entry of ``files``: how it is read (``fit``), and how else it could be (``others``).

    ``stage``: the column with the present stage; ``entered``: stage → the column with the date on which it was entered; ``times``: our column → the one
    with the time of day that belongs to its day.
    """

    con: duckdb.DuckDBPyConnection
    table: Table
    fit: Fit
    others: list[Fit]
    process: Process
    source: str
    entities: set[str]
    stage: Profile | None = None
    entered: dict[str, Profile] = field(default_factory=dict)
    times: dict[str, Profile] = field(default_factory=dict)

    @property
    def entity(self) -> Entity:
        """The entity as which it is read."""
        return self.fit.entity

    @property
    def subject(self) -> str:
        """Whether an event log is one of leads or of deals."""
        profile = self.fit["subject_id"]
        header = plain(profile.name) if profile else ""
        return "lead" if re.search(r"\b(lead|prospect|inquiry|enquiry|contact)\b", header) else "deal"
