"""Runs suites with Great Expectations: DuckDB selects the columns, Great Expectations judges the data frame. The only module that imports it.

What is expected belongs to the suites, what follows from a failure to ``quality.audit``. Values never leave this module: results carry
counts and masked keys.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import duckdb

from quality.masking import mask_key
from quality.results import Check, Severity
from quality.suites import Expect, Suite

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5
MIN_FAILING_ROWS = 20
"""A warning becomes an error by its share only where at least so many rows fail: one bad phone of one lead stops nobody."""
MANY = "So many point to a mistake in the source's mapping (sources/*.yml, or the fields of the CRM) rather than in single records."

_COUNTS_ONLY = {"result_format": "BASIC", "exclude_unexpected_values": True, "partial_unexpected_count": 0}
_WITH_KEYS = {"result_format": "SUMMARY", "exclude_unexpected_values": True, "partial_unexpected_count": EXAMPLES}

# The expectations of the suite that is being run, by their identity, with what they held and their configuration.
_KEPT: dict[int, tuple[Any, dict[str, Any], Any]] = {}


class SuiteRunner:
    """Runs suites on one connection, on the tables that are there when this is made. Great Expectations is imported with the first of these."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._tables = {
            table
            for (table,) in con.execute(
                "select table_schema || '.' || table_name from information_schema.tables where table_catalog = current_database()"
            ).fetchall()
        }
        self._gx = _great_expectations()
        self._context = self._gx.get_context(mode="ephemeral")
        self._context.enable_analytics(False)
        self._context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        # One asset for the frames of all suites: the context writes its whole configuration anew for each that it gets to know.
        asset = self._context.data_sources.add_pandas("warehouse").add_dataframe_asset("frame")
        self._frame = asset.add_batch_definition_whole_dataframe("whole")

    def run(self, suite: Suite) -> list[Check]:
        """One check per expectation of ``suite``; a single failed one where its table can't be read."""
        if not self._tables.issuperset((suite.table, *suite.needs)):
            return [] if suite.is_optional else [_missing(suite)]
        try:
            frame = self._con.execute(suite.query).df().set_index("row_key")
        except duckdb.Error as error:
            return [_unreadable(suite, error)]
        if frame.empty and not suite.checks_empty:
            return []
        return self._validate(suite, frame)

    def _validate(self, suite: Suite, frame: pd.DataFrame) -> list[Check]:
        _KEPT.clear()
        batch = self._frame.get_batch(batch_parameters={"dataframe": frame})
        by_name = {expect.name: expect for expect in suite.expects}
        answer = batch.validate(self._suite(suite.name, suite.expects), result_format=_COUNTS_ONLY)
        results = {result.expectation_config.meta["name"]: result for result in answer.results}
        failed = [by_name[name] for name, result in results.items() if result.result.get("unexpected_count")]
        keys = self._failing_keys(suite, batch, failed)
        return [
            _check(suite, expect, results[expect.name], len(frame), keys.get(expect.name, ()))
            for expect in suite.expects
        ]

    def _failing_keys(self, suite: Suite, batch: Any, expects: list[Expect]) -> dict[str, tuple[str, ...]]:
        # Only for what failed: listing the rows is the slow part of a result.
        if not expects:
            return {}
        answer = batch.validate(self._suite(f"{suite.name}_keys", expects), result_format=_WITH_KEYS)
        found = {}
        for result in answer.results:
            lists = result.result.get("partial_unexpected_index_list") or [{}]
            keys = lists[0].get("row_key", []) if isinstance(lists[0], dict) else lists
            shown = str if suite.keys_are_labels else mask_key
            found[result.expectation_config.meta["name"]] = tuple(shown(key) for key in list(keys)[:EXAMPLES])
        return found

    def _suite(self, name: str, expects: Iterable[Expect]) -> Any:
        return self._gx.ExpectationSuite(name=name, expectations=[self._expectation(expect) for expect in expects])

    def _expectation(self, expect: Expect) -> Any:
        arguments = {**expect.arguments, "meta": {"name": expect.name}}
        if expect.mostly < 1:
            arguments["mostly"] = expect.mostly
        return getattr(self._gx.expectations, expect.kind)(**arguments)


def _check(suite: Suite, expect: Expect, result: Any, rows: int, examples: tuple[str, ...]) -> Check:
    if result.exception_info and _exception_text(result.exception_info):
        return _failed(suite, expect.name, f"could not be computed: {_exception_text(result.exception_info)}", expect)
    values = result.result
    failing = values.get("unexpected_count")
    judged = rows - int(values.get("missing_count") or 0)
    severity, action = expect.severity, expect.action
    if failing is None:
        observed = f"{values.get('observed_value')}"
        failing = rows if expect.kind == "ExpectTableRowCountToEqual" and not result.success else None
    else:
        share = 1 - failing / judged if judged else 1.0
        observed = f"{failing:,} of {judged:,} rows fail ({1 - share:.1%})" if failing else f"{judged:,} rows hold"
        if expect.error_below is not None and share < expect.error_below and failing >= MIN_FAILING_ROWS:
            severity, action = "error", f"{MANY} {expect.action}"
    expected = expect.meaning if expect.mostly >= 1 else f"{expect.meaning}, in ≥ {expect.mostly:.0%} of rows"
    return Check(
        origin="gx",
        suite=suite.name,
        name=expect.name,
        table=suite.table,
        severity=severity,
        passed=bool(result.success),
        observed=observed,
        expected=expected,
        rows=rows,
        failing_rows=failing,
        examples=examples,
        action=action,
    )


def _exception_text(info: dict[str, Any]) -> str:
    """The kind of the first exception of a result. Its message stays here: it may quote a value."""
    entries = [info] if "raised_exception" in info else [entry for entry in info.values() if isinstance(entry, dict)]
    for entry in entries:
        if entry.get("raised_exception"):
            last = str(entry.get("exception_traceback") or "").strip().rpartition("\n")[2]
            return last.partition(":")[0].rpartition(".")[2] or "unknown error"
    return ""


def _failed(
    suite: Suite, name: str, observed: str, expect: Expect | None = None, severity: Severity = "error"
) -> Check:
    return Check(
        origin="gx",
        suite=suite.name,
        name=name,
        table=suite.table,
        severity=severity,
        passed=False,
        observed=observed,
        expected=expect.meaning if expect else "the table can be read",
        action="See the log of the models: the table was not built as docs/tables.md describes it.",
    )


def _missing(suite: Suite) -> Check:
    absent = ", ".join((suite.table, *suite.needs))
    return _failed(suite, "table_exists", f"not all of these exist: {absent}")


def _unreadable(suite: Suite, error: duckdb.Error) -> Check:
    # A conversion error quotes the value that it met; a binder or catalog error only names columns.
    detail = str(error).splitlines()[0] if isinstance(error, duckdb.BinderException | duckdb.CatalogException) else ""
    return _failed(suite, "table_readable", f"{type(error).__name__} {detail}".strip())


def _great_expectations() -> Any:
    # Imported late: some seconds that no command but a run should pay.
    _import_when_used("scipy", "stats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        import great_expectations.expectations
    from great_expectations.expectations.expectation import Expectation

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    _keep_configurations(Expectation)
    return gx


def _keep_configurations(kind: Any) -> None:
    """Let an expectation of the class ``kind`` put its configuration together once for a suite, as long as nothing in it changes.

    Great Expectations does it whenever it asks for a single argument, 17,000 times in an audit: a fifth of the audit's time.
    """
    made = kind.configuration.fget
    if made.__module__ == __name__:
        return

    def configuration(self: Any) -> Any:
        one, values, found = _KEPT.get(id(self), (None, None, None))
        if one is not self or values != vars(self):
            found = made(self)
            _KEPT[id(self)] = (self, dict(vars(self)), found)
        return found

    kind.configuration = property(configuration)


def _import_when_used(package: str, name: str) -> None:
    """Put off the import of the module ``name`` of ``package`` until something in it is used.

    Great Expectations imports ``scipy.stats``, 480 modules, for three expectations about distributions, whichever are used. This is the
    standard library's way (``LazyLoader``): it is the module itself that is loaded, later, and whoever imports it elsewhere gets it at once.
    """
    full = f"{package}.{name}"
    if full in sys.modules or (spec := importlib.util.find_spec(full)) is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    # As an import does. "from package import name" finds it there and asks no further.
    setattr(sys.modules[package], name, module)
