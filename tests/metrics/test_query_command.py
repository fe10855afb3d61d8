"""``salesgauge query`` as people type it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from metrics import MetricStore
from orchestration.cli import main
from salesgauge.warehouse import connect

Ask = Callable[..., Result]


@pytest.fixture
def ask(root: Path) -> Ask:
    def asked(*words: str) -> Result:
        return CliRunner().invoke(main, ["--company", str(root / "var" / "demo"), "query", *words])

    return asked


def test_a_table_shows_what_stands_beside_a_value(ask: Ask) -> None:
    lines = ask("win_rate,won_amount", "--by", "rep", "--sort", "-win_rate", "--limit", "2").output.splitlines()
    assert lines[0].split("  ")[0] == "rep" and lines[0].split()[1:] == [
        "win_rate",
        "n",
        "95",
        "%",
        "interval",
        "won_amount",
        "n",
    ]
    assert " %" in lines[2] and "$" in lines[2] and lines[-1] == "2 of 7 rows."


def test_plain_is_the_bare_value(ask: Ask, store: MetricStore) -> None:
    output = ask("win_rate", "--by", "branch", "--plain", "--format", "csv").output
    rows = list(csv.reader(output.splitlines()))
    expected = store.ask(["win_rate"], by=["branch"]).rows
    assert rows == [["branch", "win_rate"], *([row[0] or "", str(row[1])] for row in expected)]


def test_json_has_all_columns(ask: Ask) -> None:
    (record,) = json.loads(ask("nps", "--compare", "target", "--format", "json").output)
    assert list(record) == [
        "nps",
        "nps_n",
        "nps_low",
        "nps_high",
        "nps_is_low_n",
        "nps_target",
        "nps_to_target",
        "nps_is_met",
    ]


def test_an_explanation_is_for_people_and_for_programs(ask: Ask) -> None:
    text = ask("win_rate", "--explain").output
    assert text.startswith("Win rate: win_rate\n") and "definition 1" in text and "version-1, as of 2026-06-17" in text
    assert json.loads(ask("win_rate", "--explain", "--format", "json").output)["declared"]["numerator"] == "is_won"


def test_records_behind_a_number_have_a_link_or_a_reason(ask: Ask) -> None:
    output = ask("win_rate", "--drill", "--where", "rep = 'Rep A'").output
    assert output.splitlines()[0].split() == ["deal_id", "closed_date", "is_counted", "link"]
    assert "[sources.crm.pages] of .dlt/config.toml can name one" in output
    longest = json.loads(
        ask("sales_cycle_days_median", "--drill", "--sort", "-value", "--limit", "2", "--format", "json").output
    )
    assert len(longest) == 2 and longest[0]["value"] >= longest[1]["value"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["win_rat"], "did you mean 'win_rate'"),
        (["win_rate", "--by", "rpe"], "win_rate has no dimension 'rpe'; did you mean 'rep'"),
        (["win_rate", "--where", "moon = 1"], "can't be asked of win_rate, which has no dimension 'moon'"),
        (["win_rate", "--sort", "won"], "no column 'won' to sort by"),
        (["win_rate", "--compare", "previous_year"], "--grain month"),
        (["win_rate", "nps", "--drill"], "behind one metric"),
        (["win_rate", "--drill", "--explain"], "ask one of them"),
        (["win_rate", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_mistakes_are_said_and_end_with_2(ask: Ask, words: list[str], said: str) -> None:
    result = ask(*words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split()) and "Traceback" not in result.output


def test_a_trend_has_the_last_13_complete_periods(ask: Ask, pointer: Path) -> None:
    """As ``kpi_trend`` has them; the week and the month of ``as_of`` (2026-06-17) are not over."""
    for grain, first, last in (("week", "2026-03-16", "2026-06-08"), ("month", "2025-05-01", "2026-05-01")):
        shown = ask("leads_created", "--trend", "--grain", grain, "--format", "csv").output.splitlines()
        rows = list(csv.DictReader(shown))
        assert (len(rows), rows[0][grain], rows[-1][grain]) == (13, first, last)
        with connect(pointer.resolve(), read_only=True) as con:
            mart = con.execute(
                "select period_start_date, value from kpi.kpi_trend where kpi = 'leads_created' and segment_type = 'total' and period_grain = ? order by 1",
                [grain],
            ).fetchall()
        assert [(row[grain], float(row["leads_created"])) for row in rows] == [(str(day), value) for day, value in mart]
    weeks = ask("win_rate", "--trend", "--by", "branch", "--where", "branch = 'north'", "--format", "json").output
    assert {row["branch"] for row in json.loads(weeks)} == {"north"}
    assert {"week", "win_rate_low", "win_rate_n"} <= set(json.loads(weeks)[0])
