"""Numbers, dates and names as people read them (en-US). What the numbers mean does not belong here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from salesgauge.kpis import kpis

MISSING = "–"
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "CAD": "CA$", "AUD": "A$", "NZD": "NZ$", "JPY": "¥"}
_THIN = "\u202f"  # narrow no-break space: the number and its unit stay on one line
METHODS = {"stage_age_pipeline": "Pipeline by stage and age", "seasonal_naive": "Same month last year"}


def words(key: str) -> str:
    """A key in snake case as words: ``wanted_by`` → ``Wanted by``."""
    text = key.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def kpi_name(kpi: str) -> str:
    """The name that people use for the metric ``kpi``."""
    return kpis()[kpi].label if kpi in kpis() else words(kpi)


def count(value: float | None) -> str:
    """Thousands separated, no decimals."""
    return MISSING if value is None else f"{value:,.0f}"


def n_of(value: float | None) -> str:
    """``n = 702``, never broken over two lines."""
    return f"n\u00a0=\u00a0{count(value)}"


def share(value: float | None, *, signed: bool = False) -> str:
    """0.3421 → ``34.2 %``; above 100 % without decimals."""
    if value is None:
        return MISSING
    digits = 0 if abs(value) > 1.0005 else 1
    text = f"{value * 100:{'+' if signed else ''}.{digits}f}"
    if float(text) == 0:
        text = "0.0"
    return f"{_minus(text)}{_THIN}%"


def money(value: float | Decimal | None, currency: str) -> str:
    """``$1.23 M``, ``$340 k``, ``$85``."""
    if value is None:
        return MISSING
    size, sign = abs(float(value)), "−" if value < 0 else ""
    symbol = _SYMBOLS.get(currency, f"{currency}{_THIN}")
    # The bounds are where the rounded text would reach the next unit: 999,999 is $1.00 M, not $1000 k.
    for bound, divisor, digits, unit in (
        (999.95e6, 1e9, 2, "B"),
        (999.5e3, 1e6, 2, "M"),
        (9.95e3, 1e3, 0, "k"),
        (999.5, 1e3, 1, "k"),
    ):
        if size >= bound:
            return f"{sign}{symbol}{size / divisor:,.{digits}f}{_THIN}{unit}"
    return f"{sign}{symbol}{size:,.0f}" if size >= 0.5 or size == 0 else f"{sign}{symbol}{size:,.2f}"


def minutes(value: float | None) -> str:
    """``7.5 min``, ``38 min``, ``3.2 h``, ``2.5 days``."""
    if value is None:
        return MISSING
    if value < 9.95:
        return f"{value:.1f}{_THIN}min"
    if value < 119.5:
        return f"{value:.0f}{_THIN}min"
    if value < 48 * 60:
        return f"{value / 60:.1f}{_THIN}h"
    return f"{value / 1440:.1f}{_THIN}days"


def days(value: float | None) -> str:
    """``6.8 days``."""
    return MISSING if value is None else f"{value:,.1f}{_THIN}days"


def value_of(value: float | None, unit: str | None, currency: str) -> str:
    """A KPI's value by its unit: share, seconds, minutes, days, money, points, count, ratio."""
    if value is None:
        return MISSING
    if unit == "share":
        return share(value)
    if unit == "seconds":
        return f"{value:,.1f}{_THIN}s" if value < 99.95 else minutes(value / 60)
    if unit == "minutes":
        return minutes(value)
    if unit == "days":
        return days(value)
    if unit == "money":
        return money(value, currency)
    if unit == "count":
        return count(value)
    if unit == "points":
        return _minus(f"{value:+.0f}")
    return f"{value:,.2f}"


def in_full(value: float | Decimal | None, unit: str | None, currency: str) -> str:
    """As ``value_of``, but money to the unit, below 1,000 to the cent: ``$447,539``, ``$85.50``."""
    if value is None or unit != "money":
        return value_of(None if value is None else float(value), unit, currency)
    symbol, size = _SYMBOLS.get(currency, f"{currency}{_THIN}" if currency else ""), abs(float(value))
    return f"{'−' if value < 0 else ''}{symbol}{size:,.{0 if size >= 999.995 else 2}f}"


def change_of(value: float | None, unit: str | None, currency: str) -> str:
    """A difference by the unit of what differs, with its sign: ``+3.1 points`` of shares, ``−$1,250``, ``+2.5 days``."""
    if value is None:
        return MISSING
    if unit == "share":
        return _signed(f"{value * 100:+.1f}", f"{_THIN}points")
    if unit == "points":
        return _signed(f"{value:+.0f}", f"{_THIN}points")
    if unit == "count":
        return _signed(f"{value:+,.0f}")
    if unit == "ratio":
        return _signed(f"{value:+,.2f}")
    text = in_full(abs(value), unit, currency)
    return f"{'−' if value < 0 else '+'}{text}" if value else text


def _signed(number: str, unit: str = "") -> str:
    """A number with its sign, which nothing has."""
    is_nothing = float(number.replace(",", "")) == 0
    return (number.lstrip("+-") if is_nothing else _minus(number)) + unit


def span(low: float | None, high: float | None, unit: str | None, currency: str) -> str:
    """An interval, ``35.1–46.8 %``; a dash where it has no ends."""
    if low is None or high is None:
        return MISSING
    first, last = value_of(low, unit, currency), value_of(high, unit, currency)
    if _THIN in first and _THIN in last and first.split(_THIN)[-1] == last.split(_THIN)[-1] and unit != "money":
        first = first.split(_THIN)[0]
    # An en dash before a minus or a plus is unreadable.
    return (
        f"{first} to {last}" if last[:1] in "−+" or first[:1] in "−+" else f"{first}\u2060–\u2060{last}"
    )  # word joiners: one line


def day(value: date | datetime | None) -> str:
    """``Mar 18, 2026``."""
    return MISSING if value is None else f"{value:%b} {value.day}, {value.year}"


def month(value: date | None) -> str:
    """``Mar 2026``."""
    return MISSING if value is None else f"{value:%b %Y}"


def ago(moment: datetime | None, now: datetime) -> str:
    """How old at ``now``: ``3 h old``, ``2 days old``. The date, where ``now`` is an earlier moment that is looked back at."""
    if moment is None:
        return MISSING
    hours = (now - moment).total_seconds() / 3600
    if hours < -1:
        return day(moment)
    if hours < 1:
        return "under 1 h old"
    return f"{hours:.0f}{_THIN}h old" if hours < 48 else f"{hours / 24:.0f} days old"


def listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    items = list(names)
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def _minus(text: str) -> str:
    return text.replace("-", "−")
