"""The asset graph: source → raw log → models → checks → published version → report.

Few, coarse steps: each is one call into the package that does the work.
"""

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import dagster as dg

import analysis.forecast
import ingestion
import quality
from orchestration import model_assets, transform
from orchestration.location import OWNERS, SOURCE_NAMES, VARIABLES, freshness
from orchestration.plan import Outcome, Plan
from orchestration.questions import answer_questions
from orchestration.resources import CompanyResource, RunLock, load_outcome, run_started, save_outcome
from quality.results import DbtTestResult
from salesgauge.errors import AfterPublishingError, AuditError, ConfigurationError, SourceError
from salesgauge.progress import Reporter
from salesgauge.settings import API_SOURCES, PROJECT_ROOT, Company
from salesgauge.warehouse import connect

ReporterParam = dg.ResourceParam[Reporter]


# The graph is that of one company; a run of another one in the same process builds what that one has.
RAW_SOURCES = (*SOURCE_NAMES, "files")
PLAN = transform.plan_of(VARIABLES)
BEFORE_ANALYSIS, AFTER_ANALYSIS = (
    PLAN.select(exclude=[transform.AFTER_ANALYSIS]),
    PLAN.select([transform.AFTER_ANALYSIS]),
)


DOCS = PROJECT_ROOT / "docs"
# A source is fresh when it answered, whether it had anything new or not; ``ingest`` says so.
SOURCES = [
    dg.AssetSpec(
        ["source", name],
        group_name="sources",
        description=f"What {name} holds; outside of Salesgauge. Its last success is when it answered last.",
        owners=OWNERS,
        freshness_policy=freshness(name if name in API_SOURCES else None),
    )
    for name in RAW_SOURCES
]


@dg.multi_asset(
    name="ingest",
    specs=[
        *(
            dg.AssetSpec(
                f"raw_{name}", deps=[["source", name]], group_name="raw", kinds={"dlt", "parquet"}, owners=OWNERS
            )
            for name in RAW_SOURCES
        ),
        dg.AssetSpec(
            "raw_log",
            group_name="raw",
            kinds={"parquet"},
            owners=OWNERS,
            description="The accounting of every load, and the quarantine.",
        ),
    ],
    can_subset=True,
)
def ingest(
    context: dg.AssetExecutionContext,
    company: CompanyResource,
    run_lock: RunLock,
    reporter: ReporterParam,
    loaded: dg.ResourceParam[tuple[ingestion.SourceResult, ...]],
    retry_after: dg.ResourceParam[tuple[float, ...]],
) -> Iterator[dg.MaterializeResult]:
    """Load what is new from every configured source into the raw log, side by side (``loaded``: it was done right before the run)."""
    directory, process = company.open(), company.process()
    directory.check_settings()
    names = company.sources
    if context.is_subset:
        names = [name for name in directory.configured_sources() if _raw(name) in context.selected_asset_keys]
    results = [*loaded] or ingestion.load_new(
        directory,
        process,
        received_at=run_started(context),
        names=names,
        reporter=reporter,
        retry_after=retry_after,
    )
    for result in results:
        if result.state != "failed":
            source = result.source if result.source in API_SOURCES else "files"
            context.log_event(dg.AssetMaterialization(["source", source], metadata=_load_metadata([result])))
    for key in sorted(context.selected_asset_keys):
        mine = [result for result in results if key in (dg.AssetKey("raw_log"), _raw(result.source))]
        yield dg.MaterializeResult(asset_key=key, metadata=_load_metadata(mine))
    failed = [result for result in results if result.state == "failed"]
    if wrong := [result.error or result.source for result in failed if result.is_misconfigured]:
        raise ConfigurationError("\n".join(wrong))
    never = [result for result in failed if not ingestion.rawlog.has_loads(directory, result.source)]
    if never:
        reasons = "; ".join(f"{result.source}: {result.error}" for result in never)
        raise SourceError(
            f"{reasons}. Nothing of {'it' if len(never) == 1 else 'them'} was ever loaded, so nothing was published."
        )


# Google Analytics 4 began then: no export has an older day.
FIRST_DAY = "2020-10-14"


def _web_days(
    context: dg.AssetExecutionContext, company: CompanyResource, run_lock: RunLock, reporter: ReporterParam
) -> dg.MaterializeResult:
    """Days of the web analytics export, read again, changed or not. For a backfill: runs read by themselves what is new or changed."""
    days = [date.fromisoformat(day) for day in context.partition_keys]
    result = ingestion.load_days(
        company.open(), company.process(), days, received_at=run_started(context), reporter=reporter
    )
    if result.state == "failed":
        raise (ConfigurationError if result.is_misconfigured else SourceError)(result.error or "ga4")
    return dg.MaterializeResult(metadata=_load_metadata([result]))


with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)  # of backfill policies
    web_days = dg.asset(
        name="web_days",
        deps=[["source", "ga4"]],
        group_name="raw",
        kinds={"parquet"},
        owners=OWNERS,
        partitions_def=dg.DailyPartitionsDefinition(FIRST_DAY),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )(_web_days)

# Only a company that has the export can read days of it again.
BY_DAY = [web_days] if "ga4" in SOURCE_NAMES else []


def _raw(source: str) -> dg.AssetKey:
    """The asset of a source's raw tables; files of all mappings share one."""
    return dg.AssetKey(f"raw_{source if source in API_SOURCES else 'files'}")


def _load_metadata(results: list[ingestion.SourceResult]) -> dict[str, Any]:
    """Per source: its state and its accounting, as Dagster shows it and as the summary of a run prints it."""
    return {result.source: dg.MetadataValue.json(result.summary()) for result in results}


@dg.asset(
    key="process",
    deps=["raw_log"],
    group_name="process",
    kinds={"yaml", "duckdb"},
    owners=OWNERS,
    output_required=False,
)
def process_tables(
    context: dg.AssetExecutionContext, company: CompanyResource, run_lock: RunLock, reporter: ReporterParam
) -> Iterator[dg.MaterializeResult | dg.AssetObservation]:
    """A fresh working warehouse with ``process.yml`` as tables and views over the raw log.

    Not in a scheduled run that would publish what is published: its other steps are skipped, and the version stands.
    """
    directory = company.open()
    is_scheduled = "dagster/schedule_name" in context.run.tags
    if is_scheduled and (version := run_lock.standing_version(directory)):
        reporter.done("models", f"nothing is new: version {version} stands")
        yield dg.AssetObservation("published_version", metadata={"version": version, "unchanged": True, "stands": True})
        return
    reporter.step("models")
    loads = ingestion.rawlog.fingerprint(directory)
    transform.prepare(directory, company.process(), as_of=company.moment(run_started(context)))
    yield dg.MaterializeResult(metadata={"loads": loads})


@dg.multi_asset(
    name="models",
    specs=model_assets.specs(BEFORE_ANALYSIS, PLAN, owners=OWNERS, freshness=freshness()),
    check_specs=model_assets.checks(BEFORE_ANALYSIS),
    can_subset=True,
)
def models(
    context: dg.AssetExecutionContext, company: CompanyResource, run_lock: RunLock, reporter: ReporterParam
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Staging, ledger, facts and KPI marts, with their data tests."""
    yield from _build(context, company, reporter, "models", BEFORE_ANALYSIS, exclude=[transform.AFTER_ANALYSIS])


@dg.asset(
    key=["analysis", "forecast_locks"],
    deps=[["marts", "fct_deal"], ["marts", "fct_stage_transition"]],
    group_name="analysis",
    owners=OWNERS,
)
def forecast_locks(
    context: dg.AssetExecutionContext, company: CompanyResource, run_lock: RunLock, reporter: ReporterParam
) -> dg.MaterializeResult:
    """What was forecast on every Monday, from what was known then."""
    directory = company.open()
    reporter.step("forecast")
    con = connect(directory.warehouse_file)
    try:
        rows = analysis.forecast.write_forecasts(
            con,
            timezone=company.process().company.timezone,
            as_of=company.moment(run_started(context)),
            locks_dir=directory.locks_dir,
        )
    finally:
        con.close()
    reporter.done("forecast", f"{rows:,} lock rows")
    return dg.MaterializeResult(metadata={"rows": rows})


@dg.multi_asset(
    name="models_after_analysis",
    specs=model_assets.specs(AFTER_ANALYSIS, PLAN, owners=OWNERS, freshness=freshness()),
    check_specs=model_assets.checks(AFTER_ANALYSIS),
    can_subset=True,
)
def models_after_analysis(
    context: dg.AssetExecutionContext, company: CompanyResource, run_lock: RunLock, reporter: ReporterParam
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Forecast accuracy and the scorecard."""
    yield from _build(context, company, reporter, "scorecard", AFTER_ANALYSIS, select=[transform.AFTER_ANALYSIS])


def _build(
    context: dg.AssetExecutionContext,
    company: CompanyResource,
    reporter: Reporter,
    step: str,
    part: Plan,
    *,
    select: Collection[str] = (),
    exclude: Collection[str] = (),
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    directory = company.open()
    reporter.step(step)
    before = Outcome()
    if context.is_subset:
        if not directory.warehouse_file.is_file():
            raise ConfigurationError(
                "There is no working warehouse to build in. Materialize all once, or run: salesgauge run"
            )
        # of the models that are not asked for, the audit still knows what was found
        before = load_outcome(directory, step)
        select = [model.name for model in part.models if model_assets.key(model) in context.selected_asset_keys]
        exclude = ()
    outcome = transform.build(
        directory, company.process(), reporter=reporter, step=step, select=select, exclude=exclude
    )
    save_outcome(directory, step, before | outcome)
    built = sum(model.status == "success" for model in outcome.models)
    failed = sum(test.status in ("fail", "error") for test in outcome.tests)
    reporter.done(step, f"{built} of {len(outcome.models)} models, {len(outcome.tests)} tests, {failed} failed")

    # In the order in which they were built: Dagster wants parents first.
    keys = {model.unique_id: model_assets.key(model) for model in part.models}
    for model in outcome.models:
        if model.unique_id in keys and model.status == "success":
            counted = {} if model.rows is None else {"dagster/row_count": model.rows}
            yield dg.MaterializeResult(asset_key=keys[model.unique_id], metadata={"seconds": model.seconds, **counted})
    checks = model_assets.check_keys(part)
    for unique_id, test in outcome.test_ids.items():
        check = checks.get(unique_id)
        if check is not None and check in context.selected_asset_check_keys and test.status != "skipped":
            yield _check_result(check, test)
    # Steps that need a missing model would be skipped, and the run would end well without having published anything.
    if built < len(outcome.models):
        reasons = "\n".join(f"  - {failure}" for failure in quality.dbt_failures(_results(outcome)))
        raise AuditError(f"Not all models could be built; {_served(directory)}.\n{reasons}")


def _served(company: Company) -> str:
    before = quality.current(company)
    return f"version {before.name}, served before, is still served" if before else "nothing is published yet"


def _check_result(key: dg.AssetCheckKey, test: DbtTestResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=test.status == "pass",
        severity=dg.AssetCheckSeverity.WARN if test.severity == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata={"failures": test.failures, "message": test.message},
    )


@dg.asset(
    deps=[["kpi", "kpi_scorecard"], ["kpi", "kpi_win_loss"], ["marts", "fct_forecast"]],
    group_name="quality",
    kinds={"greatexpectations"},
    owners=OWNERS,
)
def audit(
    context: dg.AssetExecutionContext, company: CompanyResource, run_lock: RunLock, reporter: ReporterParam
) -> quality.AuditOutcome:
    """Great Expectations suites, completeness scores and the gate: may this be published?"""
    directory = company.open()
    reporter.step("audit")
    outcome = load_outcome(directory, "models") + load_outcome(directory, "scorecard")
    con = connect(directory.warehouse_file)
    try:
        verdict = quality.audit(
            con,
            directory,
            as_of=company.moment(run_started(context)),
            dbt_results=_results(outcome),
        )
    finally:
        con.close()
    reporter.done("audit", "passed" if verdict.passed else f"failed: {len(verdict.failures)} reasons")
    context.add_output_metadata({"passed": verdict.passed, "failures": [str(failure) for failure in verdict.failures]})
    return verdict


def _results(outcome: Outcome) -> list[DbtTestResult]:
    """What dbt found, roots only: tests that were skipped because of a broken model or a failed test say nothing of their own."""
    broken = [
        DbtTestResult("builds", model.unique_id.split(".")[-1], "error", 1, "error", " ".join(model.message.split()))
        for model in outcome.models
        if model.status == "error"
    ]
    failed = [test for test in outcome.tests if test.status in ("fail", "error") and test.severity == "error"]
    if not broken and not failed:
        return outcome.tests
    return [*broken, *(test for test in outcome.tests if test.status != "skipped")]


def _suite_specs() -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(name=f"gx_{suite}", asset=dg.AssetKey(table.split(".")), additional_deps=["audit"])
        for suite, table in quality.audit_checks()
    ]


@dg.multi_asset_check(name="great_expectations", specs=_suite_specs(), can_subset=True)
def suite_checks(context: dg.AssetCheckExecutionContext, audit: quality.AuditOutcome) -> Iterator[dg.AssetCheckResult]:
    """Shows what the audit found beside the tables that it is about. The suites ran once, in ``audit``.

    Where some tables only were built by hand there was no audit of them, and nothing is shown.
    """
    if len(context.selected_asset_check_keys) < len(quality.audit_checks()):
        return
    for suite, table in quality.audit_checks():
        mine = [check for check in audit.checks if check.suite == suite]
        errors = [check for check in mine if not check.passed and check.severity == "error"]
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey(table.split(".")),
            check_name=f"gx_{suite}",
            passed=all(check.passed for check in mine),
            severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
            metadata={"expectations": len(mine), "failed": [check.name for check in mine if not check.passed]},
        )


@dg.asset(
    group_name="published",
    kinds={"duckdb", "parquet"},
    owners=OWNERS,
    freshness_policy=freshness(),
    metadata={"docs": dg.MetadataValue.path(str(DOCS / "tables.md"))},
)
def published_version(
    context: dg.AssetExecutionContext,
    company: CompanyResource,
    run_lock: RunLock,
    reporter: ReporterParam,
    audit: quality.AuditOutcome,
) -> dg.MaterializeResult:
    """A new immutable version, and the pointer moved to it; nothing of it where the audit failed."""
    directory = company.open()
    if not audit.passed:
        reasons = "\n".join(f"  - {failure}" for failure in audit.failures)
        raise AuditError(f"The audit failed; {_served(directory)}.\n{reasons}")
    reporter.step("publish")
    started = run_started(context)
    manifest = directory.dbt_target_dir / transform.SEMANTIC_MANIFEST
    answer_questions(directory, company.process(), manifest)
    version = quality.publish(
        directory,
        as_of=company.moment(started),
        created_at=started,
        audit=audit,
        semantic_manifest=manifest,
    )
    with _after_publishing(version.name, "what was erased is not yet gone from the older versions", "salesgauge run"):
        quality.finish_erasure(directory)
    reporter.done("publish", f"version {version.name}" + (" (unchanged)" if version.unchanged else ""))
    return dg.MaterializeResult(
        metadata={
            "version": version.name,
            "unchanged": version.unchanged,
            "file": dg.MetadataValue.path(str(directory.pointer.resolve())),
        }
    )


@contextmanager
def _after_publishing(version: str, what: str, command: str) -> Iterator[None]:
    """An error of anything that comes after publishing is no error of the version: it says that the version is served, and what is missing."""
    try:
        yield
    except Exception as error:
        raise AfterPublishingError(
            f"Version {version} is published and served, but {what}: {type(error).__name__}: {error}. "
            f"Once that is mended: {command}"
        ) from error


@dg.asset(deps=["published_version"], group_name="reports", kinds={"html"}, owners=OWNERS, freshness_policy=freshness())
def leadership_report(company: CompanyResource, run_lock: RunLock, reporter: ReporterParam) -> dg.MaterializeResult:
    """The leadership report of the published version."""
    import reporting

    directory = company.open()
    reporter.step("report")
    served = quality.current(directory)
    with _after_publishing(
        served.name if served else "", "the leadership report could not be made", "salesgauge report"
    ):
        files = reporting.leadership_report(directory.pointer, directory.reports_dir, with_pdf=directory.wants_pdf)
    reporter.done("report", files.note or "HTML and PDF")
    return dg.MaterializeResult(
        metadata={
            "html": dg.MetadataValue.path(str(files.html)),
            "page": dg.MetadataValue.url(files.html.as_uri()),
            "version": served.name if served else "",
            "note": files.note or "",
        }
    )
