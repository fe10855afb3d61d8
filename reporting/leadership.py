"""The leadership report: one self-contained HTML page, and a PDF where pango is installed.

Puts together what ``content`` read, what ``findings`` says and what ``charts`` drew. Numbers are formatted in the template with the
functions of ``numbers``; none is computed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reporting import pdf
from reporting.content import LEAST_N, METHOD, Report, Row, read
from reporting.findings import before_words, findings, kpi_title
from salesgauge import numbers
from salesgauge.kpis import kpis
from salesgauge.warehouse import open_published

NAME = "leadership-report"
_TEMPLATES = Path(__file__).parent / "templates"
_MOST_TILES = 5
MOST_REPS = 40
"""Bars of one drawing; more do not fit on a printed page."""
STATUS = {
    "met": ("✓", "Target met"),
    "on_way": ("↗", "Better, on its way"),
    "no_change": ("→", "No clear change"),
    "worse": ("↘", "Worse"),
    "missed": ("✗", "Target missed"),
    "undecided": ("?", "Too few to tell"),
    None: ("·", "Not judged"),
}
"""Status of a scorecard row: sign and words. Colour only repeats them."""


@dataclass(frozen=True)
class ReportFiles:
    """Where the report is. ``pdf`` is None where it could not be made; ``note`` then says why, in one line."""

    html: Path
    pdf: Path | None
    note: str | None


def leadership_report(pointer: Path, out_dir: Path, *, with_pdf: bool = True) -> ReportFiles:
    """Write the leadership report of the published version behind ``pointer`` into ``out_dir``.

    Files: ``leadership-report.html`` and ``leadership-report.pdf``, each replaced whole. ConfigurationError where nothing is
    published. The page loads nothing and holds no script; data are shown as text. Without a PDF an older one is removed, so that
    the two never tell of different versions.
    """
    con = open_published(pointer)
    try:
        report = read(con, pointer)
    finally:
        con.close()
    html = render(report)
    out_dir.mkdir(parents=True, exist_ok=True)
    page, print_file = out_dir / f"{NAME}.html", out_dir / f"{NAME}.pdf"
    draft = out_dir / f".{page.name}.part"
    draft.write_text(html, encoding="utf-8")
    draft.replace(page)
    if not with_pdf:
        print_file.unlink(missing_ok=True)
        return ReportFiles(page, None, "no PDF (report_pdf is false): salesgauge report makes one")
    note = pdf.write_pdf(html, print_file)
    return ReportFiles(page, None if note else print_file, note)


def render(report: Report) -> str:
    """The page."""
    # Altair takes a second to import: only those who draw wait for it.
    from reporting import charts

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("count", "share", "days", "minutes", "day", "month", "ago", "words", "listed", "kpi_name"):
        environment.filters[name] = getattr(numbers, name)
    environment.filters["money"] = lambda value: numbers.money(value, report.currency)
    zone = ZoneInfo(report.timezone)
    return environment.get_template("leadership.html.j2").render(
        report=report,
        css=Markup(_style(charts.COLOURS)),
        page_size="letter" if report.timezone.startswith("America/") else "A4",
        as_of_local=report.as_of.replace(tzinfo=ZoneInfo("UTC")).astimezone(zone),
        findings=findings(report),
        tiles=_tiles(report),
        cards=[_card(row, report, place, charts) for place, row in enumerate(report.scorecard.rows)],
        charts=_charts(report, charts),
        methods=numbers.METHODS,
        method=METHOD,
        status=STATUS,
        missing=numbers.MISSING,
        most_reps=MOST_REPS,
        has_amounts=any(row["amount"] for row in report.pipeline.rows),
    )


def _style(colours: dict[str, str]) -> str:
    """The style sheet; in dark mode the colours of the drawings follow the page's."""
    css = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    follow = "".join(
        f'svg [{attribute}="{colour}"]{{{attribute}:var(--{name})}}'
        for name, colour in colours.items()
        for attribute in ("fill", "stroke")
    )
    return re.sub(r"/\* drawings \*/", follow, css)


def _charts(report: Report, charts: Any) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if report.months:
        drawn["months"] = charts.months(report.months.rows, report.currency)
    if report.horizons:
        drawn["horizons"] = charts.horizons(report.horizons.rows)
    if report.pipeline:
        drawn["pipeline"] = charts.pipeline(report.pipeline.rows, report.labels, report.currency)
    if report.completeness:
        drawn["completeness"] = charts.completeness(report.completeness.rows[:MOST_REPS], report.completeness_target)
    # What the drawing library wrote is markup; the data inside were escaped by it (tested with hostile names).
    return {name: {"wide": Markup(chart.wide), "narrow": Markup(chart.narrow)} for name, chart in drawn.items()}


def _card(row: Row, report: Report, place: int = 0, charts: Any = None) -> dict[str, Any]:
    """A scorecard row as text, with its drawings where there are ``charts``."""
    unit, currency = row["unit"], report.currency
    sign, words = STATUS.get(row["status"], STATUS[None])
    return {
        "kpi": row["kpi"],
        "title": kpi_title(row, report),
        "subtitle": "Stage conversion" if row["from_stage"] else "",
        "baseline": numbers.value_of(row["baseline"], unit, currency),
        "baseline_span": _span(row, "baseline", currency),
        "baseline_n": numbers.n_of(row["baseline_n"]),
        "before": before_words(row),
        "current": numbers.value_of(row["current_value"], unit, currency),
        "current_span": _span(row, "current", currency),
        "current_n": numbers.n_of(row["current_n"]),
        "target": numbers.value_of(row["target"], unit, currency),
        "direction": _direction(row, currency),
        "said": numbers.value_of(row["before_value"], unit, currency),
        "is_low_n": row["current_n"] is not None and row["current_n"] < LEAST_N,
        "is_low_baseline": row["baseline_n"] is not None and row["baseline_n"] < LEAST_N,
        "status": row["status"] or "unknown",
        "sign": sign,
        "words": words,
        "reason": _reason(row),
        "strip": Markup(charts.strip(row, currency, f"strip{place}"))
        if charts and (row["current_value"] is not None or row["baseline"] is not None)
        else None,
        "trend": Markup(charts.sparkline(weeks, row["current_start_date"], f"{len(weeks)} weeks"))
        if charts and len(weeks := _weeks(row, report)) > 1
        else None,
    }


def _weeks(row: Row, report: Report) -> list[Row]:
    """The weeks of the window now in which the KPI has a value."""
    own = ("kpi", "from_stage", "to_stage")
    return [week for week in report.trend.rows if all(week[name] == row[name] for name in own)]


def _reason(row: Row) -> str | None:
    """Why a value is missing."""
    if row["current_value"] is None:
        return "nothing to count in these 13 weeks"
    if row["baseline"] is None:
        judged = {
            "missed": ": judged by the interval, all of which misses the target",
            "undecided": ": judged by the interval, which holds the target",
        }.get(row["status"], "")
        return f"nothing to count {before_words(row)}{judged}"
    if row["status"] is None:
        return "without an interval, the change can't be told from chance"
    return None


def _direction(row: Row, currency: str) -> str:
    words = "or less" if row["direction"] == "down" else "or more"
    rounded = [numbers.value_of(row[name], row["unit"], currency) for name in ("current_value", "target")]
    # 15.004 minutes read as 15: without a word the status would look wrong.
    return f"{words}, just missed" if rounded[0] == rounded[1] and row["status"] not in ("met", None) else words


def _span(row: Row, which: str, currency: str) -> str:
    low, high = row[f"{which}_low"], row[f"{which}_high"]
    return "no interval" if low is None or high is None else numbers.span(low, high, row["unit"], currency)


def _tiles(report: Report) -> list[dict[str, Any]]:
    """The KPIs that have a target, in the order in which people ask for them; the won amount first."""
    rows = {row["kpi"]: row for row in reversed(report.scorecard.rows)}
    tiles = [_won_tile(report)] if report.won else []
    headlines = sorted((kpi for kpi in kpis().values() if kpi.tile and kpi.name in rows), key=lambda kpi: kpi.tile)
    for kpi in headlines[:_MOST_TILES]:
        row = rows[kpi.name]
        card = _card(row, report)
        lines = [
            f"Target {card['target']} {card['direction']}",
            f"{card['baseline']} {card['before']} ({card['baseline_n']})",
        ]
        tiles.append(
            {
                "title": card["title"],
                "value": card["current"],
                "detail": f"95 % interval {card['current_span']}"
                if row["current_low"] is not None
                else card["reason"] or "no interval",
                "n": f"{card['current_n']}, last 13 weeks",
                "lines": lines,
                "status": card["status"],
                "sign": card["sign"],
                "words": card["words"],
                "is_low_n": card["is_low_n"],
            }
        )
    return tiles


def _won_tile(report: Report) -> dict[str, Any]:
    last, *before = report.won.rows
    deals = numbers.count(last["deals_won"])
    line = "no figure for the same month a year before"
    if before:
        line = f"{numbers.money(before[0]['won_amount'], report.currency)} in {numbers.month(before[0]['month'])} ({numbers.n_of(before[0]['deals_won'])})"
    return {
        "title": f"Won in {numbers.month(last['month'])}",
        "value": numbers.money(last["won_amount"], report.currency),
        "detail": "last complete month",
        "n": f"n = {deals} deals won",
        "lines": [line],
        "status": "plain",
        "sign": "",
        "words": "",
        "is_low_n": False,
    }
