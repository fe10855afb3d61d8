"""Pages that name the next one, read until there is none. Listings that are declared belong to ``connector.rest``, those by page number to ``steady``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ingestion.http.steady import refuse_repeated
from salesgauge.errors import SourceError

PAGE_CAP = 1_000_000


def pages(
    fetch: Callable[[str | None], tuple[list[dict[str, Any]], str | None]], what: str, cap: int = PAGE_CAP
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a listing. ``fetch(cursor)`` gives (records, next cursor or None); None asks for the first page.

    SourceError if a cursor or the page before comes again (the listing would never end) or after ``cap`` pages.
    """
    cursor: str | None = None
    seen: set[str] = set()
    before: list[dict[str, Any]] = []
    while True:
        records, cursor = fetch(cursor)
        refuse_repeated(records, before, what)
        before = records
        yield records
        if cursor is None:
            return
        if cursor in seen:
            raise SourceError(
                f"{what}: the page cursor {cursor[:80]!r} came twice, so the listing would never end. Report it to the vendor."
            )
        if len(seen) + 1 >= cap:
            raise SourceError(f"{what}: more than {cap} pages. Raise the page size, or report it to the vendor.")
        seen.add(cursor)
