"""Which of two files is newer by their names: the natural order, in which a record of a later file wins. What is in files does not belong here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import PurePosixPath

_DIGITS = re.compile("([0-9]+)")
_YEAR = "((?:19|20)[0-9]{2})(?![0-9])"
# 28-02-2026 and 02.28.2026, also without anything between
_DATE = re.compile(
    rf"(?<![0-9])([0-9]{{1,2}})([-._ ])([0-9]{{1,2}})\2{_YEAR}|(?<![0-9])([0-9]{{2}})([0-9]{{2}}){_YEAR}"
)
_MONTHS = (
    "jan(?:uary)?", "feb(?:ruary)?", "mar(?:ch)?", "apr(?:il)?", "may", "june?", "july?", "aug(?:ust)?", "sept?(?:ember)?", "oct(?:ober)?", "nov(?:ember)?", "dec(?:ember)?",
)  # fmt: skip
# March 2026, 5 Mar 2026, mar-5-2026, or the month alone
_IN_MONTH = [
    (
        re.compile(
            rf"(?<![0-9a-z])(?:([0-9]{{1,2}})[-._ ]*)?(?<![a-z]){month}(?![a-z])(?:[-._ ]*([0-9]{{1,2}})(?![0-9])[,]?)?(?:[-._ ]*{_YEAR})?"
        ),
        number,
    )
    for number, month in enumerate(_MONTHS, 1)
]


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names sorted as people read them: ``part_9`` before ``part_10``, ``export.csv`` before ``export (1).csv``, ``12-28-2025`` before ``01-04-2026``.

    Where the day of a date in a name stands, before the month or behind it, is what some of the names show; else it stands behind it.
    """
    known = list(names)
    found = [match.groups() for name in known for match in _DATE.finditer(name)]
    firsts = {int(one[0] or one[4]) for one in found}
    seconds = {int(one[2] or one[5]) for one in found}
    day_first = any(first > 12 for first in firsts) and not any(second > 12 for second in seconds)
    return sorted(known, key=lambda name: _order(name, day_first=day_first))


def _year_first(text: str, *, day_first: bool) -> str:
    """``text`` with its dates written like 2026-02-28."""

    def written(match: re.Match[str]) -> str:
        first, _, second, year, *packed = match.groups()
        if packed[0]:
            if 1 <= int(packed[2][:2]) <= 12 and match[0][:2] in ("19", "20") and 1 <= int(match[0][4:6]) <= 12:
                return match[0]  # 20251220 is a date already
            first, second, year = packed
        month, day = (second, first) if day_first else (first, second)
        return f"{year}-{int(month):02}-{int(day):02}"

    text = _DATE.sub(written, text)
    for pattern, number in _IN_MONTH:
        text = pattern.sub(partial(_month_as_number, number), text)
    return text


def _month_as_number(number: int, match: re.Match[str]) -> str:
    year, day = match[3], match[1] or match[2]
    return "-".join([*([year] if year else []), f"{number:02}", *([f"{int(day):02}"] if day else [])])


def _order(name: str, *, day_first: bool) -> tuple[list[list[str | int]], str]:
    """What sorts names."""
    *folders, last = name.casefold().split("/")
    stem = last
    while (suffix := PurePosixPath(stem).suffix) and suffix[1:].isalpha():
        stem = stem.removesuffix(suffix)
    return [[int(part) if place % 2 else part for place, part in enumerate(_DIGITS.split(_year_first(text, day_first=day_first)))] for text in [*folders, stem]], name  # fmt: skip
