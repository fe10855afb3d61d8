"""Questions to a published version: names as people write them in, a data frame out. No SQL of a metric is written here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from metrics.engine import TIME, Engine, Metric
from metrics.where import render_where
from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest
from salesgauge.warehouse import open_published

GRAINS = ("day", "week", "month", "quarter", "year")
MANIFEST = "semantic_manifest.json"


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
    Use it as a context manager or ``close`` it.
    """

    def __init__(self, pointer: Path) -> None:
        version_file = pointer.resolve()
        self._con = open_published(version_file)
        manifest = version_file.parent / MANIFEST
        if not manifest.is_file():
            self._con.close()
            raise ConfigurationError(
                f"{manifest.name} is missing beside {version_file.name}: publish again with 'salesgauge run'."
            )
        self._engine = Engine(manifest.read_text(encoding="utf-8"))
        self._granularities = _company_granularities(self._con)

    def __enter__(self) -> MetricStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the version."""
        self._con.close()

    def list(self) -> list[MetricInfo]:
        """Every metric with its description and dimensions, by name."""
        return [self.describe(metric.name) for metric in self._engine.metrics.values() if not metric.is_part]

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
        known = self._metric(metric)
        groups = self._groups(known, by or [], grain)
        condition = render_where(where, self._engine.dimensions(metric)) if where and where.strip() else None
        sql = self._engine.compile(metric, list(groups.values()), condition)
        try:
            relation = self._con.sql(sql)
            frame = relation.df()
        except duckdb.Error as error:
            first_line = str(error).splitlines()[0]
            raise ConfigurationError(
                f"The condition {where!r} can't be compared with the data: {first_line}"
            ) from error
        # MetricFlow sorts the columns its own way: take them by name.
        frame = frame[[*groups.values(), metric]].set_axis([*groups, metric], axis="columns")
        is_count = str(relation.types[relation.columns.index(metric)]) in {"HUGEINT", "BIGINT", "INTEGER"}
        frame[metric] = frame[metric].astype("Int64" if is_count else "float64")
        if grain:
            frame[grain] = frame[grain].dt.date
        return frame

    def _metric(self, name: str) -> Metric:
        if name in self._engine.metrics:
            return self._engine.metrics[name]
        listed = [metric.name for metric in self._engine.metrics.values() if not metric.is_part]
        raise ConfigurationError(f"There is no metric {name!r}{suggest(name, listed)}")

    def _groups(self, metric: Metric, by: list[str], grain: str | None) -> dict[str, str]:
        """Columns of the result with the names that MetricFlow knows them by."""
        groups = {}
        if grain is not None:
            if grain not in GRAINS:
                raise ConfigurationError(f"There is no grain {grain!r}{suggest(grain, GRAINS)}")
            groups[grain] = f"{TIME}__{self._granularities.get(grain, grain)}"
        dimensions = self._engine.dimensions(metric.name)
        for name in by:
            if name not in dimensions:
                other = f"{metric.name}_by_{name}"
                if other in self._engine.metrics:
                    raise ConfigurationError(
                        f"{metric.name} has no dimension {name!r}: ask for the metric {other!r} by {name!r}."
                    )
                raise ConfigurationError(f"{metric.name} has no dimension {name!r}{suggest(name, dimensions)}")
            groups[name] = dimensions[name].qualified
        return groups


def _company_granularities(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """MetricFlow's name of each grain that the company counts otherwise than the ISO calendar."""
    try:
        found = con.execute("select week_starts_on, fiscal_year_starts_in from process.calendar").fetchone()
    except duckdb.CatalogException:  # published before companies had a calendar
        return {}
    first_day, first_month = found or ("mon", 1)
    weeks = {"week": "company_week"} if first_day != "mon" else {}
    years = {"quarter": "company_quarter", "year": "company_year"} if first_month != 1 else {}
    return weeks | years
