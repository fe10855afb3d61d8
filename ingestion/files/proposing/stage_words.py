"""Which stage of ``process.yml`` a word of an export means, as far as that can be proposed. What maps stages for a run does not belong here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from ingestion.files.synonyms import KINDS, MEANINGS, plain
from salesgauge.process import Process
from salesgauge.process.model import Stage

_CLOSE = 0.84
_LONG = 4
_OPEN = {"open", "new", "active", "in progress", "pending", "ongoing", "working", "in process", "offen", "abierto"}
_SURE_WORDS = {
    "won": {"won", "sold", "signed", "accepted", "closedwon"},
    "lost": {"lost", "declined", "rejected", "unsold", "closedlost", "canceled", "cancelled"},
    "disqualified": {"disqualified", "unqualified", "junk", "spam", "duplicate"},
}


def proposed_stage(word: str, process: Process, kind: str, *, converts: bool = False) -> str | None:
    """The stage that ``word`` means for leads or deals (``kind``: lead, deal, or any); None where that can't be told.

    ``converts``: converted leads go on as deals.
    """
    # HubSpot adds the pipeline: "Contract Sent (Sales Pipeline)"
    text = plain(re.sub(r"\([^()]*[Pp]ipeline\)$", "", word))
    stages = process.process.stages
    mine = [stage for stage in stages if kind == "any" or stage.object == kind or stage.kind in ("won", "lost")]
    for offered in (mine, stages):
        for stage in offered:
            if text in (plain(stage.key), plain(stage.label or stage.key)):
                return stage.key
    words = set(text.split())
    if kind == "lead" and {"not", "converted"} <= words:
        return _by_kind("disqualified", mine, kind)
    if kind == "lead" and "converted" in words and converts:
        open_ones = [stage for stage in mine if stage.kind == "open"]
        return open_ones[-1].key if open_ones else None
    if kind == "lead" and "converted" in words:
        return _by_kind("won", mine, kind)
    return (
        _by_kind(text, mine, kind)
        or _by_meaning(text, mine)
        or _by_spelling(text, mine)
        or _only_open(text, mine, kind)
    )


def _by_kind(text: str, stages: Sequence[Stage], kind: str) -> str | None:
    order = ("disqualified", "won", "lost") if kind == "lead" else ("won", "lost", "disqualified")
    meant = next((name for name in order if text in KINDS[name]), None)
    if meant is None:
        words = set(text.split())
        meant = next((name for name in ("disqualified", "lost", "won") if words & _SURE_WORDS[name]), None)
        if meant == "won" and words & {"not", "no", "never"}:
            meant = "lost"
    if meant is None:
        return None
    found = [stage for stage in stages if stage.kind == meant]
    if not found and meant == "lost":
        found = [stage for stage in stages if stage.kind == "disqualified"]
    if not found and meant == "disqualified":
        found = [stage for stage in stages if stage.kind == "lost"]
    return found[0].key if len(found) == 1 else None


def _by_meaning(text: str, stages: Sequence[Stage]) -> str | None:
    """The only stage whose name has a word of the same meaning, the word as a whole before its parts."""
    names = {
        stage.key: {plain(stage.key), plain(stage.label or stage.key)}
        for stage in stages
        if stage.kind in ("open", "post_sale")
    }
    # of a long text single words say nothing
    for parts in ({text}, _parts(text) if len(text.split()) <= _LONG else set()):
        meant = [meaning for meaning in MEANINGS if parts & set(meaning)]
        scores = {}
        for key, known in names.items():
            said = {meaning for meaning in MEANINGS for name in known if _parts(name) & set(meaning)}
            # what a stage's name says beside it makes it another stage
            scores[key] = len(said & set(meant)) and len(said & set(meant)) - len(said - set(meant)) / 2
        best = max(scores.values(), default=0)
        found = [key for key, score in scores.items() if score == best and best > 0]
        if len(found) == 1:
            return found[0]
    return None


def _parts(text: str) -> set[str]:
    words = text.split()
    return {
        " ".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(len(words), start + 3) + 1)
    }


def _only_open(text: str, stages: Sequence[Stage], kind: str) -> str | None:
    """The only open stage, for words that say no more than that a record is open."""
    found = [stage.key for stage in stages if stage.kind == "open" and stage.object == kind]
    return found[0] if len(found) == 1 and text in _OPEN else None


def _by_spelling(text: str, stages: Sequence[Stage]) -> str | None:
    names = {name: stage.key for stage in stages for name in (plain(stage.key), plain(stage.label or stage.key))}
    close = difflib.get_close_matches(text, list(names), n=1, cutoff=_CLOSE)
    return names[close[0]] if close else None
