"""Whether a listing can be trusted page by page. One that is read by page number or offset shifts when records go or move: what slides over the edge of
a page that was read already is never seen. How pages are fetched belongs to ``client``, ``connector.rest`` and to each connector.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from salesgauge.errors import SourceError

_LOG = logging.getLogger(__name__)
_TRIES = 3
Result = TypeVar("Result")


class Seen:
    """What was seen of a listing: ids, and how many records its pages said there are."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._total: int | None = None
        self._has_shrunk = False

    def page(self, ids: Iterable[object], total: object) -> None:
        """Note a page; ``total`` is what it says of the whole listing, of no use where it is no number."""
        self._ids.update(str(one) for one in ids)
        if not isinstance(total, int) or isinstance(total, bool):
            return
        self._has_shrunk = self._has_shrunk or (self._total is not None and total < self._total)
        self._total = total

    @property
    def is_whole(self) -> bool:
        """Whether every record was seen, as far as the totals tell. What is added at the end meanwhile does no harm."""
        return self._total is None or (not self._has_shrunk and len(self._ids) >= self._total)


def steadily(read: Callable[[Seen], Result], what: str) -> Result:
    """The result of ``read(seen)``, which reads a whole listing; it is called again where the listing moved meanwhile.

    SourceError where it moved each time.
    """
    for _ in range(_TRIES):
        seen = Seen()
        result = read(seen)
        if seen.is_whole:
            return result
        _LOG.info("%s changed while its pages were read; it is read again", what)
    raise SourceError(
        f"{what} changed while its pages were read, {_TRIES} times in a row, so some records may have been missed. Nothing of this load was kept; "
        "run again at a quieter hour."
    )


def refuse_repeated(records: list[Any], before: list[Any], what: str) -> None:
    """SourceError where a page holds what the one ``before`` it held: a server that ignores which page is asked for shows all but one never."""
    if records and records == before:
        raise SourceError(
            f"{what}: the same page came twice in a row, so what follows it can't be read. Nothing of this load was kept. Run again, or report it "
            "to the vendor."
        )
