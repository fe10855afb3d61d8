"""What a proposed entry says of columns: their names, words, numbers, what is not mapped. Dates and stages do not belong here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from ingestion.files.profiles import Profile, shared_numbers
from ingestion.files.proposing.entry import Entry
from ingestion.files.proposing.stage_words import proposed_stage
from ingestion.files.proposing.wording import MOST_WORDS, quoted_text, rows_text, samples, some_of
from ingestion.files.synonyms import CURRENCIES, CURRENCY_SIGNS, plain
from salesgauge.entities import Column
from salesgauge.process.checks import stage_word
from salesgauge.yaml_file import as_yaml

PERSONAL = {"name", "first_name", "last_name", "email", "phone", "from_number", "to_number", "agent", "comment", "transcript", "user_email", "account_id", "owner_id", "user_id"}  # fmt: skip


def column_lines(entry: Entry) -> Iterator[str]:
    """``columns``: ours, the file's, and what should be known of each."""
    if not entry.fit.columns:
        return
    yield "    columns:"
    width = max(len(f"{_ours(entry, name)}: {_theirs(entry, name, one)}") for name, one in entry.fit.columns.items())
    for column in entry.entity.columns:
        profile = entry.fit[column.name]
        if profile is not None:
            line = f"{_ours(entry, column.name)}: {_theirs(entry, column.name, profile)}"
            comment = _about(entry, column, profile)
            yield f"      {line:<{width}}  # {comment}" if comment else f"      {line}"


def _theirs(entry: Entry, name: str, profile: Profile) -> str:
    time = entry.times.get(name)
    return f"{{join: [{as_yaml(profile.name)}, {as_yaml(time.name)}]}}" if time else as_yaml(profile.name)


def _ours(entry: Entry, name: str) -> str:
    if name == "subject_id":
        return entry.subject
    return name


def _about(entry: Entry, column: Column, profile: Profile) -> str:
    notes = []
    empty = profile.rows - profile.filled
    if empty:
        notes.append(f"empty in {empty:,} of {profile.rows:,} rows")
    if profile.dates and profile.dates.misses:
        notes.append(
            f"{profile.dates.misses:,} are no dates, such as {samples(profile.dates.unread)}: these rows will be quarantined"
        )
    if profile.numbers and column.type in ("decimal", "integer", "float") and profile.numbers.misses:
        notes.append(
            f"{profile.numbers.misses:,} are no numbers, such as {samples(profile.numbers.unread)}: these rows will be quarantined"
        )
    if (
        not notes
        and column.name not in PERSONAL
        and column.name != "subject_id"
        and profile.words
        and profile.is_words
        and not column.refers_to
    ):
        notes.append(f"{some_of(list(profile.words), 4)}")
    if column.name == "expected_close_date" and profile is entry.fit["closed_at"]:
        notes.insert(0, "open deals have it too: it is their plan")
    if column.refers_to == "users" and profile.distinct:
        notes.insert(0, f"{profile.distinct:,} people")
    return "; ".join(notes)


def constant_lines(entry: Entry) -> Iterator[str]:
    """``constants``: what no column says but has to be said."""
    if entry.entity.name == "activities" and "type" not in entry.fit.columns:
        yield "    constants: {type: call}        # call, email, text, meeting, task or note: what are these?"
    elif currency := _currency(entry):
        yield f"    constants: {{currency: {quoted_text(currency)}}}  # the header of the amounts says so"


def _currency(entry: Entry) -> str | None:
    """The currency that the header of the amounts names: ``Amount (EUR)``, ``Betrag in €``."""
    profile = entry.fit["amount"]
    if (
        profile is None
        or "currency" in entry.fit.columns
        or "currency" not in {column.name for column in entry.entity.columns}
    ):
        return None
    symbol = next((sign for sign in profile.name if unicodedata.category(sign) == "Sc"), None)
    return symbol or next(
        (word for word in map(str.upper, plain(profile.name).split()[1:]) if word in CURRENCIES), None
    )


def value_lines(entry: Entry) -> Iterator[str]:
    """``values``: words of the file for branches and stages."""
    parts = []
    if (branch := entry.fit["branch"]) is not None:
        parts.append(_branches(entry, branch))
    if entry.entity.name == "stage_events" and (stage := entry.fit["stage"]) is not None:
        parts.append(_activities(entry, stage))
    if any(found for _, found, _ in parts):
        yield "    values:"
    elif any(unknown for *_, unknown in parts):
        yield "    # values:"
    for title, found, unknown in parts:
        if found or unknown:
            yield f"      {title}" if found else f"    #   {title}"
            yield from (f"        {line}" for line in found)
            yield from (f"        # {line}" if found else f"    #     {line}" for line in unknown)


def _branches(entry: Entry, profile: Profile) -> tuple[str, list[str], list[str]]:
    branches = entry.process.company.branches
    names = {plain(name): key for key, branch in branches.items() for name in (key, branch.label or key)}
    found, unknown = [], []
    missing: dict[str, str] = {}
    # words that differ in case and blanks only are one
    alike: dict[str, list[str]] = {}
    for word in list(profile.words)[:MOST_WORDS]:
        alike.setdefault(" ".join(word.split()).casefold(), []).append(word)
    for words in alike.values():
        word, rows = words[0], sum(profile.words[one] for one in words)
        key = names.get(plain(word)) or _within(plain(word), names)
        if key is None:
            unknown.append(f"{as_yaml(word)}: ???  # {rows_text(rows)}; process.yml has no such branch")
            missing.setdefault(plain(word).replace(" ", "_"), as_yaml(word))
        elif word.strip().casefold() != key:
            found.append(f"{as_yaml(word)}: {key}")
    if missing:
        listed = ", ".join(f"{key}: {{label: {label}}}" for key, label in list(missing.items())[:20])
        unknown.append(f"to have them as branches, in process.yml below company: branches: {{{listed}}}")
    return f"branch:  # the branches of process.yml: {', '.join(branches) or 'none yet'}", found, unknown


def _activities(entry: Entry, profile: Profile) -> tuple[str, list[str], list[str]]:
    """What the activities of an event log are; those that ``process.yml`` maps for this source need no word."""
    known = entry.process.stage_mapping.get(entry.source, {})
    mapped = {stage_word(str(word)) for table in known.values() for word in table}
    found, unknown = [], []
    for word, rows in list(profile.words.items())[:MOST_WORDS]:
        stage = proposed_stage(word, entry.process, "lead" if entry.subject == "lead" else "any")
        if stage_word(word) in mapped or plain(word).replace(" ", "_") == stage:
            continue
        if stage is None:
            unknown.append(f"{as_yaml(word)}: ignore  # {rows_text(rows)}; ??? name its stage, or ignore it")
        else:
            found.append(f"{as_yaml(word)}: {stage}  # {rows_text(rows)}")
    stages = ", ".join(stage.key for stage in entry.process.process.stages)
    return (
        f"stage:  # stages of process.yml: {stages}; stage_mapping there keeps the activities' own names in the process map",
        found,
        unknown,
    )


def null_lines(entry: Entry) -> Iterator[str]:
    """``nulls``: the words that mean nothing."""
    words = sorted({word for profile in used_columns(entry) for word in profile.nulls})
    if words:
        yield f'    nulls: ["", {", ".join(map(quoted_text, words))}]  # words that mean nothing'


def used_columns(entry: Entry) -> list[Profile]:
    """The columns of the file that the entry uses."""
    found = [
        *entry.fit.columns.values(),
        *entry.times.values(),
        *entry.entered.values(),
        *([entry.stage] if entry.stage else []),
    ]
    return list({profile.name: profile for profile in found}.values())


def number_lines(entry: Entry) -> Iterator[str]:
    """``numbers``: how they are written, where that is not the ordinary way."""
    read = {
        name: one
        for name, one in entry.fit.columns.items()
        if entry.entity.column(name).type in ("decimal", "integer", "float")
    }
    # only amounts are refused where nobody says how they are written
    numeric = [
        one
        for name, one in read.items()
        if entry.entity.column(name).type == "decimal"
        or (one.numbers and (one.numbers.group or one.numbers.decimal != "."))
    ]
    numbers, others = shared_numbers(numeric)
    if numbers is None:
        return
    if not numbers.is_plain:
        parts = [f"decimal: {quoted_text(numbers.decimal)}"]
        parts += [f"group: {quoted_text(numbers.group)}"] if numbers.group.strip() else []
        parts += [f"signs: [{', '.join(map(quoted_text, numbers.signs))}]"] if numbers.signs else []
        text = f"numbers: {{{', '.join(parts)}}}"
        if numbers.is_open:
            yield f"    # {text}  # CHECK: the values don't tell whether 1.234 is a thousand or one and a bit; until it is said, such amounts are quarantined"
        else:
            yield f"    {text}"
    for name in others:
        yield f"    # CHECK: '{name}' is written in another way than the other numbers; its rows will be quarantined"
    own = entry.process.company.currency
    if "amount" in entry.fit.columns and "currency" not in entry.fit.columns:
        for sign in numbers.signs:
            codes = CURRENCY_SIGNS.get(sign.rstrip("."), (sign,) if sign in CURRENCIES else (own,))
            if own not in codes:
                yield (
                    f"    # CHECK: '{sign}' makes the amounts {codes[0]}, the company's currency is {own}: correct company.currency in process.yml, "
                    "or add exchange_rates there"
                )


def unmapped_lines(entry: Entry) -> Iterator[str]:
    """Comments on the columns that nothing uses, and on those of ours that have none."""
    used = {profile.name for profile in used_columns(entry)} | set(entry.fit.key)
    free = [
        column.name
        for column in entry.entity.columns
        if column.name not in entry.fit.columns and column.name != entry.entity.key
    ]
    rest = [profile for profile in entry.table.profiles if profile.name not in used]
    dates = [profile.name for profile in rest if profile.dates]
    empty = [profile.name for profile in rest if not profile.filled]
    others = [profile.name for profile in rest if profile.filled and not profile.dates]
    for words, names in (("with dates", dates), ("", others), ("without any value", empty)):
        if names:
            yield f"    # not mapped{f', {words}' if words else ''}: {some_of(names, 30)}"
    if rest:
        yield f"    # {entry.entity.name} could also have: {', '.join(free)}"


def _within(text: str, names: Mapping[str, str]) -> str | None:
    """The only branch whose name is part of ``text``, or has it as a part."""
    found = {
        key
        for name, key in names.items()
        if set(name.split()) <= set(text.split()) or set(text.split()) <= set(name.split())
    }
    return found.pop() if len(found) == 1 else None
