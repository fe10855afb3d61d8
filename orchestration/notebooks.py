"""A company for notebooks: the questions of ``salesgauge query`` as data frames. People get it by ``from salesgauge import open_company``.

What is asked is answered by ``metrics``; here answers become frames. Nothing of a version is ever changed from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from metrics import Answer, Column, MetricStore, asked, compared, explained
from orchestration.links import with_links
from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest
from salesgauge.settings import Company

Names = str | Sequence[str]


class CompanyData:
    """The published version of a company, read-only. It stays on the version that was served when it was opened.

    Examples
    --------
    >>> company = open_company("mycompany")
    >>> company.query("win_rate", by="rep")
    >>> company.query(["win_rate", "won_amount"], grain="month", where="branch = 'north'", compare="previous_year")
    >>> company.drill("win_rate", where="rep = 'Ann Lee'")
    >>> company.sql("from kpi.kpi_scorecard")
    """

    def __init__(self, root: Path | str) -> None:
        self._company = Company.open(root)
        self._store = MetricStore(self._company.pointer, self._company.work_dir / "questions")

    def __enter__(self) -> CompanyData:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self._company.root.name}: version {self.version}, as of {self.as_of}>"

    def close(self) -> None:
        """Let go of the version's file."""
        self._store.close()

    @property
    def version(self) -> str:
        """The name of the version that is asked."""
        return self._store.version

    @property
    def as_of(self) -> date:
        """The day on which its data end."""
        return self._store.as_of_date

    @property
    def currency(self) -> str:
        """The currency of all money in it, as ISO 4217."""
        return self._store.currency

    def metrics(self) -> pd.DataFrame:
        """Every metric: ``name``, ``label``, ``description``, and ``dimensions`` as a list."""
        return pd.DataFrame(
            [(one.name, one.label, one.description, list(one.dimensions)) for one in self._store.list()],
            columns=["name", "label", "description", "dimensions"],
        )

    def query(
        self,
        metrics: Names,
        by: Names = (),
        grain: str | None = None,
        where: str | None = None,
        compare: str | None = None,
    ) -> pd.DataFrame:
        """One metric or several, per period of ``grain`` and combination of ``by``.

        Parameters
        ----------
        metrics, by
            A name or a list of names, as in ``salesgauge query --list``.
        grain
            ``day``, ``week``, ``month``, ``quarter`` or ``year``.
        where
            A condition over dimensions and ``metric_time``: ``"branch = 'north' and metric_time >= '2026-01-01'"``.
        compare
            ``previous_period``, ``previous_year``, ``before`` or ``target``.

        Returns
        -------
        The columns of the CSV of ``salesgauge query``: periods as ``datetime64``, counts and n as ``Int64``, other values as ``float64`` (shares from 0
        to 1, money in ``currency``), ``METRIC_is_low_n`` as ``boolean``.

        Raises
        ------
        ConfigurationError
            A name or a condition is wrong: with what is near, or what is possible.
        """
        names, groups = _names(metrics), _names(by)
        if compare:
            return _frame(compared(self._store, names, groups, grain, where, compare))
        return _frame(self._store.ask(names, groups, grain, where))

    def question(self, name: str) -> pd.DataFrame:
        """The answer to a question that ``process.yml`` has saved. ConfigurationError: there is none of this name in the version."""
        saved = self._store.saved()
        if name not in saved:
            raise ConfigurationError(f"There is no saved question {name!r}{suggest(name, saved)}")
        return _frame(asked(self._store, saved[name]))

    def drill(self, metric: str, by: Names = (), grain: str | None = None, where: str | None = None) -> pd.DataFrame:
        """The records behind a number, as ``salesgauge query --drill`` shows them, with ``link`` into their source. Errors as of ``query``."""
        return _frame(with_links(self._company, self._store.drill(metric, _names(by), grain, where)))

    def explain(self, metric: str, by: Names = (), grain: str | None = None, where: str | None = None) -> str:
        """Definition, version and SQL of a question, as text to print. Errors as of ``query``."""
        return explained(self._store.explain(metric, _names(by), grain, where))

    def sql(self, sql: str) -> pd.DataFrame:
        """The answer to SQL over the tables of the version (docs/tables.md), in DuckDB's dialect. ConfigurationError: it can't be answered."""
        return self._store.sql(sql)


def open_company(root: Path | str) -> CompanyData:
    """The company in the directory ``root``. ConfigurationError: it is none, or has published nothing yet."""
    return CompanyData(root)


def _names(given: Names) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _frame(answer: Answer) -> pd.DataFrame:
    columns = {
        column.name: _series(column, [row[place] for row in answer.rows]) for place, column in enumerate(answer.columns)
    }
    return pd.DataFrame(columns)


def _series(column: Column, values: list[Any]) -> pd.Series:
    values = [float(value) if isinstance(value, Decimal) else value for value in values]
    known = [value for value in values if value is not None]
    if column.role == "is_low_n" or (known and all(isinstance(value, bool) for value in known)):
        return pd.Series(values, dtype="boolean")
    if column.role == "n" or (column.role != "key" and column.unit == "count" and column.role == "value"):
        return pd.Series(values, dtype="Int64")
    if column.role != "key" and all(isinstance(value, int | float) for value in known):
        return pd.Series(values, dtype="float64")
    if known and all(isinstance(value, date) for value in known):
        return pd.to_datetime(pd.Series(values, dtype=object))
    if known and all(isinstance(value, int) for value in known):
        return pd.Series(values, dtype="Int64")
    return pd.Series(values, dtype=object)
