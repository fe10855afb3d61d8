"""What people ask and what they get: names, groups, grains, refusals."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from metrics import MetricStore
from salesgauge.errors import ConfigurationError
from salesgauge.warehouse import connect


def test_groups_and_grain_become_columns_and_the_value_is_last(store: MetricStore) -> None:
    frame = store.query("won_amount", by=["branch", "rep"], grain="month")
    assert list(frame.columns) == ["month", "branch", "rep", "won_amount"]
    assert all(isinstance(day, dt.date) and day.day == 1 for day in frame["month"])
    keys = [(row.month, row.branch or "~", row.rep or "~") for row in frame.itertuples()]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)


def test_columns_hold_what_their_names_say_in_any_order_of_by(
    store: MetricStore, con: duckdb.DuckDBPyConnection
) -> None:
    """MetricFlow has an order of its own for entities and dimensions."""
    rows = con.sql(
        "select to_stage, team, from_stage, branch, avg(is_reached::int) as v from marts.fct_stage_conversion group by all"
    ).fetchall()
    expected = {tuple(row[:4]): row[4] for row in rows}
    by = ["to_stage", "team", "from_stage", "branch"]
    frame = store.query("stage_pair_conversion_rate", by=by)
    assert list(frame.columns) == [*by, "stage_pair_conversion_rate"]
    found = {tuple(None if pd.isna(v) else v for v in row[:4]): row[4] for row in frame.itertuples(index=False)}
    assert found == pytest.approx(expected)
    monthly = store.query("stage_pair_conversion_rate", by=by, grain="month")
    assert set(monthly["to_stage"]) == {"qualification", "quote", "won"} and set(monthly["month"].map(type)) == {
        dt.date
    }


def test_weeks_begin_on_monday(store: MetricStore) -> None:
    assert {day.isoweekday() for day in store.query("leads_created", grain="week")["week"]} == {1}


def test_weeks_and_years_are_those_of_the_company(
    pointer: Path, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    folder = tmp_path / "version"
    shutil.copytree(pointer.resolve().parent, folder)
    with connect(folder / "salesgauge.duckdb") as changed:
        changed.execute("update process.calendar set week_starts_on = 'sun', fiscal_year_starts_in = 4")
    days = con.sql("select created_date as day, count(*) as n from marts.fct_lead group by all").df()
    days["day"] = pd.to_datetime(days["day"])
    starts = {
        "week": days["day"].map(lambda day: day - pd.Timedelta(days=(day.weekday() + 1) % 7)),
        "quarter": days["day"].map(lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)),
        "year": days["day"].map(lambda day: day.replace(year=day.year - (day.month < 4), month=4, day=1)),
        "month": days["day"].map(lambda day: day.replace(day=1)),
    }
    with MetricStore(folder / "salesgauge.duckdb") as store:
        for grain, start in starts.items():
            expected = days.groupby(start.dt.date)["n"].sum()
            found = store.query("leads_created", grain=grain).set_index(grain)["leads_created"]
            assert found.astype(int).to_dict() == expected.to_dict(), grain
        for metric in (
            "win_rate",
            "sales_cycle_days_median",
            "period_conversion_rate",
            "stage_conversion_rate",
            "forecast_wape",
        ):
            frame = store.query(metric, grain="week")
            assert {day.weekday() for day in frame["week"].dropna()} <= {6}, metric


def test_counts_are_whole_numbers(store: MetricStore, con: duckdb.DuckDBPyConnection) -> None:
    frame = store.query("deals_won", by=["branch"])
    assert str(frame["deals_won"].dtype) == "Int64"
    assert [(frame["deals_won"].sum(),)] == con.sql(
        "select count(*) from marts.fct_closed_deal where is_won"
    ).fetchall()


def test_null_segments_stay_null(store: MetricStore, con: duckdb.DuckDBPyConnection) -> None:
    frame = store.query("leads_created", by=["branch"])
    assert frame["branch"].isna().sum() == 1
    ((unknown,),) = con.sql("select count(*) from marts.fct_lead where branch is null").fetchall()
    assert frame[frame["branch"].isna()]["leads_created"].iloc[0] == unknown


@pytest.mark.parametrize(
    ("where", "sql"),
    [
        ("service_line = 'hvac'", "service_line = 'hvac'"),
        ("branch in ('north', 'south') and not rep = 'Rep A'", "branch in ('north', 'south') and not rep = 'Rep A'"),
        ("(rep is null or rep like 'Rep %') and branch <> 'west'", "(rep is null or rep like 'Rep %') and branch <> 'west'"),
        ("rep is not null", "rep is not null"),
        ("rep between 'Rep B' and 'Rep D' or branch = 'west'", "rep between 'Rep B' and 'Rep D' or branch = 'west'"),
        ("branch not in ('north')", "branch not in ('north')"),
        ("metric_time >= '2026-01-01'", "closed_date >= date '2026-01-01'"),
        ("metric_time between date '2025-01-01' and '2025-03-31'", "closed_date between date '2025-01-01' and date '2025-03-31'"),
        ("is_won = true", "is_won"),
        ("is_won", "is_won"),
        ("BRANCH = 'north'", "branch = 'north'"),
        ("campaign = '=cmd()'", "campaign = '=cmd()'"),
        ("campaign <> 'it''s {{ Dimension(\"rep\") }} {% raw %}'", "campaign <> 'x'"),
        ("1 = 1", "true"),
    ],
)  # fmt: skip
def test_conditions(store: MetricStore, con: duckdb.DuckDBPyConnection, where: str, sql: str) -> None:
    ((expected,),) = con.sql(f"select count(*) from marts.fct_closed_deal where ({sql}) and is_won").fetchall()
    ((everything,),) = con.sql("select count(*) from marts.fct_closed_deal where is_won").fetchall()
    assert store.query("deals_won", where=where).iloc[0, 0] == expected
    assert expected < everything or sql in ("true", "is_won")


def test_no_denominator_is_null_and_no_record_is_0(store: MetricStore) -> None:
    nowhere = "branch = 'nowhere'"
    assert store.query("win_rate", where=nowhere)["win_rate"].isna().all()
    assert store.query("win_loss_ratio", where=nowhere)["win_loss_ratio"].isna().all()
    assert store.query("sales_cycle_days_median", where=nowhere)["sales_cycle_days_median"].isna().all()
    assert store.query("deals_won", where=nowhere).iloc[0, 0] == 0
    assert store.query("won_amount", where=nowhere).iloc[0, 0] == 0
    assert store.query("win_rate", by=["rep"], where=nowhere).empty


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "win_rat"}, ["win_rat", "'win_rate'"]),
        ({"metric": ""}, ["win_rate"]),
        ({"metric": "win_rate", "by": ["reps"]}, ["'reps'", "'rep'"]),
        ({"metric": "win_rate", "by": ["from_stage"]}, ["from_stage", "branch"]),
        ({"metric": "forecast_wape", "by": ["team"]}, ["'team'", "level", "rep"]),
        ({"metric": "forecast_wape", "by": ["rep"], "where": "branch = 'north'"}, ["one segment", "branch or by rep"]),
        ({"metric": "forecast_wape_by_rep", "by": ["branch"]}, ["one segment"]),
        ({"metric": "forecast_wape_by_team"}, ["no metric", "forecast_wape"]),
        ({"metric": "win_rate", "grain": "months"}, ["'months'", "'month'"]),
        ({"metric": "win_rate", "where": "repp = 'x'"}, ["'repp'", "'rep'"]),
        ({"metric": "win_rate", "where": "rep ="}, ["Allowed"]),
        ({"metric": "win_rate", "where": "upper(rep) = 'X'"}, ["UPPER(rep)", "Allowed"]),
        ({"metric": "win_rate", "where": "rep in (select name from marts.dim_user)"}, ["Allowed"]),
        ({"metric": "win_rate", "where": "exists (select 1)"}, ["Allowed"]),
        ({"metric": "win_rate", "where": "rep = 'a'; drop table marts.fct_deal"}, ["one condition"]),
        ({"metric": "win_rate", "where": "rep = 'a' union select 1"}, ["Allowed"]),
        ({"metric": "win_rate", "where": "fct_deal.rep = 'a'"}, ["not a dimension"]),
        ({"metric": "win_rate", "where": "rep like 'a' escape 'b'"}, ["Allowed"]),
        ({"metric": "win_rate", "where": "rep = case when true then 'a' end"}, ["Allowed"]),
        ({"metric": "win_rate", "where": "is_won = 'abc'"}, ["abc"]),
        ({"metric": "win_rate", "where": "rep = ?"}, ["Allowed"]),
        ({"metric": "win_rate", "where": "rep = 'a' -- comment\n or getenv('HOME') = 'x'"}, ["Allowed"]),
    ],
)  # fmt: skip
def test_refusals_say_what_is_wrong_and_what_would_be_right(
    store: MetricStore, arguments: dict, words: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        store.query(**arguments)
    for word in words:
        assert word in str(refusal.value)


def test_nothing_published_and_a_missing_manifest(pointer: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="published"):
        MetricStore(tmp_path / "salesgauge.duckdb")
    shutil.copy(pointer.resolve(), tmp_path / "salesgauge.duckdb")
    with pytest.raises(ConfigurationError, match=r"semantic_manifest\.json"):
        MetricStore(tmp_path / "salesgauge.duckdb")


def test_list_tells_dimensions(store: MetricStore) -> None:
    infos = {info.name: info for info in store.list()}
    assert {"from_stage", "to_stage", "branch", "rep"} <= set(infos["stage_conversion_rate"].dimensions)
    assert "from_stage" not in infos["win_rate"].dimensions
    assert all(info.description and info.label for info in infos.values())
