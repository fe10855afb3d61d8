"""The quarantine of a company, over all its sources: what waits, and loading it again. What is in the quarantine of a source is ``landing``'s matter.

A record waits until a later load holds it, or its key, or until its file, or its day, is read again. Nothing is ever removed from the quarantine but by erasure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ingestion.catalogue import connector, raw_tables
from ingestion.connector.protocol import DayReader
from ingestion.landing import quarantine
from ingestion.landing.load import Landing
from ingestion.landing.quarantine import Waiting, load_again
from ingestion.privacy.suppression import is_whole
from salesgauge.errors import ConfigurationError
from salesgauge.settings import API_SOURCES, Company


@dataclass(frozen=True)
class Replay:
    """What came of loading records again: ``loaded`` fit now, ``waiting`` still do not.

    ``by_file``: those of files, which a run reads once the file or its mapping has changed; ``by_day``: those whose day the next run reads again.
    """

    loaded: int
    waiting: int
    by_file: int
    by_day: int


def waiting(company: Company, *, source: str | None = None, table: str | None = None) -> list[Waiting]:
    """The records that wait, the newest first; of all that were received twice only the last."""
    found = quarantine.waiting(company, raw_tables())
    return [one for one in found if (source is None or one.source == source) and (table is None or one.table == table)]


def find(company: Company, wanted: str) -> Waiting:
    """The waiting record whose id begins with ``wanted``; ConfigurationError where there is none, or more than one."""
    found = [one for one in waiting(company) if one.id.startswith(wanted)]
    if len(found) != 1:
        raise ConfigurationError(
            f"{len(found) or 'no'} waiting record{'s have an id that begins' if found else ' has an id that begins'} with '{wanted}'. "
            "List them with: salesgauge quarantine list"
        )
    return found[0]


def replay(company: Company, records: Sequence[Waiting], *, received_at: datetime) -> Replay:
    """Land ``records`` again, one load per source; those that still do not fit stay where they are. Call it while no run is active.

    A record of which a newer version waits too is left to wait with it: it would become the newest. Records of files are not landed here: a file is read again as a whole by the next run when it or its mapping has changed. Nor are those of a source
    whose loads hold whole days (``RawTable.day``): a load with one record of a day would be that day.
    """
    tables, chosen = raw_tables(), len(records)
    records = _without_outdated(records, waiting(company))
    by_file = sum(one.source not in API_SOURCES for one in records)
    loaded = by_day = 0
    for source in API_SOURCES:
        mine = [one for one in records if one.source == source]
        if not mine:
            continue
        if any(table.day for table in tables[source]):
            with Landing(company, source, received_at=received_at) as landing:
                _reader_of_days(source).read_again(company, landing, mine)
                landing.commit()
            by_day += len(mine)
        else:
            loaded += load_again(company, source, tables[source], mine, received_at)
    return Replay(loaded, chosen - by_file - by_day - loaded, by_file, by_day)


def _without_outdated(records: Sequence[Waiting], all_waiting: Sequence[Waiting]) -> list[Waiting]:
    """``records``, oldest first, but those of which a newer version waits and is not among them."""
    mine = {one.id for one in records}
    newest: dict[tuple[str, str, str], tuple[str, int]] = {}
    for one in all_waiting:
        if one.key and is_whole(one.key) and one.id not in mine:
            place = (one.source, one.table, one.key)
            newest[place] = max(newest.get(place, ("", 0)), _age(one))
    kept = [one for one in records if not one.key or _age(one) > newest.get((one.source, one.table, one.key), ("", 0))]
    return sorted(kept, key=_age)


def _age(one: Waiting) -> tuple[str, int]:
    return one.load_id, one.line or 0


def _reader_of_days(source: str) -> DayReader:
    known = connector(source)
    if not isinstance(known, DayReader):
        raise TypeError(f"{source} declares a table of whole days, but has no read_again")
    return known
