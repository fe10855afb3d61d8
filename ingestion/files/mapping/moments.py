"""The SQL of moments: as they are written, and in UTC. Times as APIs write them do not belong here (``ingestion.connector.moments``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.rules import DateRule
from ingestion.sql.text import identifier, quote

_OFFSET = "'[0-9]{2}:[0-9]{2}.*(Z| UTC|[+-][0-9]{2}(:?[0-9]{2})?)$'"
_MIDNIGHT = "'[0-9-]{8,10}[T ]00:00(:00([.]0+)?)?(Z| UTC|[+-]00(:?00)?)'"
_TIME_OF_DAY = re.compile(r"%-?[HIMSfgnpXcTRs]")  # codes of a time in a date format
_FORMS = {"iso8601": "an ISO 8601 form", "unix": "seconds since 1970", "unix_ms": "milliseconds since 1970"}


@dataclass(frozen=True)
class Moment:
    """A date or time on its way: ``name`` in the query, ``given`` its DuckDB type, ``kind`` timestamp or date."""

    name: str
    given: str
    kind: str
    rule: DateRule
    company_zone: str | None = None
    is_utc_day: bool = False  # each of its moments is a midnight in UTC: a day

    @property
    def zone(self) -> str:
        """That of times without an offset."""
        return self.rule.timezone or "UTC"

    @property
    def day_zone(self) -> str:
        """That of days without a time: a day is the company's day, whatever zone its times would be in."""
        return self.company_zone or self.zone


def midnights(mapping: FileMapping, types: Mapping[str, str]) -> dict[str, str]:
    """Columns of the file that hold moments with an offset → SQL condition for one that is midnight in UTC; null where there is none."""
    rules = [
        (rule, mapping.dates.rule(name, *rule.names))
        for name, rule in mapping.rules.items()
        if _is_moment(mapping, name)
    ]
    rules += [
        (rule, mapping.dates.rule(*rule.names, stage))
        for stage, rule in (mapping.stages.entered.items() if mapping.stages else ())
    ]
    found = {}
    for rule, dates in rules:
        for name in rule.found(types) if rule.is_plain else ():
            column, kind = identifier(f"s:{name}"), types[name]
            if kind == "timestamp with time zone":
                found[name] = f"cast(timezone('UTC', {column}) as time) = time '00:00:00'"
            elif kind in ("varchar", "text", "json") and (dates.format or ["iso8601"]) == ["iso8601"]:
                text = f"trim(cast({column} as varchar))"
                found[name] = f"case when {text} > '0' then regexp_full_match({text}, {_MIDNIGHT}) end"
    return found


def _is_moment(mapping: FileMapping, name: str) -> bool:
    return mapping.definition.column(name).type in ("timestamp", "date")


def with_moments(sql: str, moments: list[Moment], kind: str) -> str:
    """Add ``d:<name>``, the moment in UTC (or the date), for each moment; null where it can't be read or does not exist in its zone."""
    if not moments:
        return sql
    written = ", ".join(
        f"{expression} as {identifier(f'{letter}:{moment.name}')}"
        for moment in moments
        for letter, expression in zip("ily", _written(moment, kind), strict=True)
    )
    sql = f"select *, {written} from ({sql})"
    zoned = ", ".join(
        f"timezone({quote(zone)}, {identifier(f'{letter}:{moment.name}')}) as {identifier(f'{place}:{moment.name}')}"
        for moment in moments
        for letter, place, zone in (("l", "z", moment.zone), ("y", "w", moment.day_zone))
        if zone != "UTC" and moment.kind == "timestamp"
    )
    if zoned:
        sql = f"select *, {zoned} from ({sql})"
    final = ", ".join(f"{_final(moment)} as {identifier(f'd:{moment.name}')}" for moment in moments)
    return f"select *, {final} from ({sql})"


def _written(moment: Moment, kind: str) -> tuple[str, str, str]:
    """What is written: an instant in UTC (where there is an offset), a local time (where there is none), or a day (where there is no time either)."""
    value = identifier(moment.name)
    none = "cast(null as timestamp)"
    if moment.given == "timestamp with time zone":
        instant = f"timezone('UTC', {value})"
        return (none, none, instant) if moment.is_utc_day else (instant, none, none)
    if moment.given == "date":
        return none, none, f"cast({value} as timestamp)"
    if moment.given.startswith("timestamp"):
        return none, f"cast({value} as timestamp)", none
    text = value if moment.given == "varchar" else f"cast({value} as varchar)"
    is_day = f"length({text}) <= 10"
    if kind == "excel":
        is_day = f"({is_day} or suffix({text}, ' 00:00:00'))"  # a cell with a day has a midnight
    instants: list[str] = []
    locals_: list[str] = []
    days: list[str] = []
    for form in moment.rule.format or ["iso8601"]:
        if form == "iso8601":
            # words such as epoch are none: a time begins with a digit, and digits sort before ':'
            has_offset = f"regexp_matches({text}, {_OFFSET})"
            (days if moment.is_utc_day else instants).append(
                f"case when {has_offset} then timezone('UTC', try_cast({text} as timestamptz)) end"
            )
            plain = f"{text} < ':' and not {has_offset}"
            locals_.append(f"case when {plain} and not {is_day} then try_cast({text} as timestamp) end")
            days.append(f"case when {plain} and {is_day} then try_cast({text} as timestamp) end")
        elif form.startswith("unix"):
            micros = 1_000 if form == "unix_ms" else 1_000_000
            instants.append(f"try(make_timestamp(cast(try_cast({text} as decimal(20, 6)) * {micros} as bigint)))")
        elif "%z" in form:
            instants.append(f"timezone('UTC', try_strptime(regexp_replace({text}, 'Z$', '+00:00'), {quote(form)}))")
        else:
            (locals_ if _TIME_OF_DAY.search(form) else days).append(f"try_strptime({text}, {quote(form)})")
    if kind == "excel":  # cells that are dates are handed on in ISO form
        locals_.append(f"case when not {is_day} then try_cast({text} as timestamp) end")
        days.append(f"case when {is_day} then try_cast({text} as timestamp) end")
    return (
        f"coalesce({', '.join([*instants, none])})",
        f"coalesce({', '.join([*locals_, none])})",
        f"coalesce({', '.join([*days, none])})",
    )


def _final(moment: Moment) -> str:
    instant, local, day, zoned, zoned_day = (identifier(f"{letter}:{moment.name}") for letter in "ilyzw")
    if moment.kind == "date":
        there = instant if moment.zone == "UTC" else f"timezone({quote(moment.zone)}, timezone('UTC', {instant}))"
        return f"cast(coalesce({there}, {local}, {day}) as date)"
    # a day is a day where the clock skips its midnight too: then it begins later
    return f"coalesce({instant}, {_in_utc(moment.zone, local, zoned)}, {_in_utc(moment.day_zone, day, zoned_day)})"


def _in_utc(zone: str, local: str, zoned: str) -> str:
    """The moment in UTC of a local time; null where the clock skips it. ``zoned`` is what DuckDB makes of it."""
    if zone == "UTC":
        return local
    zone = quote(zone)
    # a time that the clock skips comes back changed; of a time that it shows twice the first is taken (half an hour: Lord Howe)
    earlier = "".join(
        f"when timezone({zone}, {zoned} - interval {minutes} minute) = {local} then timezone('UTC', {zoned} - interval {minutes} minute) "
        for minutes in (60, 30)
    )
    return (
        f"case when timezone({zone}, {zoned}) <> {local} then case when {local} = date_trunc('day', {local}) then timezone('UTC', {zoned}) end "
        f"{earlier}else timezone('UTC', {zoned}) end"
    )


def expected_form(moment: Moment, kind: str) -> str:
    """What the forms of a moment are, in words for the quarantine."""
    forms = " or ".join(_FORMS.get(form, form) for form in moment.rule.format or ["iso8601"])
    zone = "" if moment.kind == "date" or moment.zone == "UTC" else f" that exists in {moment.rule.timezone}"
    return f"a {'date' if moment.kind == 'date' else 'time'} written as {forms}{zone}, between 1900 and 2200"
