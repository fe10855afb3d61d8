"""What a proposed entry says of stages: the present one, when others were entered, what exports show. Which stage a word means is in ``stage_words``."""

from __future__ import annotations

from collections.abc import Iterator

from ingestion.files.mapping.model import STAGE_COLUMN
from ingestion.files.profiles import Profile
from ingestion.files.proposing.entry import Entry
from ingestion.files.proposing.fit import named_like_stages
from ingestion.files.proposing.stage_words import proposed_stage
from ingestion.files.proposing.wording import MOST_WORDS, quoted_text, rows_text
from ingestion.files.snapshots import form_of
from ingestion.files.synonyms import plain
from ingestion.sql.text import identifier
from salesgauge.yaml_file import as_yaml


def add_plans(entry: Entry) -> None:
    """Where open deals have a date of closing too, it is when they are expected to close."""
    closed = entry.fit["closed_at"]
    if (
        entry.entity.name != "deals"
        or entry.stage is None
        or closed is None
        or entry.fit["expected_close_date"] is not None
    ):
        return
    kinds = {stage.key: stage.kind for stage in entry.process.process.stages}
    is_open = [
        word
        for word in entry.stage.words
        if kinds.get(proposed_stage(word, entry.process, "deal") or "", "open") == "open"
    ]
    stage, date = identifier(f"s:{entry.stage.name}"), identifier(f"s:{closed.name}")
    row = entry.con.execute(
        f"select count(nullif(trim(cast({date} as varchar)), '')), count(*) from {entry.table.name} where list_contains($1, trim({stage}))",
        [is_open],
    ).fetchone()
    if row and row[0] > row[1] / 5:
        entry.fit.columns["expected_close_date"] = closed


def entered_stages(entry: Entry) -> Iterator[tuple[str, Profile]]:
    """Stage → the column with the date on which it was entered."""
    kind = "lead" if entry.entity.name == "leads" else "deal"
    closed = entry.fit["closed_at"]
    used = {profile.name for profile in entry.fit.columns.values() if profile is not closed}
    found = {stage: one for stage, one in named_like_stages(entry.table, entry.process, kind) if one.name not in used}
    if entry.stage is not None and kind == "deal":
        present = [proposed_stage(word, entry.process, kind) for word in entry.stage.words]
        created = entry.fit["created_at"]
        if closed is not None:
            is_of_wins = bool(set(plain(closed.name).split()) & {"won", "sold"})
            for stage in ("won",) if is_of_wins else ("won", "lost"):
                for one in entry.process.process.stages:
                    if one.kind == stage and one.key in present:
                        found.setdefault(one.key, closed)
        open_ones = [
            stage.key for stage in entry.process.process.stages if stage.kind == "open" and stage.object == "deal"
        ]
        if (
            created is not None
            and open_ones
            and open_ones[0] in present
            and not set(found) & set(open_ones)
            and not entry.fit.is_snapshot
        ):
            found[open_ones[0]] = created
    order = [stage.key for stage in entry.process.process.stages]
    yield from sorted(found.items(), key=lambda item: order.index(item[0]))


def stage_lines(entry: Entry) -> Iterator[str]:
    """``stages``: the present one with its words, and the dates on which others were entered."""
    if entry.entity.name not in STAGE_COLUMN:
        return
    if entry.stage is None and not entry.entered and entry.entity.name == "deals":
        yield "    # ??? no column tells in which stage a deal is. If all are in one: constants: {stage: won}"
    if entry.stage is None and not entry.entered:
        return
    yield "    stages:"
    if entry.stage is not None:
        yield "      current:                     # the stage in which a record is now"
        yield f"        column: {as_yaml(entry.stage.name)}"
        yield from _words(entry, entry.stage)
        if (form := _snapshot_form(entry)) is not None:
            yield f"      snapshot: {quoted_text(form)}       # how the day of the export stands in the file's name: a move is of the first day that shows it"
    if entry.entered:
        yield "      entered:                     # stage: the date on which it was entered; no date, no event"
        for stage, profile in entry.entered.items():
            yield f"        {stage}: {as_yaml(profile.name)}{_why_entered(entry, stage, profile)}"


def _snapshot_form(entry: Entry) -> str | None:
    """How the day of an export stands in the names of files that have the same records again and again, and no time of their changes."""
    if len(entry.table.files) < 2 or entry.fit["updated_at"] is not None or len(entry.fit.key) != 1:
        return None
    row = entry.con.execute(
        f"select count(distinct {identifier(f's:{entry.fit.key[0]}')}) from {entry.table.name}"
    ).fetchone()
    return form_of(entry.table.files) if row and 4 * row[0] <= 3 * entry.table.rows else None


def _why_entered(entry: Entry, stage: str, profile: Profile) -> str:
    if profile is entry.fit["created_at"]:
        return "  # taken to begin in this stage; take the line out if that is not so"
    if entry.stage and entry.process.stage(stage).kind in ("won", "lost") and profile is entry.fit["closed_at"]:
        return "  # counts where the present stage says so"
    return ""


def _words(entry: Entry, profile: Profile) -> Iterator[str]:
    kind = "lead" if entry.entity.name == "leads" else "deal"
    converts = bool(entry.entities & {"deals", "stage_events"})
    stages = ", ".join(stage.key for stage in entry.process.process.stages)
    found, unknown = [], []
    for word, rows in list(profile.words.items())[:MOST_WORDS]:
        stage = proposed_stage(word, entry.process, kind, converts=converts)
        if stage is None:
            unknown.append(f"{as_yaml(word)}: ???  # {rows_text(rows)}; which stage is it?")
        else:
            found.append(f"{as_yaml(word)}: {stage}  # {rows_text(rows)}")
    if found:
        yield f"        map:                       # stages of process.yml: {stages}"
        yield from (f"          {line}" for line in found)
    else:
        yield f"        # map:                     # stages of process.yml: {stages}"
    yield from (f"          # {line}" for line in unknown)
