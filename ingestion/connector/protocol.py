"""What a source with an API must have (``Connector``), and what it may have besides. Which sources there are is ``ingestion.catalogue``'s matter.

A connector is a package of ``ingestion.sources``: its ``__init__`` has these names, and imports what talks to the vendor only when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ingestion.connector.about import About, Finding
    from ingestion.landing.load import Landing
    from ingestion.landing.quarantine import Waiting
    from ingestion.rawlog.declarations import RawTable
    from salesgauge.process import Process
    from salesgauge.progress import Reporter
    from salesgauge.settings import Company, SourceSettings


@runtime_checkable
class Connector(Protocol):
    """``ABOUT``: the source in words; ``TABLES``: the raw tables that it fills, all of those that it ever filled."""

    @property
    def ABOUT(self) -> About: ...

    @property
    def TABLES(self) -> Sequence[RawTable]: ...

    def extract(
        self, company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter
    ) -> int | tuple[int, str | None]:
        """Land what is new or changed since the last committed load; the caller commits.

        ``received_at``: UTC without zone. Returns the number of requests or of files read, where needed with what went wrong though something was
        landed. ConfigurationError, SourceError.
        """
        ...

    def check(self, settings: SourceSettings) -> list[Finding]:
        """Try the credentials, and each right that is needed, by cheap requests. Raises nothing: what is wrong is a finding."""
        ...


@runtime_checkable
class Narrowing(Protocol):
    """A connector whose settings decide which of ``ABOUT.provides`` there is."""

    def provides(self, settings: SourceSettings) -> AbstractSet[str]:
        """The canonical entities that there are with ``settings``. ConfigurationError."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """A connector that has something to say of the numbers that it loaded."""

    def remark(self, con: Any) -> str:
        """What people should know, from the views of the raw log on ``con``; empty where there is nothing."""
        ...


@runtime_checkable
class DayReader(Protocol):
    """A connector with tables of whole days (``RawTable.day``): a record alone can't be loaded again, its day can."""

    def read_again(self, company: Company, landing: Landing, records: Iterable[Waiting]) -> None:
        """Note with ``landing`` that the next run has to read the days of quarantined ``records`` again."""
        ...
