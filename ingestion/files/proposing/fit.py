"""As which entity a table can be read, and which of its columns is which, by names and values. What is written of it does not belong here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import duckdb

from ingestion.files.mapping.model import STAGE_COLUMN
from ingestion.files.profiles import Profile
from ingestion.files.proposing.entry import Fit
from ingestion.files.proposing.keys import settle_key
from ingestion.files.proposing.stage_words import proposed_stage
from ingestion.files.sampling import Table
from ingestion.files.synonyms import CURRENCIES, FILE_WORDS, ID_WORDS, NAMES, NOUNS, OF_ENTITY, WEIGHTS, plain
from salesgauge.entities import ENTITIES, Column, Entity
from salesgauge.process import Process

_TEXT_OF_WORDS = {"stage", "status", "type", "direction", "channel", "pipeline", "event", "branch", "field", "medium"}
_SNAPSHOTS = {"snapshot date", "snapshot", "snapshot at", "as of", "as of date", "export date", "exported at", "exported on", "extract date", "report date",
              "week", "week ending", "week of", "week start"}  # fmt: skip
_DATE_WORDS = {
    "date",
    "at",
    "on",
    "time",
    "sent",
    "entered",
    "day",
    "stage",
    "became",
    "reached",
    "moved",
    "to",
    "of",
    "is",
    "when",
}
_NEVER_A_STAGE = {
    "created",
    "create",
    "close",
    "closed",
    "updated",
    "modified",
    "expected",
    "appointment",
    "start",
    "end",
    "due",
    "birth",
    "last",
    "next",
    "first",
}


def ranked_fits(con: duckdb.DuckDBPyConnection, table: Table, process: Process) -> list[Fit]:
    """The entities as which a table can be read, the likeliest first."""
    found = [fit for entity in ENTITIES.values() if (fit := _fit(con, table, entity, process)) is not None]
    return sorted(found, key=lambda fit: -fit.score)


def _fit(con: duckdb.DuckDBPyConnection, table: Table, entity: Entity, process: Process) -> Fit | None:
    columns, ranks = assigned_columns(table, entity)
    weights = WEIGHTS[entity.name]
    # a name far down in the list says less
    score = sum(weights.get(name, 0.5) * (1.0 if ranks[name] < 12 else 0.6) for name in columns if name != entity.key)
    words = set(re.findall(r"[a-z0-9]+", plain(table.path.rpartition(".")[0])))
    words |= set(plain(table.sheet).split()) if table.sheet else set()
    score += 4 * bool(words & set(FILE_WORDS[entity.name]))
    fit = Fit(entity, columns, score)
    hint = bool(words & set(FILE_WORDS[entity.name]))
    if entity.name in STAGE_COLUMN:
        # dates that are called like stages
        kind = "lead" if entity.name == "leads" else "deal"
        entered = [
            stage
            for stage, _ in named_like_stages(table, process, kind)
            if kind == "deal" or process.stage(stage).object == kind
        ]
        score += 3 * len(entered)
        hint = hint or bool(entered)
    named = columns.get(entity.key)
    if named is not None and any(plain(named.name).startswith(noun) for noun in NOUNS[entity.name][:6]):
        fit.score += 3
    if not settle_key(con, table, fit):
        return None
    known = {*columns, *([entity.key] if fit.key else [])}
    known |= {"subject_type"} if "subject_id" in columns else set()
    lacking = [name for name in entity.required if name not in known and name != entity.key]
    if entity.name == "activities" and lacking == ["type"]:
        lacking, fit.score = [], fit.score - 3
    distinctive = sum(weights.get(name, 0) for name in columns if name != entity.key)
    if lacking or ((distinctive < 2 or (len(columns) < 2 and entity.name not in STAGE_COLUMN)) and not hint):
        return None
    return fit


def assigned_columns(table: Table, entity: Entity) -> tuple[dict[str, Profile], dict[str, float]]:
    """Our columns with the table's that are called so and hold such values, each of the table's once."""
    offers: list[tuple[float, int, str, Profile]] = []
    for column in entity.columns:
        for profile in table.profiles:
            rank = rank_of(entity, column, profile)
            if rank is not None and _holds(entity, column, profile):
                offers.append((rank, len(offers), column.name, profile))
    columns: dict[str, Profile] = {}
    ranks: dict[str, float] = {}
    used: set[str] = set()
    is_named = entity.name in ("users", "accounts", "products", "campaigns")  # by its name, where it has no id
    for rank, _, name, profile in sorted(offers, key=lambda offer: (is_named and offer[2] != entity.key, *offer[:2])):
        if name not in columns and profile.name not in used:
            columns[name], ranks[name] = profile, rank
            used.add(profile.name)
    if (
        entity.name == "calls"
        and "to_number" not in columns
        and (number := columns.get("from_number"))
        and "from" not in plain(number.name)
        and "call" not in plain(number.name)
    ):
        # the number of the customer, whoever called
        columns["to_number"], ranks["to_number"] = number, ranks["from_number"]
    if (
        is_named
        and entity.key in columns
        and "name" not in columns
        and not set(plain(columns[entity.key].name).split()) & set(ID_WORDS)
    ):
        columns["name"], ranks["name"] = columns[entity.key], ranks[entity.key]
    return columns, ranks


def rank_of(entity: Entity, column: Column, profile: Profile) -> float | None:
    """How likely the name of the table's column means ours: 0 is certain; None: it does not."""
    header = re.sub("^(related|associated|linked) ", "", plain(profile.name.lstrip("$.")))
    names = _names(entity, column)
    if header in names:
        return float(names[header])
    if profile.name.startswith("$") and (last := plain(profile.name.rpartition(".")[2])) in names:
        return names[last] + 0.7
    # Amount (EUR), value in €
    bare = re.sub("( in)?( [a-z]{3})?$", "", header)
    code = header.removeprefix(bare).split()[-1:]
    if column.type == "decimal" and bare in names and (code in ([], ["in"]) or code[0].upper() in CURRENCIES):
        return names[bare] + 0.3
    for noun in NOUNS[entity.name]:
        bare = header.removeprefix(f"{noun} ").removesuffix(f" {noun}")
        if bare != header and bare in names and column.name != entity.key:
            return names[bare] + 0.5
    if column.name == "nps_score" and ("recommend" in header or re.search(r"\bnps\b", header)):
        return 30.0
    if column.name == "comment" and re.search(
        r"\b(improve|feedback|comments?|why|reason for your score|tell us)\b", header
    ):
        return 30.0
    if column.name == "csat_score" and ("satisf" in header or re.search(r"\bcsat\b", header)):
        return 30.0
    return None


def _names(entity: Entity, column: Column) -> Mapping[str, int]:
    names = [plain(column.name)]
    if column.name == entity.key:
        names += [f"{noun} {word}" for noun in NOUNS[entity.name][:6] for word in ID_WORDS]
        names += [*OF_ENTITY.get(entity.name, {}).get(column.name, ()), *NOUNS[entity.name][:2], *ID_WORDS]
        if entity.name in ("stage_events", "field_history"):
            names = [name for name in names if name not in ("activity", "activity id", "activity key", "activity code")]
    else:
        names += OF_ENTITY.get(entity.name, {}).get(column.name) or NAMES.get(column.name, ())
    return {plain(name): place for place, name in reversed(list(enumerate(names)))}


def _holds(entity: Entity, column: Column, profile: Profile) -> bool:
    """Whether the values can be those of our column."""
    if profile.filled == 0:
        return False
    if column.type in ("timestamp", "date"):
        return profile.dates is not None
    if column.name in ("nps_score", "csat_score"):
        numbers, top = profile.numbers, 10 if column.name == "nps_score" else 5
        return numbers is not None and not numbers.has_decimals and numbers.least >= 0 and numbers.most <= top
    if column.type in ("decimal", "integer"):
        return profile.numbers is not None and (column.type == "decimal" or not profile.numbers.has_decimals)
    if column.type == "float":
        return profile.numbers is not None or profile.is_clock
    if column.type == "boolean":
        return profile.is_truth
    if profile.dates is not None:
        return False
    if column.name == "email":
        return profile.is_email
    if column.name in ("from_number", "to_number", "phone"):
        return (
            profile.is_phone
            or column.name in plain(profile.name).replace(" ", "_")
            or (profile.numbers is not None and profile.distinct > profile.filled / 50)
        )
    if column.name in _TEXT_OF_WORDS:
        many = column.name == "stage" and entity.name == "stage_events"
        return (profile.distinct <= 200 if many else profile.is_words) and not (
            profile.numbers and profile.numbers.has_decimals
        )
    if column.name in ("first_name", "last_name", "name", "comment", "agent"):
        return profile.numbers is None
    if column.name in ("owner_id", "user_id"):
        return not profile.is_truth and not (profile.numbers and profile.numbers.has_decimals) and not profile.is_clock
    return not (profile.numbers and profile.numbers.has_decimals)


def named_like_stages(table: Table, process: Process, kind: str) -> Iterator[tuple[str, Profile]]:
    """The columns with dates whose names are those of stages, by stage."""
    stages = {stage.key: stage for stage in process.process.stages}
    found = set()
    for profile in table.profiles:
        words = [word for word in plain(profile.name).split() if word not in _DATE_WORDS]
        if profile.dates is None or not words or set(words) & _NEVER_A_STAGE:
            continue
        stage = proposed_stage(" ".join(words), process, kind)
        if (
            stage is not None
            and stage not in found
            and (stages[stage].object == kind or stages[stage].kind in ("won", "lost", "disqualified"))
        ):
            found.add(stage)
            yield stage, profile
