"""Questions to a published version: names as people write them in, an answer or a data frame out.

No SQL of a metric is written here: ``engine`` writes that of values, ``estimates`` that of what stands beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from metrics.answers import Answer, Column, Explanation, Role, merged
from metrics.compare import Target
from metrics.estimates import (
    WITH_INTERVAL,
    WITHOUT_N,
    columns_of,
    estimate_sql,
    is_known,
    observations_sql,
    period_of,
    scorecard_windows,
)
from metrics.kept import Compiled, Kept, can_be_found
from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest
from salesgauge.warehouse import open_published

if TYPE_CHECKING:
    import pandas as pd

    from metrics.engine import Engine, Metric

GRAINS = ("day", "week", "month", "quarter", "year")
MANIFEST = "semantic_manifest.json"
MOST_COMPILED = 1_000
_COUNTS = {"HUGEINT", "BIGINT", "INTEGER"}


@dataclass(frozen=True)
class MetricInfo:
    """A metric as ``MetricStore.list`` shows it. ``dimensions`` are short names, for ``by`` and ``where``."""

    name: str
    label: str
    description: str
    dimensions: tuple[str, ...]


class MetricStore:
    """Answers metric queries from the version that ``pointer`` names when the store is made; it stays on that version.

    The folder of the version holds ``semantic_manifest.json`` beside the DuckDB file. ConfigurationError when nothing is published.
    ``kept``: a folder for the SQL of questions, so that another process asks the same, also of a later version, without MetricFlow, which takes
    longer to import than to answer. ``manifest``: where a warehouse that is not published yet has its definitions. Use it as a context manager or ``close`` it.
    """

    def __init__(self, pointer: Path, kept: Path | None = None, manifest: Path | None = None) -> None:
        self._file = pointer.resolve()
        self._con = open_published(self._file)
        manifest = manifest or self._file.parent / MANIFEST
        if not manifest.is_file():
            self._con.close()
            raise ConfigurationError(
                f"{manifest.name} is missing beside {self._file.name}: publish again with 'salesgauge run'."
            )
        self._manifest = manifest.read_text(encoding="utf-8")
        self._calendar = _calendar_of(self._con)
        self._compiled: dict[str, Compiled] = {}
        self._kept = Kept(kept, self._manifest, json.dumps(self._calendar)) if kept else None

    @cached_property
    def _engine(self) -> Engine:
        from metrics.engine import Engine

        return Engine(self._manifest)

    def __enter__(self) -> MetricStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def version(self) -> str:
        """The name of the version that is asked."""
        return self._file.parent.name

    def sql(self, sql: str) -> pd.DataFrame:
        """The answer to ``sql`` over the tables of the version. ConfigurationError: it can't be answered."""
        try:
            return self._con.sql(sql).df()
        except (duckdb.Error, AttributeError) as error:  # a statement without an answer gives None
            raise ConfigurationError(f"The SQL can't be answered: {str(error).splitlines()[0]}") from error

    @cached_property
    def as_of_date(self) -> date:
        """The day on which the data end, on the company's clock."""
        ((found,),) = self._con.execute("select cast(as_of_date as date) from process.run").fetchall()
        assert isinstance(found, date)
        return found

    def period_start(self, grain: str, day: date) -> date:
        """The first day of the period of ``day``, as the company's calendar has it."""
        if grain == "day":
            return day
        start = period_of(grain, f"date '{day}'", self._calendar)
        ((found,),) = self._con.execute(f"select {start}").fetchall()
        assert isinstance(found, date)
        return found

    def saved(self) -> dict[str, dict[str, Any]]:
        """The questions of ``process.yml`` by name, as it was when the version was made."""
        try:
            found = self._con.execute("select name, definition from process.questions order by place").fetchall()
        except duckdb.CatalogException:  # published before questions were saved
            return {}
        return {name: json.loads(definition) for name, definition in found}

    def scorecard_windows(self) -> dict[str, tuple[date, date]]:
        """The first and last day of ``current`` and ``baseline``; one that can't be known is left out."""
        found = self._con.execute(scorecard_windows(self._calendar)).fetchall()
        return {name: (first, last) for name, first, last, _ in found if first and last}

    def targets(self, metric: str) -> list[Target]:
        """What ``process.yml`` wants of ``metric``: of several targets for the same the newest that is in force."""
        found = self._con.execute(
            "select target_value, direction, from_stage, to_stage, segment_type, segment from process.targets, process.run "
            "where kpi = ? and (effective_from is null or effective_from <= as_of_date) order by effective_from desc nulls last",
            [metric],
        ).fetchall()
        return [
            Target(value, direction, (first, last), (None if kind == "total" else kind, name))
            for value, direction, first, last, kind, name in found
        ]

    @cached_property
    def currency(self) -> str:
        """The company's currency, as ISO 4217."""
        found = self._con.execute("select currency from process.run").fetchone()
        return str(found[0]) if found else ""

    def close(self) -> None:
        """Close the connection to the version."""
        self._con.close()

    def describe(self, name: str) -> MetricInfo:
        """The metric ``name`` as ``list`` shows it; ConfigurationError names near ones where there is none."""
        metric = self._metric(name)
        return MetricInfo(metric.name, metric.label, metric.description, tuple(self._engine.dimensions(metric.name)))

    def query(
        self, metric: str, by: list[str] | None = None, grain: str | None = None, where: str | None = None
    ) -> pd.DataFrame:
        """The metric per period of ``grain`` and combination of ``by``; one row without them.

        Columns: the period's first day (named by the grain, ``date``), the columns of ``by`` as given, last the value, named as the metric
        (counts ``Int64``, all else ``float64``; money in company currency). Rows are ordered by the columns, nulls last. No denominator: null.
        ConfigurationError names a wrong name with near ones, and what a condition may hold.
        """
        compiled, relation = self._ask(metric, by, grain, where)
        columns, names = [*compiled.columns.values(), compiled.value], [*compiled.columns, metric]
        with _told(where):
            frame = relation.df()
        if list(frame.columns) != columns:  # MetricFlow sorts them its own way: take them by name
            frame = frame[columns]
        frame.columns = names
        kind = "Int64" if _is_count(relation, compiled.value) else "float64"
        if frame[metric].dtype != kind:
            frame[metric] = frame[metric].astype(kind)
        if grain:
            frame[grain] = frame[grain].dt.date
        return frame

    def ask(
        self,
        metrics: Sequence[str],
        by: Sequence[str] = (),
        grain: str | None = None,
        where: str | None = None,
        moved: str = "",
    ) -> Answer:
        """Several metrics per period of ``grain`` and combination of ``by``, with n and the 95 % interval where they have one; no import of pandas.

        The columns are ``grain``, those of ``by`` and, of each metric, ``<metric>``, ``<metric>_n``, ``<metric>_low``, ``<metric>_high`` and
        ``<metric>_is_low_n``: what its kind has (``estimates``). Rows are ordered by the first ones, nulls last. ``moved``: by how much a day comes before
        the one that ``where`` is about (``1 months``). ConfigurationError as of ``query``.
        """
        twice = sorted({name for name in metrics if list(metrics).count(name) > 1})
        if twice or not metrics:
            raise ConfigurationError(f"{twice[0]} is asked for twice." if twice else "No metric is asked for.")
        return merged([self._answer(metric, list(by), grain, where, moved) for metric in metrics])

    def _answer(self, metric: str, by: list[str], grain: str | None, where: str | None, moved: str) -> Answer:
        compiled = self._compiled_question(metric, by, grain, where, moved)
        beside = _beside(compiled)
        with _told(where):
            relation = self._con.sql(_with_estimate(compiled) if beside else compiled.sql)
            found = relation.fetchall()
        number = int if _is_count(relation, compiled.value) else float
        places = [relation.columns.index(name) for name in (*compiled.columns.values(), compiled.value, *beside)]
        size, rows = len(compiled.columns), []
        for row in found:
            values = [row[place] for place in places]
            keys = [_as_in_a_frame(key) for key in values[:size]]
            if grain and keys[0] is not None:  # the period is the first column
                keys[0] = keys[0].date()
            value = None if values[size] is None else number(values[size])
            rows.append([*keys, value, *values[size + 1 :]])
        columns = [Column(name) for name in compiled.columns]
        columns.append(Column(metric, "value", metric, compiled.unit, is_sum=compiled.kind in ("count", "sum")))
        columns += [Column(f"{metric}_{role}", role, metric, compiled.unit) for role in beside]
        return Answer(tuple(columns), rows)

    def _ask(
        self, metric: str, by: list[str] | None, grain: str | None, where: str | None
    ) -> tuple[Compiled, duckdb.DuckDBPyRelation]:
        compiled = self._compiled_question(metric, by or [], grain, where)
        with _told(where):
            return compiled, self._con.sql(compiled.sql)

    def _compiled_question(
        self, metric: str, by: list[str], grain: str | None, where: str | None, moved: str = ""
    ) -> Compiled:
        """The question in SQL: as it was compiled before, here or by another process, else anew."""
        where = where if where and where.strip() else None
        question = json.dumps([metric, by, grain, where, moved], ensure_ascii=False)
        compiled = self._compiled.get(question) or (self._kept.recall(question) if self._kept else None)
        if compiled is None:
            compiled = self._compile(metric, by, grain, where, moved)
            with _told(where):
                self._con.sql(compiled.sql)  # what can't be asked is not kept
            if self._kept and can_be_found(where):
                self._kept.keep(question, compiled)
        if len(self._compiled) >= MOST_COMPILED:
            self._compiled.clear()
        self._compiled[question] = compiled
        return compiled

    def _compile(self, metric: str, by: list[str], grain: str | None, where: str | None, moved: str) -> Compiled:
        from metrics.engine import TIME, TIME_TEMPLATE
        from metrics.where import render_where

        known = self._metric(metric)
        columns = self._groups(known, by, grain)
        templates = {name: one.template for name, one in self._engine.dimensions(known.name).items()}
        asked = ([where] if where else []) + self._left_open(known, by, where)
        templates[TIME] = _moved(TIME_TEMPLATE, moved)
        conditions = [render_where(one, templates, known.name) for one in asked]
        sql = self._engine.compile(known.name, list(columns.values()), " and ".join(conditions) or None)
        declared = known.declared
        if not is_known(declared):
            return Compiled(sql, columns, known.name)
        return Compiled(
            sql, columns, known.name, self._estimate(known, columns, asked, moved), declared["kind"], declared["unit"]
        )

    def _estimate(self, metric: Metric, columns: dict[str, str], asked: list[str], moved: str) -> str:
        declared = metric.declared
        if declared["kind"] == "per":  # its n are the things that it is per
            declared = self._engine.metrics[declared["denominator"]].declared
        groups, condition = self._over_the_fact(declared, metric.name, columns, asked, moved)
        return estimate_sql(declared, groups, condition)

    def _over_the_fact(
        self, declared: Mapping[str, Any], metric: str, columns: dict[str, str], asked: list[str], moved: str = ""
    ) -> tuple[dict[str, str], str | None]:
        """Columns of the answer (by the names that MetricFlow gives them) and conditions, as SQL over the fact of a declaration."""
        from metrics.engine import TIME
        from metrics.where import render_where

        of = {**self._engine.columns(columns_of(declared)), TIME: _moved(declared["date"], moved)}
        groups = {
            qualified: period_of(name, declared["date"], self._calendar) if name in GRAINS else of[name]
            for name, qualified in columns.items()
        }
        return groups, " and ".join(render_where(one, of, metric) for one in asked) or None

    def explain(
        self, metric: str, by: Sequence[str] = (), grain: str | None = None, where: str | None = None
    ) -> Explanation:
        """What the version that is asked says of ``metric``, and the SQL that answers the question. ConfigurationError as of ``query``."""
        import sqlglot

        compiled, known = self._compiled_question(metric, list(by), grain, where), self._metric(metric)
        sql = _with_estimate(compiled) if _beside(compiled) else compiled.sql
        return Explanation(
            known.name,
            known.label,
            known.description,
            known.declared,
            sqlglot.transpile(sql, read="duckdb", write="duckdb", pretty=True)[0],
            self.version,
            self.as_of_date,
        )

    def drill(self, metric: str, by: Sequence[str] = (), grain: str | None = None, where: str | None = None) -> Answer:
        """The rows behind a number, a row each: the ids of its records, the day, the columns of ``grain`` and ``by``, and what it adds, the newest first.

        Of a share ``is_counted`` says whether it is in the numerator; of means, medians and sums there is ``value``, of weighted shares ``numerator`` and
        ``denominator``. As many rows as n. ConfigurationError as of ``query``, and for a metric that can't be drilled into.
        """
        known = self._metric(metric)
        declared = known.declared
        if declared.get("kind") == "per":
            parts = f"{declared['numerator']} or {declared['denominator']}"
            raise ConfigurationError(f"{metric} is one number per another: drill into {parts}.")
        ids = self._engine.ids(columns_of(declared)) if is_known(declared) else []
        if not ids:
            raise ConfigurationError(
                f"{metric} has no rows that could be shown: it is a part of another metric, or this version does not say."
            )
        columns = self._groups(known, list(by), grain)
        asked = ([where] if where else []) + self._left_open(known, list(by), where)
        groups, condition = self._over_the_fact(declared, known.name, columns, asked)
        named = {name: groups[qualified] for name, qualified in columns.items()}
        shown = {**{name: name for name in ids}, **{name: sql for name, sql in named.items() if name not in ids}}
        with _told(where):
            relation = self._con.sql(observations_sql(declared, shown, condition))
            found = relation.fetchall()
        kind, unit = declared["kind"], declared["unit"]
        beside = {
            "share": [Column("is_counted", "value")], "odds": [Column("is_counted", "value")], "count": [],
            "weighted": [Column("numerator", "value"), Column("denominator", "value")],
            "quotient": [Column("numerator", "value"), Column("denominator", "value")],
        }.get(kind, [Column("value", "value", metric, unit)])  # fmt: skip
        size = len(shown)
        rows = []
        for *keys, day, y, x in found:
            values = {0: [], 1: [bool(y) if kind in ("share", "odds") else y], 2: [y, x]}[len(beside)]
            rows.append([*keys[:size], *([] if declared["date"] in shown else [day]), *values])
        names = dict.fromkeys([*shown, declared["date"]])
        return Answer((*(Column(name) for name in names), *beside), rows)

    def _left_open(self, metric: Metric, by: list[str], where: str | None) -> list[str]:
        """Conditions on the dimensions that the metric has a default for and the question does not name.

        The level goes by the segment that the question names: there is a row per segment of each level, and together they would count all twice.
        """
        from metrics.where import names_in

        named = {*by, *(names_in(where) if where else ())}
        defaults = {name: value for name, value in metric.defaults.items() if name not in named}
        if "level" in defaults:
            levels = [
                name for name, one in self._engine.dimensions(metric.name).items() if one.is_entity and name in named
            ]
            if len(levels) > 1 or (levels and defaults["level"] not in ("total", *levels)):
                raise ConfigurationError(
                    f"{metric.name} has one segment at a time: ask by {' or by '.join(levels or [])}, or by level."
                )
            defaults["level"] = levels[0] if levels else defaults["level"]
        return [f"{name} = '{value}'" for name, value in defaults.items()]

    def _metric(self, name: str) -> Metric:
        if name in self._engine.metrics:
            return self._engine.metrics[name]
        base, _, level = name.partition("_by_")  # as it was called when each level was a metric
        if (
            (known := self._engine.metrics.get(base))
            and "level" in known.defaults
            and level in self._engine.dimensions(base)
        ):
            return replace(known, defaults={**known.defaults, "level": level})
        listed = [metric.name for metric in self._engine.metrics.values() if not metric.is_part]
        raise ConfigurationError(f"There is no metric {name!r}{suggest(name, [*listed, *self.saved()])}")

    def _groups(self, metric: Metric, by: list[str], grain: str | None) -> dict[str, str]:
        """Columns of the result with the names that MetricFlow knows them by."""
        from metrics.engine import TIME

        groups = {}
        if grain is not None:
            if grain not in GRAINS:
                raise ConfigurationError(f"There is no grain {grain!r}{suggest(grain, GRAINS)}")
            groups[grain] = f"{TIME}__{_company_granularities(self._calendar).get(grain, grain)}"
        dimensions = self._engine.dimensions(metric.name)
        for name in by:
            if name not in dimensions:
                raise ConfigurationError(f"{metric.name} has no dimension {name!r}{suggest(name, dimensions)}")
            groups[name] = dimensions[name].qualified
        return groups

    # The last one: below it `list` is this method, not the type, in annotations too.
    def list(self) -> list[MetricInfo]:
        """Every metric with its description and dimensions, by name."""
        return [self.describe(metric.name) for metric in self._engine.metrics.values() if not metric.is_part]


def _calendar_of(con: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """On which day the company's weeks begin, in which month its years."""
    try:
        found = con.execute("select week_starts_on, fiscal_year_starts_in from process.calendar").fetchone()
    except duckdb.CatalogException:  # published before companies had a calendar
        found = None
    return (str(found[0]), int(found[1])) if found else ("mon", 1)


def _company_granularities(calendar: tuple[str, int]) -> dict[str, str]:
    """MetricFlow's name of each grain that the company counts otherwise than the ISO calendar."""
    first_day, first_month = calendar
    weeks = {"week": "company_week"} if first_day != "mon" else {}
    years = {"quarter": "company_quarter", "year": "company_year"} if first_month != 1 else {}
    return weeks | years


def _moved(day: str, by: str) -> str:
    return f"cast({day} + interval '{by}' as date)" if by else day


def _beside(compiled: Compiled) -> list[Role]:
    """What stands beside a value of this kind."""
    if not compiled.estimate or compiled.kind in WITHOUT_N:
        return []
    bounds: list[Role] = ["low", "high"] if compiled.kind in WITH_INTERVAL else []
    return ["n", *bounds, "is_low_n"]


def _with_estimate(compiled: Compiled) -> str:
    """The value and what stands beside it, by the columns of the answer, nulls last; a group without an observation has n = 0."""
    names = [f'"{name}"' for name in compiled.columns.values()]
    same = " and ".join(f"answer.{name} is not distinct from estimate.{name}" for name in names) or "true"
    return (
        f"with answer as ({compiled.sql}), estimate as ({compiled.estimate}) select answer.*, coalesce(estimate.n, 0) as n, estimate.low, estimate.high, "
        f"coalesce(estimate.is_low_n, true) as is_low_n from answer left join estimate on {same}"
        f"{' order by ' + ', '.join(f'answer.{name} nulls last' for name in names) if names else ''}"
    )


@contextmanager
def _told(where: str | None) -> Iterator[None]:
    """An error of DuckDB's comes from values in the condition: all else is MetricFlow's SQL."""
    try:
        yield
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise ConfigurationError(f"The condition {where!r} can't be compared with the data: {first_line}") from error


def _is_count(relation: duckdb.DuckDBPyRelation, metric: str) -> bool:
    return str(relation.types[relation.columns.index(metric)]) in _COUNTS


def _as_in_a_frame(value: Any) -> Any:
    """A data frame knows no days, only moments."""
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    return datetime.combine(value, time()) if is_day else value
