"""The truth's own reading of the process file, of conditions and of clocks."""

from __future__ import annotations

import ast
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import demo.truth
from demo.truth import clock
from demo.truth.conditions import read_condition
from demo.truth.settings import LOWER_IS_BETTER, Branch, Settings, read_settings
from salesgauge.kpis import kpis
from tests.demo.stories import PROCESS

CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "process.yml"
    path.write_text(PROCESS, encoding="utf-8")
    return read_settings(path)


def test_stages_and_versions(settings: Settings) -> None:
    assert settings.next_stage("qualification") == "consultation_scheduled"
    assert settings.next_stage("proposal") == "won"
    assert settings.next_stage("won") is None and settings.next_stage("lost") is None
    assert [settings.version_on(date(2026, month, 1)) for month in (1, 2)] == ["old", "new"]
    assert settings.version_on(date(2024, 1, 1)) is None
    assert settings.version_span("old") == (date(2025, 1, 1), date(2026, 1, 31))
    assert settings.zone_of("denver") == ZoneInfo("America/Denver")
    assert settings.zone_of(None) == settings.zone_of("elsewhere") == CHICAGO


@pytest.mark.parametrize(
    ("condition", "row", "expected"),
    [
        ("lead.is_test or lead.email like '%@x.test'", {"is_test": None, "email": "a@x.test"}, True),
        ("lead.is_test or lead.email like '%@x.test'", {"is_test": False, "email": "a@y.test"}, False),
        ("lead.is_test or lead.email like '%@x.test'", {"is_test": False, "email": None}, None),
        ("not (a = 1 and b is not null)", {"a": 1.0, "b": None}, True),
        ("a in ('x', 'y') and b between 2 and 3", {"a": "y", "b": 2.5}, True),
        ("a not in ('x', null)", {"a": "y"}, None),
        ("a ilike 'TE_T' and b <> 'it''s'", {"a": "test", "b": "its"}, True),
        ("a not like '%.com'", {"a": "x.org"}, True),
    ],
)
def test_conditions_know_three_values(condition: str, row: dict, expected: bool | None) -> None:
    assert read_condition(condition)(row) is expected


@pytest.mark.parametrize("wrong", ["a = ", "a b", "(a", "a ; b", "a is nothing"])
def test_a_condition_that_cannot_be_read(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"read|expected|early|unexpected"):
        read_condition(wrong)


def test_days_are_those_of_the_wall_clock() -> None:
    """8 March 2026 has 23 hours in Chicago."""
    begin, end = datetime(2026, 3, 8, 6), datetime(2026, 3, 9, 5)
    assert clock.local_days(begin, end, CHICAGO) == 1.0
    assert clock.minutes(begin, end) == 23 * 60
    assert clock.local_date(datetime(2026, 1, 5, 5, 59), CHICAGO) == date(2026, 1, 4)


def test_open_minutes(settings: Settings) -> None:
    branch: Branch = settings.branches["chicago"]
    friday_17_30, saturday_9_20 = datetime(2026, 1, 9, 23, 30), datetime(2026, 1, 10, 15, 20)
    assert clock.open_minutes(friday_17_30, saturday_9_20, branch) == 30 + 20
    new_years_day = datetime(2026, 1, 1, 15), datetime(2026, 1, 1, 20)
    assert clock.open_minutes(*new_years_day, branch) == 0
    assert clock.open_minutes(friday_17_30, None, branch) is None
    assert clock.open_minutes(friday_17_30, saturday_9_20, None) is None


def test_periods() -> None:
    day = date(2026, 1, 1)  # a Thursday
    starts = [clock.period_start(day, grain) for grain in ("year", "quarter", "month", "week")]
    assert starts == [day, day, day, date(2025, 12, 29)]
    assert clock.period_start(date(2026, 6, 30), "quarter") == date(2026, 4, 1)
    assert clock.month_after(date(2025, 12, 31)) == date(2026, 1, 1)


def test_lower_is_better_where_it_is_declared_so() -> None:
    assert {name for name, kpi in kpis().items() if kpi.better == "down"} == LOWER_IS_BETTER


def test_the_truth_shares_nothing_with_the_warehouse() -> None:
    allowed = {"demo", "numpy", "pandas", "ruamel"}
    ours = {"demo.log", "demo.truth"}
    for path in Path(demo.truth.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                top = name.partition(".")[0]
                assert top in allowed or top in __import__("sys").stdlib_module_names, (path.name, name)
                assert top != "demo" or any(name == one or name.startswith(f"{one}.") for one in ours), (
                    path.name,
                    name,
                )
