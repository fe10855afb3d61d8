"""Questions to a published version: names as people write them in, an answer or a data frame out.

No SQL of a metric is written here: ``engine`` writes that of values, ``estimates`` that of what stands beside them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

import salesgauge
from metrics.answers import Answer, Column, Role, merged
from metrics.compare import Target
from metrics.estimates import (
    FILES,
    FOLDER,
    WITH_INTERVAL,
    WITHOUT_N,
    columns_of,
    estimate_sql,
    is_known,
    period_of,
    scorecard_windows,
)
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


@dataclass(frozen=True)
class Compiled:
    """A question in SQL. ``columns``: the columns of the answer but the last, with the names that MetricFlow gives them; ``value``: its name of the last.

    ``estimate``: SQL of n and interval for the same columns, empty where the metric is no KPI; ``kind`` and ``unit`` as they are declared.
    """

    sql: str
    columns: dict[str, str]
    value: str
    estimate: str = ""
    kind: str = ""
    unit: str = ""


class MetricStore:
    """Answers metric queries from the version that ``pointer`` names when the store is made; it stays on that version.

    The folder of the version holds ``semantic_manifest.json`` beside the DuckDB file. ConfigurationError when nothing is published.
    ``kept``: a folder for the SQL of questions, so that another process asks the same, also of a later version, without MetricFlow, which takes
    longer to import than to answer. Use it as a context manager or ``close`` it.
    """

    def __init__(self, pointer: Path, kept: Path | None = None) -> None:
        self._file = pointer.resolve()
        self._con = open_published(self._file)
        manifest = self._file.parent / MANIFEST
        if not manifest.is_file():
            self._con.close()
            raise ConfigurationError(
                f"{manifest.name} is missing beside {self._file.name}: publish again with 'salesgauge run'."
            )
        self._manifest = manifest.read_text(encoding="utf-8")
        self._calendar = _calendar_of(self._con)
        self._compiled: dict[str, Compiled] = {}
        self._kept = kept / self._state() if kept else None

    def _state(self) -> str:
        """A name for all that the SQL of a question follows from, but the question: definitions, the company's calendar, the code that makes it."""
        parts = [self._manifest, json.dumps(self._calendar)]
        # What is in ``engine`` names the version of MetricFlow.
        code = [*Path(__file__).parent.glob("*.py"), Path(salesgauge.__path__[0]) / "process" / "expressions.py"]
        code += [FOLDER / name for name in FILES]
        parts += [file.read_text(encoding="utf-8") for file in sorted(code)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @cached_property
    def _engine(self) -> Engine:
        from metrics.engine import Engine

        return Engine(self._manifest)

    def __enter__(self) -> MetricStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def as_of_date(self) -> date:
        """The day on which the data end, on the company's clock."""
        ((found,),) = self._con.execute("select cast(as_of_date as date) from process.run").fetchall()
        assert isinstance(found, date)
        return found

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
        columns.append(Column(metric, "value", metric, compiled.unit))
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
        compiled = self._compiled.get(question) or self._recall(question)
        if compiled is None:
            compiled = self._compile(metric, by, grain, where, moved)
            with _told(where):
                self._con.sql(compiled.sql)  # what can't be asked is not kept
            if _can_be_found(where):
                self._keep(question, compiled)
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
        from metrics.engine import TIME
        from metrics.where import render_where

        declared = metric.declared
        if declared["kind"] == "per":  # its n are the things that it is per
            declared = self._engine.metrics[declared["denominator"]].declared
        of = {**self._engine.columns(columns_of(declared)), TIME: _moved(declared["date"], moved)}
        groups = {
            qualified: period_of(name, declared["date"], self._calendar) if name in GRAINS else of[name]
            for name, qualified in columns.items()
        }
        conditions = [render_where(one, of, metric.name) for one in asked]
        return estimate_sql(declared, groups, " and ".join(conditions) or None)

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

    def _recall(self, question: str) -> Compiled | None:
        """What another process compiled for the same question in the same state."""
        if self._kept is None:
            return None
        try:
            content = json.loads(_file_of(self._kept, question).read_text(encoding="utf-8"))
            return Compiled(**content["compiled"]) if content["question"] == question else None
        except (OSError, ValueError, TypeError, KeyError):  # none, or half of one
            return None

    def _keep(self, question: str, compiled: Compiled) -> None:
        """Keep it for other processes, in the place of what was kept of other states; where nothing can be written, nothing is kept."""
        if self._kept is None:
            return
        with suppress(OSError):
            if not self._kept.is_dir():
                shutil.rmtree(self._kept.parent, ignore_errors=True)
                self._kept.mkdir(parents=True)
            file = _file_of(self._kept, question)
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(
                json.dumps({"question": question, "compiled": asdict(compiled)}, ensure_ascii=False), encoding="utf-8"
            )
            draft.replace(file)

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
        raise ConfigurationError(f"There is no metric {name!r}{suggest(name, listed)}")

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


def _can_be_found(where: str | None) -> bool:
    """Whether a value of the condition stands in a file as it is: an erasure deletes the files of the working folder that name the person."""
    return where is None or (
        where.isascii() and where.isprintable() and not any(mark in where for mark in ("''", '"', "\\"))
    )


def _file_of(folder: Path, question: str) -> Path:
    return folder / f"{hashlib.sha256(question.encode()).hexdigest()}.json"


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
