"""Which columns identify the rows of a table. Whether a key that a mapping names is one is found out when the file is loaded (``ingestion.files.keys``)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import duckdb

from ingestion.files.profiles import Profile
from ingestion.files.proposing.entry import Fit
from ingestion.files.sampling import Table
from ingestion.files.synonyms import DURATIONS, plain
from ingestion.sql.text import identifier

_WHO = ("from_number", "to_number", "email", "phone", "user_id", "agent", "lead_id", "deal_id")
_KEY_SHARED, _TINY, _SOME = 0.01, 100, 5  # as in keys


def settle_key(con: duckdb.DuckDBPyConnection, table: Table, fit: Fit) -> bool:
    """Find what identifies a record; False where the rows can't be of this entity."""
    entity, columns = fit.entity, fit.columns
    named = columns.pop(entity.key, None)
    if entity.name in ("stage_events", "field_history"):
        subject = columns.get("subject_id")
        if subject is None or table.rows < 2 or subject.filled < 0.9 * table.rows:
            return False
        if _repeats(con, table, subject.name) < 1.3:
            return False
        if entity.name == "stage_events":
            fit.score += 4
        if named is not None and named.is_unique and named.name != subject.name:
            fit.key = [named.name]
        return True
    if named is not None and named.filled and (named.is_unique or _is_nearly_unique(con, table, named)):
        fit.key = [named.name]
        if not named.is_unique:
            fit.doubts.append(
                f"'{named.name}' is not filled, or not unique, in all rows: identical rows are left out, others are versions of a record"
            )
        return True
    snapshot = columns.get("updated_at")
    if (
        named is not None
        and snapshot is not None
        and len(table.files) == 1
        and _are_unique(con, table, [named.name, snapshot.name])
    ):
        fit.key, fit.is_snapshot = [named.name], True
        fit.score += 5
        return True
    if named is not None and len(table.files) > 1:
        # the same record may stand in each of the files
        fit.key = [named.name]
        return True
    if entity.key not in entity.required:
        return True
    other = _other_key(con, table, fit, named)
    if other:
        fit.key = other
        fit.score -= 3 if named is not None else 1.5
        if named is not None:
            fit.doubts.append(f"'{named.name}' alone is no key: rows share its values")
        else:
            fit.doubts.append(
                f"CHECK: no column is called an id; {'this one is' if len(other) == 1 else 'these are together'} unique"
            )
        return True
    return False


def _repeats(con: duckdb.DuckDBPyConnection, table: Table, name: str) -> float:
    """How many rows of one file a value has."""
    row = con.execute(
        f"select count(*) / greatest(count(distinct (_file, {identifier(f's:{name}')})), 1) from {table.name}"
    ).fetchone()
    return float(row[0]) if row else 0.0


def _is_nearly_unique(con: duckdb.DuckDBPyConnection, table: Table, profile: Profile) -> bool:
    """Whether so few different rows share a value that they are versions of a record, as ``keys`` judges when the file is loaded."""
    key = identifier(f"s:{profile.name}")
    listed = ", ".join(identifier(f"s:{one.name}") for one in table.profiles)
    row = con.execute(
        f"select count(distinct ({listed})) - count(distinct {key}) from {table.name} where {key} is not null"
    ).fetchone()
    colliding = int(row[0]) if row else 0
    return profile.filled >= 0.9 * profile.rows and (
        colliding <= _KEY_SHARED * profile.filled
        or (profile.filled < _TINY and colliding < _SOME and profile.distinct > 1)
    )


def _are_unique(con: duckdb.DuckDBPyConnection, table: Table, names: Sequence[str]) -> bool:
    listed = ", ".join(identifier(f"s:{name}") for name in names)
    row = con.execute(f"select count(*) from (select distinct {listed} from {table.name})").fetchone()
    return bool(row and row[0] == table.rows)


def _other_key(con: duckdb.DuckDBPyConnection, table: Table, fit: Fit, named: Profile | None) -> list[str]:
    """The column called a key with another one, else a column that is unique and looks like an id, else two that are unique together."""
    measured = {one.name for name, one in fit.columns.items() if fit.entity.column(name).type in ("decimal", "float")}
    usable = [
        one
        for one in table.profiles
        if one.filled == one.rows and one.name not in measured and not (one.numbers and one.numbers.has_decimals)
    ]
    id_words = {"id", "number", "key", "code", "uuid", "email", "name"}
    if named is None:
        may_come_again = fit.entity.name not in ("leads", "contacts", "accounts")
        single = [
            one
            for one in usable
            if one.is_unique and one.dates is None and not (may_come_again and (one.is_phone or one.is_email))
        ]
        for one in sorted(single, key=lambda profile: not set(plain(profile.name).split()) & id_words):
            if one.rows > 20 or set(plain(one.name).split()) & id_words:
                return [one.name]
    moment = fit.columns.get("at") or fit.columns.get("starts_at")
    if named is None and may_come_again and moment is not None and moment in usable:
        # an event is told by its moment and who took part in it
        clocks = [one for one in usable if one.is_clock and not set(plain(one.name).split()) & DURATIONS]
        people = [one for one in map(fit.columns.get, _WHO) if one is not None and one in usable]
        parts: list[str] = []
        for one in [moment, *clocks, *people]:
            parts += [one.name] if one.name not in parts else []
            if one in people and _are_unique(con, table, parts):
                return parts
    first = [named] if named in usable else [one for one in usable if one.distinct > 0.3 * table.rows][:4]
    for one in first:
        # a number within the record has few values
        for other in sorted(usable, key=lambda profile: (profile.is_truth, profile.distinct))[:12]:
            if other.name != one.name and _are_unique(con, table, [one.name, other.name]):
                return [one.name, other.name]
    for three in combinations(sorted(usable, key=lambda profile: -profile.distinct)[:6], 3):
        if _are_unique(con, table, [one.name for one in three]):
            return [one.name for one in three]
    return []
