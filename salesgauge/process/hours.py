"""Opening hours as people write them, as rows. What a branch is belongs to ``model``, the clock to the models of dbt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_EXAMPLE = 'expected for example "08:00-17:00", "08:00-12:00, 13:00-17:00" or, over midnight, "18:00-02:00"'


@dataclass(frozen=True)
class OpeningHours:
    """A window in which a branch is open, in minutes of the local day of its beginning (1 = Monday).

    A window over midnight ends after minute 1,440.
    """

    iso_weekday: int
    opens_minute: int
    closes_minute: int


def opening_hours(spec: Mapping[str, str | list[str]]) -> list[OpeningHours]:
    """``{'mon-fri': '08:00-12:00, 13:00-17:00'}`` as rows in the order of the week. ValueError names each entry that is wrong."""
    rows: list[tuple[OpeningHours, str]] = []
    problems = []
    for days, hours in spec.items():
        try:
            windows = [_window(text) for text in _windows(hours)]
            rows += [
                (OpeningHours(day, opens, closes), f"{days}: {text}")
                for day in _weekdays(days)
                for text, opens, closes in windows
            ]
        except ValueError as error:
            problems.append(str(error))
    rows.sort(key=lambda row: (row[0].iso_weekday, row[0].opens_minute))
    problems += _overlaps(rows)
    if problems:
        raise ValueError("; ".join(dict.fromkeys(problems)))
    return [row for row, _ in rows]


def _windows(hours: str | list[str]) -> list[str]:
    return [part.strip() for entry in ([hours] if isinstance(hours, str) else hours) for part in entry.split(",")]


def _weekdays(days: str) -> list[int]:
    first, _, last = days.partition("-")
    if first not in WEEKDAYS or (last and last not in WEEKDAYS):
        raise ValueError(f"'{days}' is no weekday or range of weekdays; expected for example mon-fri or sat")
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    if end < begin:
        raise ValueError(f"'{days}' runs backwards")
    return [day + 1 for day in range(begin, end + 1)]


def _window(text: str) -> tuple[str, int, int]:
    match = re.fullmatch(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})", text)
    if not match:
        raise ValueError(f"'{text}' are no opening hours; {_EXAMPLE}")
    opens, closes = (_minute(match[place], match[place + 1], text) for place in (1, 3))
    if opens in (_DAY, closes):
        raise ValueError(f"'{text}' is no time in which anybody is open; the whole day is \"00:00-24:00\"")
    return text, opens, closes if closes > opens else closes + _DAY


def _minute(hour: str, minute: str, text: str) -> int:
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > _DAY:
        raise ValueError(f"'{hour}:{minute}' in '{text}' is no time of a day; expected 00:00 to 24:00")
    return found


def _overlaps(rows: list[tuple[OpeningHours, str]]) -> list[str]:
    """Windows that overlap: the time in them would count twice."""
    spans = [((row.iso_weekday - 1) * _DAY, row, text) for row, text in rows]
    found = []
    for place, (day, row, text) in enumerate(spans):
        following = spans[place + 1] if place + 1 < len(spans) else (spans[0][0] + 7 * _DAY, *spans[0][1:])
        if len(spans) > 1 and day + row.closes_minute > following[0] + following[1].opens_minute:
            weekday = WEEKDAYS[following[1].iso_weekday - 1]
            found.append(f"'{text}' and '{following[2]}' overlap on {weekday}")
    return found
