"""What a proposed entry says of dates: their formats, and the times of day that stand beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from ingestion.files.profiles import Profile, clock_form, turned
from ingestion.files.proposing.entry import Entry
from ingestion.files.proposing.fit import rank_of
from ingestion.files.proposing.wording import quoted_text
from ingestion.files.synonyms import DURATIONS, plain
from ingestion.sql.text import identifier
from salesgauge.yaml_file import as_yaml


def times_of(entry: Entry) -> Iterator[tuple[str, Profile]]:
    """Columns with a time of day that stand beside one with the day only, by our column."""
    used = {profile.name for profile in entry.fit.columns.values()}
    begin = entry.fit["starts_at"]
    if begin is not None and begin.dates and begin.dates.days_only and len(begin.dates.formats) == 1:
        for name in ("starts_at", "ends_at"):
            ranked = [
                (rank, one)
                for one in entry.table.profiles
                if one.is_clock and (rank := rank_of(entry.entity, entry.entity.column(name), one)) is not None
            ]
            if ranked and (name == "starts_at" or entry.fit["ends_at"] is None):
                entry.fit.columns[name] = begin
                yield name, min(ranked, key=lambda one: one[0])[1]
        return
    free = [
        one
        for one in entry.table.profiles
        if one.is_clock and one.name not in used and not set(plain(one.name).split()) & DURATIONS
    ]
    for name, profile in entry.fit.columns.items():
        if (
            entry.entity.column(name).type == "timestamp"
            and profile.dates
            and profile.dates.days_only
            and len(profile.dates.formats) == 1
        ):
            day = {word for word in plain(profile.name).split() if word not in ("date", "day")}
            fitting = [
                one for one in free if {word for word in plain(one.name).split() if word not in ("time", "at")} == day
            ]
            if fitting:
                free.remove(fitting[0])
                yield name, fitting[0]


def date_lines(entry: Entry) -> Iterator[str]:
    """``dates``: their format and time zone, and the columns that differ."""
    dated = _dated(entry)
    if not dated or (entry.table.kind == "parquet" and all(profile.type != "varchar" for _, profile in dated)):
        if dated:
            yield f"    dates: {{timezone: {entry.process.company.timezone}}}"
        return
    forms = {name: forms_of(entry, profile, entry.table.profiles) for name, profile in dated}
    for name, time in {entry.fit.columns[name].name: (name, time) for name, time in entry.times.items()}.values():
        profile = entry.fit.columns[name]
        form, note = forms[profile.name]
        clock = clock_form(next(iter(time.words), ""))
        # where the time of day is missing the day stands alone
        forms[profile.name] = (
            tuple(one if one == "iso8601" else f"{one} {clock}" for one in form)
            + tuple(one for one in form if one != "iso8601"),
            note,
        )
    general = max(forms.values(), key=lambda one: sum(other == one for other in forms.values()))
    yield "    dates:"
    yield f"      format: {formats_text(general[0])}{_example(entry, dated, forms, general)}"
    zone = entry.process.company.timezone
    yield (f"      timezone: {zone:<20} # the company's, from process.yml" if zone != "UTC" else "      timezone: UTC")
    special = {
        name: (f"format: {formats_text(form)}", note) for name, (form, note) in forms.items() if form != general[0]
    }
    for name in forms:
        if set(plain(name).split()) & {"utc", "gmt"} and zone != "UTC":
            rule, note = special.get(name, ("", ""))
            special[name] = (", ".join(part for part in (rule, "timezone: UTC") if part), note)
    if special:
        yield "      columns:"
        for name, (rule, note) in special.items():
            yield f"        {as_yaml(name)}: {{{rule}}}{f'  # {note}' if note else ''}"
    for note in dict.fromkeys(note for form, note in forms.values() if note and form == general[0]):
        yield f"      # {note}"


def _example(
    entry: Entry,
    dated: Sequence[tuple[str, Profile]],
    forms: Mapping[str, tuple[tuple[str, ...], str]],
    general: object,
) -> str:
    profile = next(profile for name, profile in dated if forms[name] == general)
    first, last = (profile.dates.first, profile.dates.last) if profile.dates else (None, None)
    return f"  # '{profile.name}': {first:%d %b %Y} to {last:%d %b %Y}" if first and last else ""


def _dated(entry: Entry) -> list[tuple[str, Profile]]:
    # by the file's name: a date may be that of a column of ours and of a stage
    found = [
        (one.name, one)
        for name, one in entry.fit.columns.items()
        if entry.entity.column(name).type in ("timestamp", "date")
    ]
    known = {profile.name for _, profile in found}
    found += [
        (profile.name, profile)
        for profile in {one.name: one for one in entry.entered.values()}.values()
        if profile.name not in known
    ]
    return [(name, profile) for name, profile in found if profile.dates]


def forms_of(entry: Entry, profile: Profile, others: Iterable[Profile]) -> tuple[tuple[str, ...], str]:
    """The formats of a column; where its values allow two readings, by those of other columns, by what lies ahead, else by the company's place."""
    dates = profile.dates
    assert dates is not None
    if not dates.other:
        return dates.formats, ""
    decided = [
        form
        for other in others
        if other.dates and not other.dates.other
        for form in other.dates.formats
        if _has_order(form)
    ]
    if decided:
        day_first = _is_day_first(decided[0])
        chosen = dates.formats if _is_day_first(dates.formats[0]) == day_first else dates.other
        return (
            chosen,
            f"'{profile.name}' could be read with day and month changed; another column of the file decides",
        )
    if dates.last and dates.last > datetime.now(UTC).replace(tzinfo=None):
        later = {form: _last(entry, profile, form) for form in (dates.formats[0], dates.other[0])}
        past = [
            form for form, last in later.items() if last is not None and last <= datetime.now(UTC).replace(tzinfo=None)
        ]
        if len(past) == 1:
            chosen = dates.formats if past[0] == dates.formats[0] else dates.other
            return chosen, f"'{profile.name}': with day and month changed some of its dates would lie in the future"
    american = str(entry.process.company.timezone).startswith(("America/", "US/")) and "." not in dates.formats[0]
    chosen = dates.formats if _is_day_first(dates.formats[0]) != american else dates.other
    first = "day" if _is_day_first(chosen[0]) else "month"
    return (
        chosen,
        f"CHECK: no value of '{profile.name}' tells day and month apart; the {first} is taken to come first. If not: {formats_text(tuple(map(turned, chosen)))}",
    )


def _last(entry: Entry, profile: Profile, form: str) -> datetime | None:
    row = entry.con.execute(
        f"select max(try_strptime(trim({identifier(f's:{profile.name}')}), $1)) from {entry.table.name}", [form]
    ).fetchone()
    return row[0] if row else None


def _has_order(form: str) -> bool:
    return "%d" in form and "%m" in form and not form.startswith("%Y")


def _is_day_first(form: str) -> bool:
    return "%d" in form and form.index("%d") < form.index("%m") if "%m" in form else True


def formats_text(forms: Sequence[str]) -> str:
    """One format, or a list of several."""
    listed = ["iso8601" if form == "iso8601" else quoted_text(form) for form in forms]
    return listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
