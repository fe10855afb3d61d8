"""The leadership report: it loads nothing, shows the marts' numbers, survives hostile text and an empty company."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reporting import leadership_report, pdf
from reporting.charts import sparkline
from reporting.content import read
from reporting.findings import findings
from salesgauge import numbers
from salesgauge.errors import ConfigurationError
from salesgauge.warehouse import open_published
from tests.reporting.conftest import Published, Tools

HOSTILE = "<script>alert(1)</script>"
_VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements, attributes, text, and the rows of all tables of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.unclosed = 0
        self.feed(html)
        self.close()
        self.unclosed = len(self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += plain(data)
            if {"td", "th"} & set(self._open):
                self.rows[-1][-1] += plain(data)

    def row(self, first: str) -> list[str]:
        """The cells of the first table row that begins with ``first``."""
        return next([cell.strip() for cell in row] for row in self.rows if row and row[0].strip().startswith(first))


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u2060", "").replace("\u00a0", " ")


def made(
    published: Published, tmp_path: Path, fill: Callable[[duckdb.DuckDBPyConnection], None], **options: Any
) -> tuple[str, Page]:
    files = leadership_report(published.write(fill, **options), tmp_path / "reports")
    html = files.html.read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture(autouse=True)
def no_pdf(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The PDF takes seconds: only the tests about it make one."""
    if "with_pdf" not in request.fixturenames:
        monkeypatch.setattr("reporting.pdf.write_pdf", lambda *_: "not made in this test")


@pytest.fixture
def with_pdf() -> None:
    """Asks for the real PDF."""


def test_the_page_loads_nothing(published: Published, tools: Tools, tmp_path: Path) -> None:
    html, page = made(published, tmp_path, tools.plausible)
    assert not {"script", "link", "iframe", "object", "embed", "img", "image", "video", "base", "form", "a"} & set(
        page.tags
    )
    assert not [
        item
        for item in page.attributes
        if item[1] in ("src", "href", "xlink:href", "srcset", "action", "data", "background")
    ]
    assert not [item for item in page.attributes if item[1].startswith("on")]
    assert "http:" not in html and "https:" not in html and "@import" not in html
    assert not [target for target in re.findall(r"url\(([^)]*)\)", html) if not target.startswith("#")]
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert page.unclosed == 0
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)), "two drawings share an id"


def test_each_kpi_shows_its_weeks_and_only_those_that_are_known(
    published: Published, tools: Tools, tmp_path: Path
) -> None:
    pointer = published.write(tools.plausible)
    html = leadership_report(pointer, tmp_path / "reports").html.read_text(encoding="utf-8")
    drawings = re.findall(r'<svg class="trend".*?</svg>', html)
    with open_published(pointer) as con:
        (cards,) = con.execute("select count(*) from kpi.kpi_scorecard where segment_type = 'total'").fetchone() or (0,)
    assert len(drawings) == cards > 5
    for drawing in drawings:
        line, band = (re.findall(rf'<{name} points="([^"]*)"', drawing) for name in ("polyline", "polygon"))
        # twelve weeks, of the last of which no interval is known
        assert [len(one.split()) for one in (*line, *band)] == [12, 22]
        first, last = (float(point.split(",")[0]) for point in (line[0].split()[0], line[0].split()[-1]))
        assert (round(first), round(last)) == (22, 227)


def test_a_week_without_a_value_is_a_gap() -> None:
    first = date(2026, 3, 2)
    rows = [
        {"period_start_date": first + timedelta(weeks=week), "value": 5.0, "low": None, "high": None}
        for week in (0, 1, 5)
    ]
    drawing = sparkline(rows, first, "3 weeks")
    assert [len(line.split()) for line in re.findall(r'<polyline points="([^"]*)"', drawing)] == [2, 1]
    assert "polygon" not in drawing and "nan" not in drawing


def test_a_wide_interval_leaves_the_line_its_room() -> None:
    first = date(2026, 3, 2)
    rows = [
        {"period_start_date": first + timedelta(weeks=week), "value": 5.0 + week % 3, "low": 1.0, "high": 900.0}
        for week in range(13)
    ]
    drawing = sparkline(rows, first, "13 weeks")

    def heights(name: str) -> list[float]:
        return [
            float(point.split(",")[1])
            for points in re.findall(rf'<{name} points="([^"]*)"', drawing)
            for point in points.split()
        ]

    assert max(heights("polyline")) - min(heights("polyline")) >= 8
    assert 0 <= min(heights("polygon")) < max(heights("polygon")) <= 30


def test_numbers_are_those_of_the_marts(published: Published, tools: Tools, tmp_path: Path) -> None:
    pointer = published.write(tools.plausible)
    page = Page(leadership_report(pointer, tmp_path / "reports").html.read_text(encoding="utf-8"))
    con = open_published(pointer)

    def rows(sql: str) -> list[tuple]:
        return con.execute(sql).fetchall()

    def money(value: Any) -> str:
        return plain(numbers.money(value, "USD"))

    def share(value: Any, **options: Any) -> str:
        return plain(numbers.share(value, **options))

    stages = rows(
        "select label, deals, amount, weighted_amount from kpi.kpi_pipeline join process.stages using (stage) where segment_type = 'total'"
    )
    assert len(stages) == 3
    for label, deals, amount, weighted in stages:
        assert page.row(label)[:4] == [label, f"{deals:,}", money(amount), money(weighted)]
    accuracy = rows("""
        select segment, n, wape, bias, skill, coverage_rate from kpi.kpi_forecast_accuracy
        where method = 'stage_age_pipeline' and level = 'rep' and segment_type = 'rep' and horizon_bucket = 'all'
    """)
    assert len(accuracy) == len(tools.reps)
    for rep, n, wape, bias, skill, coverage in accuracy:
        shown = [f"{n:,}", share(wape), share(bias, signed=True), share(skill, signed=True), share(coverage)]
        assert page.row(rep)[1:6] == shown
    for bucket, wape, naive in rows("""
        select a.horizon_bucket, a.wape, b.wape from kpi.kpi_forecast_accuracy as a join kpi.kpi_forecast_accuracy as b
        using (horizon_bucket, level, segment_type) where level = 'total' and a.method = 'stage_age_pipeline' and b.method = 'seasonal_naive'
        and horizon_bucket <> 'all'
    """):
        row = page.row(bucket.replace("-", "–"))
        assert (row[2], row[6]) == (share(wape), share(naive))
    for value, low, high, n, target, unit in rows(
        "select current_value, current_low, current_high, current_n, target, unit from kpi.kpi_scorecard where current_low is not null"
    ):
        interval = plain(numbers.span(low, high, unit, "USD"))
        assert f"{plain(numbers.value_of(value, unit, 'USD'))} ({interval}, n = {n:,})" in page.text
        assert plain(numbers.value_of(target, unit, "USD")) in page.text
    for rep, n, value in rows(
        "select segment, n, completeness from kpi.kpi_crm_completeness where segment_type = 'rep'"
    ):
        assert rep in page.text and re.search(rf"{re.escape(share(value))}\s+n = {n:,}", page.text)
    for source, received, loaded, quarantined in rows(
        "select source, sum(received), sum(loaded), sum(quarantined) from quality.loads group by source"
    ):
        assert page.row(source)[2:5] == [f"{received:,}", f"{loaded:,}", f"{quarantined:,}"]
    assert (
        "000001-20260318T060500Z" in page.text
        and "2026-03-18 06:00 UTC" in page.text
        and "definitions version 1" in page.text
    )


def test_months_show_the_lock_before_the_month_and_the_newest_for_open_ones(
    published: Published, tools: Tools, tmp_path: Path
) -> None:
    pointer = published.write(tools.plausible)
    page = Page(leadership_report(pointer, tmp_path / "reports").html.read_text(encoding="utf-8"))
    con = open_published(pointer)
    total = "from marts.fct_forecast where level = 'total' and method = 'stage_age_pipeline'"
    for label, month, newest in (
        ("Jan 2026", "2026-01-01", "2025-12-29"),
        ("Mar 2026", "2026-03-01", "2026-03-16"),
        ("Apr 2026", "2026-04-01", "2026-03-16"),
    ):
        ((amount, low, high, actual),) = con.execute(
            f"select forecast_amount, low_amount, high_amount, actual_amount {total} and period_start_date = '{month}' and lock_date = '{newest}'"
        ).fetchall()
        row = page.row(label)
        assert row[1] == plain(numbers.money(amount, "USD"))
        assert row[2] == plain(f"{numbers.money(low, 'USD')}–{numbers.money(high, 'USD')}")
        if actual is not None:
            assert row[3:5] == [plain(numbers.money(value, "USD")) for value in (actual, amount - actual)]
    ((so_far,),) = con.execute(
        "select won_amount from kpi.kpi_win_loss where period_grain = 'month' and period_start_date = '2026-03-01'"
    ).fetchall()
    assert "so far" in page.row("Mar 2026")[0] and page.row("Mar 2026")[3] == plain(numbers.money(so_far, "USD"))


def test_hostile_text_stays_text(published: Published, tools: Tools, tmp_path: Path) -> None:
    reps = (
        HOSTILE,
        '"><img src=x onerror=alert(1)>',
        "{{ 7*7 }}",
        "a & b",
        "' + datum.x + '",
        "]]><svg onload=alert(1)>",
        *tools.reps[6:],
    )

    def fill(con: duckdb.DuckDBPyConnection) -> None:
        tools.plausible(con, company=HOSTILE, reps=reps)
        con.execute("update process.stages set label = '<marquee onclick=alert(1)>' || stage || '</marquee>'")
        con.execute("update process.branches set label = ?", [HOSTILE])
        con.execute("update kpi.kpi_crm_completeness_by_field set field = '<dialog>' || field")
        con.execute("update quality.loads set source = '<details>' || source")
        con.execute("update kpi.kpi_scorecard set kpi = '<textarea>x' where kpi = 'nps'")

    html, page = made(published, tmp_path, fill)
    assert not {"script", "img", "marquee", "dialog", "details", "textarea"} & set(page.tags)
    assert not [item for item in page.attributes if item[1].startswith("on")]
    assert HOSTILE not in html
    assert HOSTILE in page.text
    assert all(page.row(rep) for rep in reps)
    assert "49" not in page.row("{{ 7*7 }}")[0]
    assert page.unclosed == 0


def test_an_empty_company_gets_a_report_with_reasons(published: Published, tools: Tools, tmp_path: Path) -> None:
    def fill(con: duckdb.DuckDBPyConnection) -> None:
        con.execute(
            "insert into process.run values (?, ?, 'New', 'EUR', 'Europe/Berlin', 1)", [tools.as_of, tools.as_of.date()]
        )

    _, page = made(published, tmp_path, fill)
    for reason in (
        "No forecast was locked and nothing was won yet.",
        "No month that was forecast is over yet.",
        "No deal is open.",
        "process.yml names no targets",
        "No counted lead or deal has a required field yet.",
        "No load is recorded",
    ):
        assert f"– {reason}" in page.text or reason in page.text
    assert "What to look at" not in page.text
    assert "07:00 CET" in page.text


def test_missing_tables_are_named(published: Published, tools: Tools, tmp_path: Path) -> None:
    schema = tools.schema[: tools.schema.index("create table process.stages")]

    def fill(con: duckdb.DuckDBPyConnection) -> None:
        con.execute(
            "insert into process.run values (?, ?, 'New', 'USD', 'America/Denver', 1)",
            [tools.as_of, tools.as_of.date()],
        )

    _, page = made(published, tmp_path, fill, schema=schema)
    for table in ("fct_forecast", "kpi_forecast_accuracy", "kpi_pipeline", "kpi_scorecard", "kpi_crm_completeness"):
        assert f"Table with name {table} does not exist" in page.text


def test_what_is_no_version_is_refused(published: Published, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a published version"):
        leadership_report(published.write(schema="create table t (x integer)"), tmp_path)
    with pytest.raises(ConfigurationError, match="nothing is published"):
        leadership_report(tmp_path / "nowhere.duckdb", tmp_path)


def test_few_cases_and_missing_values_are_marked(published: Published, tools: Tools, tmp_path: Path) -> None:
    def fill(con: duckdb.DuckDBPyConnection) -> None:
        tools.plausible(con)
        con.execute("""
            update kpi.kpi_scorecard set current_value = null, current_low = null, current_high = null, current_n = 0, status = null, is_low_n = true
            where kpi = 'win_rate'
        """)
        con.execute("delete from kpi.kpi_scorecard where kpi <> 'win_rate'")

    _, page = made(published, tmp_path, fill)
    assert "nothing to count in these 13 weeks" in page.text
    assert "Not judged" in page.text
    assert "few" in page.row("Noah Novak")[0], "12 forecasts are few"
    assert "few" not in page.row("Ana Alvarez")[0]
    assert page.row("Ben Brooks")[4] == "–", "a skill that is not known is not 0"


def test_a_company_without_amounts_gets_counts_and_reasons_instead_of_zeros(
    published: Published, tools: Tools, tmp_path: Path
) -> None:
    def fill(con: duckdb.DuckDBPyConnection) -> None:
        tools.plausible(con)
        con.execute("update kpi.kpi_pipeline set amount = 0, weighted_amount = 0")
        con.execute(
            "update marts.fct_forecast set forecast_amount = 0, low_amount = 0, high_amount = 0, actual_amount = 0"
        )
        con.execute("update kpi.kpi_win_loss set won_amount = 0")
        con.execute("update kpi.kpi_forecast_accuracy set wape = null, bias = null, skill = null")

    _, page = made(published, tmp_path, fill)
    assert "No deal with an amount was won yet" in page.text
    assert "nothing to measure errors against" in page.text
    assert page.row("Proposal")[:4] == ["Proposal", "58", "–", "–"]
    assert "None of them has an amount" in page.text


def test_many_reps_still_fit_a_page(published: Published, tools: Tools, tmp_path: Path) -> None:
    reps = tuple(f"Rep {number:03}" for number in range(90))
    _, page = made(published, tmp_path, lambda con: tools.plausible(con, reps=reps))
    assert "The 40 lowest of 90." in page.text


def test_a_target_missed_by_less_than_the_rounding_says_so(published: Published, tools: Tools, tmp_path: Path) -> None:
    def fill(con: duckdb.DuckDBPyConnection) -> None:
        tools.plausible(con)
        con.execute("update kpi.kpi_scorecard set current_value = 15.004 where kpi = 'speed_to_lead_median_minutes'")

    _, page = made(published, tmp_path, fill)
    assert "15 min or less, just missed" in page.text
    assert "7.0 days or less, just missed" not in page.text


def test_findings_follow_the_data(published: Published, tools: Tools) -> None:
    def sentences(change: str | None = None) -> list[str]:
        def fill(con: duckdb.DuckDBPyConnection) -> None:
            tools.plausible(con)
            if change:
                con.execute(change)

        pointer = published.write(fill)
        con = open_published(pointer)
        found = findings(read(con, pointer))
        assert 3 <= len(found) <= 5
        return [plain(f"{finding.title}: {finding.text}") for finding in found]

    before = sentences()
    assert before[0] == (
        "Lead to customer is farthest from its target: It is 13.1 % (95 % interval 10.8–15.8 %, n = 702); the target is 25.0 %, "
        "and it was 15.1 % a year before."
    )
    assert any("Ana Alvarez has 69.0 %" in sentence and "n = 8,342" in sentence for sentence in before)
    assert any(
        re.search(
            r"Mar 2026: \$\d+ k \(80 % interval .*; \$\d+ k won so far; a year before \$\d+ k\)\. Apr 2026: .*Locked on Mar 16, 2026",
            sentence,
        )
        for sentence in before
    )
    assert any("61–90 days ahead were 8.0 % too high" in sentence and "n = 52" in sentence for sentence in before)
    worse = sentences("update kpi.kpi_scorecard set status = 'worse' where kpi = 'win_rate'")
    assert worse[0].startswith("Win rate got worse: It is 41.0 %")
    # A rep with few records is not blamed.
    few = sentences("update kpi.kpi_crm_completeness set completeness = 0.1 where n < 20")
    assert any("Ana Alvarez has 69.0 %" in sentence for sentence in few)


def test_the_same_version_gives_the_same_page(published: Published, tools: Tools, tmp_path: Path) -> None:
    pointer = published.write(tools.plausible)
    first = leadership_report(pointer, tmp_path / "a").html.read_bytes()
    assert leadership_report(pointer, tmp_path / "b").html.read_bytes() == first


@pytest.mark.usefixtures("with_pdf")
def test_without_pango_there_is_a_page_and_one_line(
    published: Published, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_pango(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pango)
    stale = tmp_path / "leadership-report.pdf"
    stale.write_bytes(b"of another version")
    files = leadership_report(published.write(tools.plausible), tmp_path)
    assert files.html.is_file() and files.pdf is None
    assert files.note == pdf.INSTALL_PANGO and "\n" not in files.note and "apt install libpango" in files.note
    assert not stale.exists(), "a PDF of another version must not stay beside the page"


def test_without_a_pdf_none_of_another_version_stays(published: Published, tools: Tools, tmp_path: Path) -> None:
    stale = tmp_path / "leadership-report.pdf"
    stale.write_bytes(b"of another version")
    files = leadership_report(published.write(tools.plausible), tmp_path, with_pdf=False)
    assert files.html.is_file() and files.pdf is None and not stale.exists()
    assert files.note == "no PDF (report_pdf is false): salesgauge report makes one"


@pytest.mark.usefixtures("with_pdf")
def test_pdf(published: Published, tools: Tools, tmp_path: Path) -> None:
    files = leadership_report(published.write(tools.plausible), tmp_path)
    if files.pdf is None:
        pytest.skip("pango is not installed here")
    content = files.pdf.read_bytes()
    assert content.startswith(b"%PDF-") and len(content) > 20_000
    assert files.note is None and sorted(path.name for path in tmp_path.glob("leadership*")) == [
        "leadership-report.html",
        "leadership-report.pdf",
    ]


def test_the_pdf_fetches_nothing() -> None:
    with pytest.raises(ValueError, match="fetches nothing"):
        pdf._refuse("file:///etc/passwd")


def test_an_open_deal_without_a_stage_is_shown_as_such(published: Published, tools: Tools, tmp_path: Path) -> None:
    def fill(con: duckdb.DuckDBPyConnection) -> None:
        tools.plausible(con)
        con.execute(
            "insert into kpi.kpi_pipeline (segment_type, segment, stage, deals) values ('total', 'total', null, 4)"
        )

    _, page = made(published, tmp_path, fill)
    assert page.row("(no stage)")[1] == "4"


def test_what_could_not_be_judged_stands_at_the_end(published: Published, tools: Tools, tmp_path: Path) -> None:
    def fill(con: duckdb.DuckDBPyConnection) -> None:
        tools.plausible(con)
        con.execute(
            "create or replace table kpi.kpi_unmapped_values (field varchar, value varchar, records bigint, amount double)"
        )
        con.execute(
            f"insert into kpi.kpi_unmapped_values select 'branch', '{HOSTILE}' || i, i, null from range(1, 6) t(i)"
        )

    _, page = made(published, tmp_path, fill)
    last = page.text[page.text.index("Where the numbers come from") :]
    assert last.index("What nothing maps") < last.index("Findings of the audit")
    assert f"The branch '{HOSTILE}5' is not known: 5 records" in last and f"{HOSTILE}2'" not in last
    assert "And 2 more: salesgauge checks" in last
    assert "script" not in page.tags
