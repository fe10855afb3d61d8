"""What the values of a file's columns are: dates and their format, numbers and how they are written, truth values, words, keys.

Only values decide here; what a column is called is judged by ``proposing``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from ingestion.sql.text import identifier, quote

NULL_WORDS = (
    "n/a",
    "na",
    "#n/a",
    "null",
    "none",
    "nan",
    "nil",
    "-",
    "--",
    "\\n",
    "(blank)",
    "tbd",
    "unknown",
    "0000-00-00",
    "0000-00-00 00:00:00",
)
_ALWAYS_NULL = {"n/a", "#n/a", "null", "nan", "\\n", "(blank)"}
_DISTINCT = 20_000
_SHOWN_WORDS = 300
_MOSTLY = 0.95
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?")
_TIME = re.compile(
    r"^(?P<date>.+?)(?P<sep> at |, ?| - |[ T])(?P<hour>\d{1,2}):\d{2}(?P<second>:\d{2})?(?P<part>[.,]\d{1,9})?(?P<blank> ?)(?P<half>[AaPp][Mm])?"
    r"(?P<zone> ?(Z|[+-]\d{2}:?\d{2}))?$"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?")
_DATES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), forms)
    for pattern, forms in (
        (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
        (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
        (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
        (r"(19|20)\d{6}", ("%Y%m%d",)),
        (r"\d{1,2}/\d{1,2}/\d{4}", ("%m/%d/%Y", "%d/%m/%Y")),
        (r"\d{1,2}/\d{1,2}/\d{2}", ("%m/%d/%y", "%d/%m/%y")),
        (r"\d{1,2}-\d{1,2}-\d{4}", ("%m-%d-%Y", "%d-%m-%Y")),
        (r"\d{1,2}-\d{1,2}-\d{2}", ("%m-%d-%y", "%d-%m-%y")),
        (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y", "%m.%d.%Y")),
        (r"\d{1,2}\.\d{1,2}\.\d{2}", ("%d.%m.%y", "%m.%d.%y")),
        (r"\d{1,2} [A-Za-z]{3} \d{4}", ("%d %b %Y",)),
        (r"\d{1,2} [A-Za-z]{3} \d{2}", ("%d %b %y",)),
        (r"\d{1,2}-[A-Za-z]{3}-\d{4}", ("%d-%b-%Y",)),
        (r"\d{1,2}-[A-Za-z]{3}-\d{2}", ("%d-%b-%y",)),
        (r"\d{1,2}/[A-Za-z]{3}/\d{4}", ("%d/%b/%Y",)),
        (r"\d{1,2} [A-Za-z]{4,9} \d{4}", ("%d %B %Y",)),
        (r"[A-Za-z]{3} \d{1,2}, \d{4}", ("%b %d, %Y",)),
        (r"[A-Za-z]{3} \d{1,2} \d{4}", ("%b %d %Y",)),
        (r"[A-Za-z]{3,9} \d{1,2}, \d{4}", ("%B %d, %Y",)),
        (r"[A-Za-z]{3,9} \d{1,2} \d{4}", ("%B %d %Y",)),
        (r"[A-Za-z]{3}, \d{1,2} [A-Za-z]{3} \d{4}", ("%a, %d %b %Y",)),
        (r"[A-Za-z]{3} [A-Za-z]{3} \d{1,2} \d{4}", ("%a %b %d %Y",)),
        (r"[A-Za-z]{3},? \d{1,2}/\d{1,2}/\d{4}", ("%a %m/%d/%Y", "%a %d/%m/%Y", "%a, %m/%d/%Y", "%a, %d/%m/%Y")),
        (r"[A-Za-z]{6,9}, [A-Za-z]{3,9} \d{1,2}, \d{4}", ("%A, %B %d, %Y",)),
    )
)
_BLANKS = " \u00a0\u202f\u2009"
_CURRENCIES = r"US\$|CA\$|A\$|R\$|[$€£¥₹₽]|kr\.?|zł|Kč|Fr\.?|[A-Z]{3}|%"
_NUMBER = re.compile(
    rf"[-+(−]?\s?(?P<before>{_CURRENCIES})?\s?[-+−]?(?P<digits>\d[\d.,'’{_BLANKS}]*?)\s?(?P<after>{_CURRENCIES})?\s?[)-]?"
)
_TRUTH = {"true", "false", "yes", "no", "y", "n", "t", "f", "0", "1"}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[+(]?\d[\d ().\-/x]{6,22}(ext\.? ?\d+)?")


@dataclass(frozen=True)
class Dates:
    """``formats`` in the order in which to try them. ``other``: the formats with day and month changed, where the values allow both readings.

    ``unread``: examples of values that none of them reads, ``misses`` how many values these are.
    """

    formats: tuple[str, ...]
    other: tuple[str, ...] = ()
    misses: int = 0
    unread: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None
    days_only: bool = False

    @property
    def has_time(self) -> bool:
        """Whether values have a time of day, or may have one."""
        return any(form == "iso8601" or "%H" in form or "%I" in form for form in self.formats)

    @property
    def has_offset(self) -> bool:
        """Whether each value says its offset."""
        return all("%z" in form for form in self.formats)


@dataclass(frozen=True)
class Numbers:
    """How the numbers of a column are written. ``is_open``: they may be written so, or otherwise."""

    decimal: str = "."
    group: str = ""
    signs: tuple[str, ...] = ()
    is_open: bool = False
    has_decimals: bool = False
    most_decimals: int = 0
    least: float = 0.0
    most: float = 0.0
    misses: int = 0
    unread: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether amounts are read without a word on how they are written."""
        return self.decimal == "." and not self.group and not self.signs and self.most_decimals <= 2


@dataclass(frozen=True)
class Profile:
    """A column of a file by its values. ``words``: value → rows, the most frequent first, of at most ``_SHOWN_WORDS`` values."""

    name: str
    type: str
    rows: int
    filled: int
    distinct: int
    words: dict[str, int] = field(default_factory=dict)
    dates: Dates | None = None
    numbers: Numbers | None = None
    nulls: tuple[str, ...] = ()
    is_truth: bool = False
    is_email: bool = False
    is_phone: bool = False
    is_clock: bool = False

    @property
    def is_unique(self) -> bool:
        """Whether each row has a value of its own."""
        return self.rows > 0 and self.distinct == self.rows == self.filled

    @property
    def is_words(self) -> bool:
        """Whether few values come again and again."""
        return 0 < self.distinct <= max(10, min(60, self.filled // 2)) and not self.dates


def profiled(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[tuple[str, str]]) -> list[Profile]:
    """The profiles of ``columns`` (name, DuckDB type) of ``table``, in which column x is ``s:x``."""
    found = []
    for name, kind in columns:
        value = identifier(f"s:{name}")
        if kind.startswith(("timestamp", "date")):
            found.append(_of_moments(con, table, name, kind, value))
            continue
        text = f"nullif(trim(cast({value} as varchar)), '')"
        null = f"lower({text}) in ({', '.join(quote(word) for word in NULL_WORDS)})"
        rows, filled, distinct = con.execute(f"select count(*), count({text}), count(distinct {text}) from {table}").fetchall()[0]  # fmt: skip
        counted = con.execute(
            f"select {text} as v, count(*) as n, {null} from {table} where {text} is not null group by all order by n desc, v limit {_DISTINCT}"
        ).fetchall()
        found.append(_of_texts(con, name, kind, int(rows), int(filled), int(distinct), counted))
    return found


def _of_moments(con: duckdb.DuckDBPyConnection, table: str, name: str, kind: str, value: str) -> Profile:
    rows, filled, distinct, first, last, has_time = con.execute(
        f"select count(*), count({value}), count(distinct {value}), cast(min({value}) as timestamp), cast(max({value}) as timestamp), "
        f"bool_or(cast({value} as timestamp) <> date_trunc('day', cast({value} as timestamp))) from {table}"
    ).fetchall()[0]
    forms = ("iso8601",) if has_time else ("%Y-%m-%d",)
    dates = Dates(forms, first=first, last=last, days_only=not has_time) if filled else None
    return Profile(name, kind, int(rows), int(filled), int(distinct), dates=dates)


def _of_texts(
    con: duckdb.DuckDBPyConnection,
    name: str,
    kind: str,
    rows: int,
    filled: int,
    distinct: int,
    counted: list[tuple[str, int, bool]],
) -> Profile:
    nulls = [(text, count) for text, count, is_null in counted if is_null]
    others = {text: count for text, count, is_null in counted if not is_null}
    dates = dates_of(con, others)
    numbers = None if dates else _numbers(others)
    is_typed = dates is not None or numbers is not None
    words = [text for text, _ in nulls if is_typed or text.lower() in _ALWAYS_NULL]
    empty = sum(count for text, count in nulls if text in words)
    texts = {**others, **{text: count for text, count in nulls if text not in words}}
    lower = {text.lower() for text in texts}
    return Profile(
        name,
        kind,
        rows,
        filled - empty,
        distinct - len(words),
        dict(sorted(texts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_WORDS]),
        dates,
        numbers,
        tuple(words),
        is_truth=bool(lower) and lower <= _TRUTH and len(lower) <= 2,
        is_email=_mostly(_EMAIL, others),
        is_phone=(_mostly(_PHONE, others) and numbers is None) or _mostly(re.compile(r"\+?\d{10,15}"), others),
        is_clock=_mostly(_CLOCK, others),
    )


def _mostly(pattern: re.Pattern[str], texts: dict[str, int]) -> bool:
    sample = list(texts)[:500]
    return bool(sample) and sum(bool(pattern.fullmatch(text)) for text in sample) >= 0.8 * len(sample)


# --- dates ------------------------------------------------------------------------------------------------------------------------------------


def forms_of(text: str) -> list[str]:
    """The formats in which ``text`` may be a date, or a date with a time; none where it is neither."""
    if _ISO.fullmatch(text):
        return ["%Y-%m-%d"] if len(text) == 10 else ["iso8601"]
    time = ""
    date = text
    if found := _TIME.match(text):
        date, half = found["date"], found["half"]
        second = ":%S" if found["second"] else ""
        second += f"{found['part'][0]}%f" if found["part"] else ""
        zone = f"{' ' if (found['zone'] or '').startswith(' ') else ''}%z" if found["zone"] else ""
        time = f"{found['sep']}{'%I' if half else '%H'}:%M{second}{found['blank'] if half else ''}{'%p' if half else ''}{zone}"
        if found["zone"] and found["zone"].startswith(" ") and not half:
            time = f"{found['sep']}%H:%M{second} %z"
    return [form + time for pattern, forms in _DATES if pattern.fullmatch(date) for form in forms]


def clock_form(text: str) -> str:
    """The format of a time of day."""
    half = re.search("[AaPp][Mm]$", text)
    return f"{'%I' if half else '%H'}:%M{':%S' if text.count(':') == 2 else ''}{' ' if ' ' in text else ''}{'%p' if half else ''}"


def turned(form: str) -> str:
    """``form`` with day and month changed."""
    return form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def dates_of(con: duckdb.DuckDBPyConnection, texts: dict[str, int]) -> Dates | None:
    """The formats in which texts (with how often each stands there) are dates; None where most are none."""
    values = list(texts)
    sample = values[:: max(1, len(values) // 500)][:500]
    candidates: Counter[str] = Counter()
    for text in sample:
        candidates.update(forms_of(text))
    if not sample or sum(bool(forms_of(text)) for text in sample) < 0.5 * len(sample):
        return None
    if candidates.get("iso8601"):
        candidates.pop("%Y-%m-%d", None)  # a moment in ISO form may leave its time out
    read = {form: _read(con, form, values) for form in candidates}
    weight = {form: sum(texts[text] for text in found) for form, found in read.items()}
    total = sum(texts.values())
    chosen: list[str] = []
    covered: set[str] = set()
    while len(chosen) < 4:
        best = max(read, key=lambda form: (len(read[form].keys() - covered), weight[form], -list(read).index(form)), default="")  # fmt: skip
        if not best or not read[best].keys() - covered:
            break
        chosen.append(best)
        covered |= read[best].keys()
    misses = total - sum(texts[text] for text in covered)
    if not covered or (misses > (1 - _MOSTLY) * total and misses > 0.3 * total):
        return None
    other = tuple(turned(form) for form in chosen)
    is_open = other != tuple(chosen) and all(len(read.get(turned(form), {}).keys()) >= len(read[form].keys()) for form in chosen)  # fmt: skip
    moments = [moment for form in chosen for moment in read[form].values()]
    unread = tuple(text for text in values if text not in covered)[:3]
    days_only = all((moment.hour, moment.minute, moment.second) == (0, 0, 0) for moment in moments)
    return Dates(tuple(chosen), other if is_open else (), misses, unread, min(moments), max(moments), days_only)


def _read(con: duckdb.DuckDBPyConnection, form: str, values: list[str]) -> dict[str, datetime]:
    """The values that ``form`` reads as moments between 1900 and 2200."""
    if form == "iso8601":
        moment = "coalesce(try_cast(v as timestamp), timezone('UTC', try_cast(v as timestamptz)))"
    elif "%z" in form:
        moment = f"timezone('UTC', try_strptime(regexp_replace(v, 'Z$', '+00:00'), {quote(form)}))"
    else:
        moment = f"try_strptime(v, {quote(form)})"
    rows = con.execute(
        f"select v, m from (select v, {moment} as m from (select unnest($1) as v)) where m between timestamp '1900-01-01' and timestamp '2200-01-01'",
        [values],
    ).fetchall()
    return dict(rows)


# --- numbers ----------------------------------------------------------------------------------------------------------------------------------


def _numbers(texts: dict[str, int]) -> Numbers | None:
    signs: Counter[str] = Counter()
    decimals: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    undecided: Counter[str] = Counter()
    most_decimals, misses = 0, 0
    unread: list[str] = []
    read: list[tuple[str, str]] = []
    for text, count in texts.items():
        found = _NUMBER.fullmatch(text)
        if not found or not (marks := _marks(found["digits"])):
            misses += count
            unread.append(text)
            continue
        signs.update(sign for sign in (found["before"], found["after"]) if sign)
        decimal, group, after, is_open = marks
        if is_open:
            undecided[decimal] += count
        else:
            if decimal:
                decimals[decimal] += count
                most_decimals = max(most_decimals, after)
            if group:
                groups[group] += count
        read.append((found["digits"], "-" if text.startswith(("-", "−", "(")) or text.endswith("-") else ""))
    total = sum(texts.values())
    if not read or misses > (1 - _MOSTLY) * total:
        return None
    decimal, group, is_open = _decided(decimals, groups, undecided)
    if undecided.get(decimal):
        most_decimals = max(most_decimals, 3)
    values = [_value(digits, minus, decimal) for digits, minus in read]
    return Numbers(
        decimal,
        group,
        tuple(sorted(signs)),
        is_open,
        has_decimals=any(value != int(value) for value in values),
        most_decimals=most_decimals,
        least=min(values),
        most=max(values),
        misses=misses,
        unread=tuple(unread[:3]),
    )


def _marks(digits: str) -> tuple[str, str, int, bool] | None:
    """Decimal mark, group mark, digits after the decimal mark, and whether the only mark (given as decimal) may be either; None: no number."""
    blank = " " if any(mark in digits for mark in _BLANKS) else ""
    text = re.sub(f"[{_BLANKS}]", "", digits)
    found = [character for character in text if not character.isdigit()]
    kinds = list(dict.fromkeys(found))
    if not kinds:
        return "", blank, 0, False
    if len(kinds) > 2:
        return None
    last = text[text.rfind(found[-1]) + 1 :]
    if len(kinds) == 2:
        return (found[-1], kinds[0], len(last), False) if found.count(found[-1]) == 1 else None
    mark = kinds[0]
    if len(found) > 1 or mark in "'’":
        return ("", mark, 0, False) if all(len(part) == 3 for part in text.split(mark)[1:]) else None
    is_open = len(last) == 3 and len(text) <= 7 and not text.startswith("0") and not blank
    return (mark, blank, len(last), is_open)


def _decided(decimals: Counter[str], groups: Counter[str], undecided: Counter[str]) -> tuple[str, str, bool]:
    """The decimal mark, the group mark, and whether they are a guess."""
    marked = [mark for mark, _ in groups.most_common() if mark != " "]
    decimal = decimals.most_common(1)[0][0] if decimals else ""
    group = marked[0] if marked else ""
    # 99.90 beside 1.234,50, or beside 1.234: no rule reads both for sure
    is_open = len(decimals) > 1 or bool(decimals.keys() & groups.keys()) or bool(decimals.keys() & undecided.keys())
    for mark in undecided:
        if mark in (decimal, group):
            continue
        if decimal:
            group = group or mark
        elif group:
            decimal = mark
        else:
            # 1,234 alone is a thousand nearly everywhere; 1.234 may be either
            group, is_open = mark, mark == "."
    if not decimal:
        decimal = "," if group == "." else "."
    return decimal, "" if group == decimal else group, is_open


def _value(digits: str, minus: str, decimal: str) -> float:
    plain = "".join(character for character in digits if character.isdigit() or character == decimal).replace(
        decimal, ".", 1
    )
    try:
        return float(minus + plain)
    except ValueError:
        return 0.0


def shared_numbers(profiles: Iterable[Profile]) -> tuple[Numbers | None, list[str]]:
    """How the numbers of several columns are written; and the columns that are written in another way."""
    chosen: Numbers | None = None
    signs: set[str] = set()
    others: list[str] = []
    decided = [profile for profile in profiles if profile.numbers]
    for profile in sorted(decided, key=lambda one: (one.numbers.is_open, not one.numbers.group, not one.numbers.has_decimals)):  # type: ignore[union-attr]  # fmt: skip
        mine = profile.numbers
        assert mine is not None
        has_marks = bool(mine.group) or mine.has_decimals or mine.most_decimals > 0
        if chosen is None:
            chosen = mine
        elif (
            has_marks and (mine.decimal != chosen.decimal or mine.group not in ("", chosen.group)) and not mine.is_open
        ):
            if mine.decimal == chosen.decimal and not chosen.group:
                chosen = mine
            else:
                others.append(profile.name)
                continue
        signs.update(mine.signs)
    if chosen is None:
        return None, []
    most = max(profile.numbers.most_decimals for profile in decided if profile.numbers)
    return Numbers(chosen.decimal, chosen.group, tuple(sorted(signs)), chosen.is_open, most_decimals=most), others
