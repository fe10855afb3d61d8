"""Cases, their ledger and where they stand: docs/kpis.md, "Cases, and the stage ledger"."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from demo.truth.records import Book, Deal, Lead, Record

CLOSED = ("won", "lost", "disqualified")


@dataclass
class Entry:
    """An entry of a case into a stage. ``record``: whose event it is. ``left``, ``exit_kind``, ``exit_stage``: None while it stays."""

    record: Record
    stage: str
    order: int
    stage_kind: str
    at: datetime
    kind: str = ""
    left: datetime | None = None
    exit_kind: str | None = None
    exit_stage: str | None = None
    visit: int = 0


@dataclass
class Journey:
    """A counted case: its ledger in order, its state (open, won, lost, disqualified) and the moments of its closing."""

    id: str
    lead: Lead | None
    deal: Deal | None
    entries: list[Entry]
    state: str = "open"
    closed: datetime | None = None
    first_closed: datetime | None = None
    superseded: int = 0
    raw: list[tuple[datetime, Record, str]] = field(default_factory=list)  # events as received, without superseded ones

    @property
    def is_open(self) -> bool:
        """Whether it is neither won, lost nor disqualified."""
        return self.state == "open"

    @property
    def reached_order(self) -> int:
        """The largest order of an open or won stage that the case entered; 0 for none."""
        return max((entry.order for entry in self.entries if entry.stage_kind in ("open", "won")), default=0)

    @property
    def is_ever_won(self) -> bool:
        """Whether it ever was won."""
        return any(entry.stage_kind in ("won", "post_sale") for entry in self.entries)


@dataclass
class Journeys:
    """All counted cases; ``of_lead`` and ``of_deal``: by the ids of their records."""

    cases: list[Journey]
    of_lead: dict[str, Journey]
    of_deal: dict[str, Journey]


def journeys(book: Book) -> Journeys:
    """The cases of all counted leads and deals."""
    continuing: dict[str, Deal] = {}
    for deal in sorted(book.counted_deals(), key=lambda deal: (deal.created, deal.id)):
        if deal.lead is not None and deal.created >= deal.lead.created:
            continuing.setdefault(deal.lead.id, deal)
    cases = [_journey(book, lead, continuing.get(lead.id)) for lead in book.counted_leads()]
    taken = {deal.id for deal in continuing.values()}
    cases += [_journey(book, None, deal) for deal in book.counted_deals() if deal.id not in taken]
    return Journeys(
        cases,
        {case.lead.id: case for case in cases if case.lead},
        {case.deal.id: case for case in cases if case.deal},
    )


def _journey(book: Book, lead: Lead | None, deal: Deal | None) -> Journey:
    settings = book.settings
    events: list[tuple[datetime, int, int, Record, str]] = []
    raw: list[tuple[datetime, int, int, Record, str]] = []
    own: list[tuple[datetime, int, int, Record, str]]
    superseded = 0
    if lead is not None:
        own = [(at, 1, place, lead, stage) for place, (at, stage) in enumerate(lead.stages, start=1)]
        used = [event for event in own if deal is None or event[0] <= deal.created]
        superseded = len(own) - len(used)
        raw += used
        if not own or min(event[0] for event in own) > lead.created:
            used.append((lead.created, 1, 0, lead, settings.stages[0].key))
        events += used
    if deal is not None:
        own = [(at, 2, place, deal, stage) for place, (at, stage) in enumerate(deal.stages, start=1)]
        events += own
        raw += own
    case = Journey((lead or deal).id, lead, deal, [], superseded=superseded)  # type: ignore[union-attr]  # one of both is there
    case.raw = [(at, record, stage) for at, _, _, record, stage in sorted(raw, key=lambda event: event[:3])]
    for at, _, _, record, key in sorted(events, key=lambda event: event[:3]):
        stage = settings.stage(key)
        if not case.entries or case.entries[-1].stage != key:
            case.entries.append(Entry(record, key, stage.order, stage.kind, at))
    _follow(book, case)
    _settle(case)
    return case


def _follow(book: Book, case: Journey) -> None:
    """Kinds of the moves, ends of the stays, numbers of the visits."""
    visits: dict[str, int] = {}
    previous: Entry | None = None
    for entry in case.entries:
        visits[entry.stage] = entry.visit = visits.get(entry.stage, 0) + 1
        entry.kind = _kind(book, previous, entry)
        if previous is not None:
            previous.left, previous.exit_kind, previous.exit_stage = entry.at, entry.kind, entry.stage
        previous = entry


def _kind(book: Book, before: Entry | None, entry: Entry) -> str:
    if before is None:
        return "create"
    if before.stage_kind in CLOSED and entry.stage_kind == "open":
        return "reopen"
    if entry.stage_kind in CLOSED:
        return entry.stage_kind
    if entry.order < before.order:
        return "regress"
    return "advance" if book.settings.next_stage(before.stage) == entry.stage else "skip"


def _settle(case: Journey) -> None:
    """State, final close (of a sale: the last entry into a won stage of this stay in won and later stages) and first close."""
    if not case.entries:
        return
    case.state = outcome(case.entries[-1])
    # of the deal: its lead may have been disqualified before
    own = [entry for entry in case.entries if case.deal is None or entry.record is case.deal]
    case.first_closed = next((entry.at for entry in own if outcome(entry) != "open"), None)
    if case.state == "won":
        case.closed = win_of(case.entries).at
    elif case.state != "open":
        case.closed = case.entries[-1].at


def outcome(entry: Entry) -> str:
    """What standing in that stage means: open, won, lost or disqualified."""
    return "won" if entry.stage_kind == "post_sale" else entry.stage_kind


def win_of(entries: list[Entry]) -> Entry:
    """The entry that is the win of a case whose newest entry means won."""
    stay: list[Entry] = []
    for entry in reversed(entries):
        if outcome(entry) != "won":
            break
        stay.append(entry)
    return next((entry for entry in stay if entry.stage_kind == "won"), stay[-1])
