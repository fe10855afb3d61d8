"""One definition: wherever a KPI mart and a metric both exist, they show the same number."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest
import yaml

from metrics import MetricStore, newest_periods
from metrics.estimates import WITH_INTERVAL, WITHOUT_N
from salesgauge.kpis import FILE, VALUES, kpis
from tests.metrics import reference

FORECASTS = tuple(name for name, kpi in kpis().items() if "level" in kpi.defaults)
NEIGHBOURS = "(from_stage, to_stage) in (('inquiry', 'qualification'), ('qualification', 'quote'), ('quote', 'won'))"
SEGMENTS = (None, "branch", "rep", "campaign", "process_version")


def _same(metric: pd.DataFrame, mart: pd.DataFrame, name: str) -> int:
    """Compare by the columns before the value; a missing row is no value. Returns how many values were compared."""
    keys = list(metric.columns[:-1])
    ours = {tuple(map(str, row[:-1])): row[-1] for row in metric.astype(object).itertuples(index=False)}
    theirs = {
        tuple(map(str, row[:-1])): row[-1] for row in mart[[*keys, "value"]].astype(object).itertuples(index=False)
    }
    for key in ours.keys() | theirs.keys():
        a, b = ours.get(key), theirs.get(key)
        a, b = (None if value is None or pd.isna(value) else float(value) for value in (a, b))
        if key not in ours or key not in theirs:
            assert not (a or b), f"{name} {key}: metric {a}, mart {b}"
        else:
            assert reference.is_same(a, b), f"{name} {key}: metric {a}, mart {b}"
    return len(ours.keys() & theirs.keys())


@pytest.mark.parametrize("name", [name for name in kpis() if name not in FORECASTS])
def test_metric_and_mart_agree(store: MetricStore, con: duckdb.DuckDBPyConnection, name: str) -> None:
    mart = kpis()[name].mart
    conditions = [one for one in (mart.where, NEIGHBOURS if kpis()[name].pairs == "next" else "") if one]
    compared = 0
    for segment in SEGMENTS:
        for grain in (None, "month"):
            frame = store.query(name, by=[*([segment] if segment else []), *mart.keys], grain=grain)
            if segment:
                frame[segment] = frame[segment].fillna("(none)")
            rows = con.execute(
                f"select period_start_date as {grain or 'period_start_date'}, segment as {segment or 'segment'}, {', '.join([*mart.keys, ''])} "
                f"cast({mart.value} as double) as value from kpi.{mart.table} "
                f"where {' and '.join(['period_grain = ?', 'segment_type = ?', *conditions])}",
                [grain or "all", segment or "total"],
            ).df()
            if grain:
                rows[grain] = rows[grain].dt.date
            compared += _same(frame, rows, f"{name} by {segment} per {grain}")
    assert compared > 50


@pytest.mark.parametrize(
    "name", [name for name, kpi in kpis().items() if (kpi.mart.n or kpi.mart.low) and kpi.kind not in WITHOUT_N]
)
def test_n_and_interval_of_metric_and_mart_agree(store: MetricStore, con: duckdb.DuckDBPyConnection, name: str) -> None:
    kpi = kpis()[name]
    columns = {role: column for role in ("n", "low", "high") if (column := getattr(kpi.mart, role))}
    assert kpi.kind in WITH_INTERVAL or not kpi.mart.low or kpi.mart.table == VALUES
    if kpi.kind not in WITH_INTERVAL:
        columns = {"n": kpi.mart.n}
    conditions = [one for one in (kpi.mart.where, NEIGHBOURS if kpi.pairs == "next" else "") if one]
    compared = 0
    for segment in (None, "branch", "rep") if name in FORECASTS else SEGMENTS:
        for grain in (None, "month"):
            by = [*([segment] if segment else []), *kpi.mart.keys]
            answer = store.ask([name], by=by, grain=grain)
            mart = con.execute(
                f"select {', '.join([*(['period_start_date'] if grain else []), *(['segment'] if segment else []), *kpi.mart.keys, *columns.values()])} "
                f"from kpi.{kpi.mart.table} where {' and '.join(['period_grain = ?', 'segment_type = ?', *conditions])}",
                [grain or "all", segment or "total"],
            ).fetchall()
            theirs = {tuple(row[: answer.keys]): row[answer.keys :] for row in mart}
            places = {role: answer.names.index(f"{name}_{role}") for role in columns}
            for row in answer.rows:
                key = tuple(
                    "(none)" if one is None and place == bool(grain) else one
                    for place, one in enumerate(row[: answer.keys])
                )
                if grain and key[0] is None:
                    continue  # what is undated is in no period of a mart
                assert row[answer.names.index(f"{name}_is_low_n")] == (row[answer.names.index(f"{name}_n")] < 20)
                if key not in theirs:  # a mart has no row of what has no observation
                    assert row[answer.names.index(f"{name}_n")] == 0 and not row[answer.keys], f"{name} {key}"
                    continue
                for role, value in zip(columns, theirs[key], strict=True):
                    assert reference.is_same(row[places[role]], value), (
                        f"{name} {key} {role}: {row[places[role]]}, mart {value}"
                    )
                    compared += 1
    assert compared > 20


def test_every_interval_is_compared_with_a_mart() -> None:
    """But that of the win rate by amount and of the odds, which stand in no mart: test_statistics and the scorecard have the formulas."""
    without = {name for name, kpi in kpis().items() if kpi.kind in WITH_INTERVAL and not kpi.mart.low}
    assert without == {"win_rate_by_amount", "win_loss_ratio"}


@pytest.mark.parametrize("level", ["total", "rep", "branch", "service_line"])
@pytest.mark.parametrize("name", FORECASTS)
def test_forecast_metrics_and_mart_agree(
    store: MetricStore, con: duckdb.DuckDBPyConnection, name: str, level: str
) -> None:
    mart = kpis()[name].mart
    for grain in (None, "quarter", "month"):
        frame = store.query(name, by=[] if level == "total" else [level], grain=grain)
        if level != "total":
            frame[level] = frame[level].fillna("(none)")
        rows = con.execute(
            f"select period_start_date as {grain or 'period_start_date'}, segment as {level}, {mart.value} as value from kpi.{mart.table} "
            f"where period_grain = ? and segment_type = ? and {mart.where}",
            [grain or "all", level],
        ).df()
        if grain:
            rows[grain] = rows[grain].dt.date
        assert _same(frame, rows, name) == len(rows) > 0


def test_a_question_about_forecasts_is_about_one_level_and_method(store: MetricStore) -> None:
    company = store.query("forecast_wape").iloc[0, 0]
    of = store.query("forecast_wape", by=["level", "method"]).set_index(["level", "method"])["forecast_wape"]
    assert of["total", "stage_age_pipeline"] == company
    assert store.query("forecast_wape", where="method = 'seasonal_naive'").iloc[0, 0] == of["total", "seasonal_naive"]
    assert store.query("forecast_wape", where="level = 'rep'").iloc[0, 0] == of["rep", "stage_age_pipeline"]
    assert len(set(of)) == len(of) == 8
    reps = store.query("forecast_wape", by=["rep"])
    one = store.query("forecast_wape", where="rep = 'Rep A'").iloc[0, 0]
    assert one == reps.set_index("rep")["forecast_wape"]["Rep A"]
    # the names of the time when each level was a metric of its own
    assert store.query("forecast_wape_by_rep").iloc[0, 0] == of["rep", "stage_age_pipeline"]
    old = store.query("forecast_wape_by_rep", by=["rep"])
    assert list(old.columns) == ["rep", "forecast_wape_by_rep"]
    assert old["forecast_wape_by_rep"].tolist() == reps["forecast_wape"].tolist()
    answer = store.ask(["forecast_wape_by_rep"], by=["rep"]).plain()
    assert answer.names == list(old.columns) and len(answer.rows) == len(old)


def test_metrics_and_marts_add_up_the_same_columns() -> None:
    """MetricFlow's measures are the columns that the declarations name, on the same date of the same fact."""
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    measures, metrics = {}, {metric["name"]: metric for metric in document["metrics"]}
    for model in document["semantic_models"]:
        date = model["defaults"]["agg_time_dimension"]
        for measure in model["measures"]:
            fact = model["model"].removeprefix("ref('").removesuffix("')")
            measures[measure["name"]] = (fact, date, measure.get("expr", measure["name"]))

    def of(metric: str) -> tuple[str, str, str]:
        measure = metrics[metric]["type_params"]["measure"]
        return measures[measure if isinstance(measure, str) else measure["name"]]

    compared = 0
    for name, kpi in kpis().items():
        parts = metrics[name]["type_params"]
        if metrics[name]["type"] == "simple":
            column = kpi.value or kpi.numerator or "1"
            if kpi.kind == "share":
                column = f"cast({column} as integer)"
            elif kpi.kind == "count" and kpi.where:
                column = f"cast({kpi.where} as integer)"
            elif kpi.kind == "sum":
                column = f"coalesce({column}, 0)"
            elif kpi.where:
                column = f"case when {kpi.where} then {column} end"
            assert of(name) == (kpi.fact, kpi.date, column), name
            compared += 1
        elif kpi.kind == "per":
            assert (parts["numerator"], parts["denominator"]) == (kpi.numerator, kpi.denominator)
            compared += 1
        elif kpi.kind == "quotient" and metrics[name]["type"] == "ratio":
            assert of(parts["numerator"]) == (kpi.fact, kpi.date, kpi.numerator), name
            assert of(parts["denominator"]) == (kpi.fact, kpi.date, kpi.denominator), name
            compared += 1
    assert compared >= len(kpis()) - 6  # a few are made of other metrics; the numbers of all are compared above


@pytest.mark.parametrize("grain", ["week", "month"])
def test_the_trend_holds_what_metrics_say_of_these_periods(
    store: MetricStore, con: duckdb.DuckDBPyConnection, grain: str
) -> None:
    """Of every KPI but forecasts, in all and by branch: value, n and interval."""
    compared = set()
    for name, kpi in kpis().items():
        if name in FORECASTS:
            continue
        for segment in (None, "branch"):
            by = [*([segment] if segment else []), *kpi.mart.keys]
            answer = store.ask([name], by=by, grain=grain, where=newest_periods(store, grain))
            roles = [
                role for role in ("value", "n", "low", "high") if role == "value" or f"{name}_{role}" in answer.names
            ]
            places = [answer.names.index(name if role == "value" else f"{name}_{role}") for role in roles]
            trend = con.execute(
                f"select {', '.join(['period_start_date', *(['segment'] if segment else []), *kpi.mart.keys, *roles])} from kpi.kpi_trend "
                "where kpi = ? and period_grain = ? and segment_type = ?",
                [name, grain, segment or "total"],
            ).fetchall()
            theirs = {tuple(row[: answer.keys]): row[answer.keys :] for row in trend}
            for row in answer.rows:
                key = tuple("(none)" if value is None else value for value in row[: answer.keys])
                for place, role, value in zip(places, roles, theirs.get(key, [None] * len(roles)), strict=True):
                    if value is None and (key not in theirs or not getattr(kpi.mart, role)):
                        continue  # nothing was counted there, or the mart has no such column
                    assert reference.is_same(row[place], value), f"{name} {key} {role}: {row[place]}, trend {value}"
                    compared.add((name, segment))
    assert len(compared) > 50
