"""The code location that ``workspace.yaml`` names: the asset graph with its jobs, schedules and the failure sensor.

Loads without any secret and without a company directory; both are asked for when a run begins.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

import analysis.locks
from ingestion import outcomes
from ingestion.rawlog.accounting import SourceResult
from orchestration import assets, last_run
from orchestration.alerts import send_alert
from orchestration.pipeline import FOLLOWING, failure_of
from orchestration.resources import CompanyResource, RunLock
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.process import Process
from salesgauge.progress import SILENT, LoggingReporter, Reporter
from salesgauge.settings import Company, default_company_root
from salesgauge.warehouse import open_published

PIPELINE = [
    assets.ingest,
    assets.process_tables,
    assets.models,
    assets.forecast_locks,
    assets.models_after_analysis,
    assets.audit,
    assets.published_version,
    assets.leadership_report,
]

# After so many seconds a run of the daemon asks sources again that did not answer.
RETRY_AFTER = (60.0, 300.0)

# One process for all steps: a process per step would import the world eight times on two cores.
refresh = dg.define_asset_job(
    "refresh",
    # days of the web export are read again by hand; a run reads what is new or changed
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*assets.BY_DAY),
    executor_def=dg.in_process_executor,
    description="Load what is new, build, audit, publish, report.",
    # A run whose process died would be shown as running for ever.
    tags={"dagster/max_runtime": "7200"},
)


# To load one source alone, by hand or on a schedule of one's own.
SOURCE_JOBS = [
    dg.define_asset_job(
        f"load_{name}",
        selection=dg.AssetSelection.assets(f"raw_{name}"),
        executor_def=dg.in_process_executor,
        description=f"Load what is new from {name}; nothing is built.",
        tags={"dagster/max_runtime": "7200"},
    )
    for name in assets.RAW_SOURCES
]


@dg.op
def record_lock(context: dg.OpExecutionContext, company: CompanyResource, run_lock: RunLock) -> None:
    """Keep this week's forecast as it is now, once and for all."""
    directory = company.open()
    con = open_published(directory.pointer)
    try:
        lock_date = analysis.locks.record_newest_lock(con, directory.locks_dir)
    finally:
        con.close()
    context.log.info(f"lock of {lock_date:%Y-%m-%d} is recorded" if lock_date else "no forecast to lock yet")


@dg.job(
    executor_def=dg.in_process_executor, description="Record this Monday's forecast lock from the published version."
)
def weekly_lock() -> None:
    record_lock()


def schedules(timezone: str, company: str = "") -> list[dg.ScheduleDefinition]:
    """The schedules, by the clock of the company."""
    rows: list[tuple[str, dg.JobDefinition | UnresolvedAssetJobDefinition, str, str]] = [
        (
            "hourly_refresh",
            refresh,
            "15 6-21 * * *",
            "Every hour of the working day: new leads and calls show within the hour.",
        ),
        (
            "daily_refresh",
            refresh,
            "30 3 * * *",
            "Every night, after the web analytics export and late events have arrived.",
        ),
        ("weekly_lock", weekly_lock, "0 5 * * 1", "Every Monday morning: lock the forecast."),
    ]
    return [
        dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=cron,
            execution_timezone=timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
            tags={"salesgauge/company": company} if company else {},
        )
        for name, job, cron, description in rows
    ]


def company_timezone(root: Path) -> str:
    """The time zone of the company in ``root``; UTC where its process file can't be read (the next run says why)."""
    try:
        return Process.load(root / "process.yml").company.timezone
    except ConfigurationError:
        return "UTC"


@dg.run_failure_sensor(name="failure_alert", default_status=dg.DefaultSensorStatus.RUNNING)
def failure_alert(context: dg.RunFailureSensorContext, company: CompanyResource) -> None:
    """Tell people that a run failed, and why."""
    failed = [
        failure_of(event.step_failure_data.error)
        for event in context.get_step_failure_events()
        if event.step_failure_data.error
    ] or [(1, context.failure_event.message or "the run ended without a reason")]
    directory, run = company.open(), context.dagster_run
    noted = last_run.load(directory)
    if run.job_name == refresh.name and (noted is None or noted.run_id != run.run_id):  # it failed before it began
        last_run.begun(directory, trigger=run.tags.get("dagster/schedule_name", "the Dagster page"), run_id=run.run_id)
        last_run.ended(directory, exit_code=failed[0][0], version=None, error=failed[0][1])
    done = send_alert(
        directory,
        at=datetime.now(UTC).replace(tzinfo=None),
        title=f"Salesgauge: the run '{context.dagster_run.job_name}' failed",
        reasons=[reason for _, reason in failed],
        run_id=context.dagster_run.run_id,
        following=FOLLOWING[failed[0][0]],
    )
    context.log.info(done)


@dg.run_status_sensor(
    name="source_alert",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def source_alert(context: dg.RunStatusSensorContext, company: CompanyResource) -> None:
    """Tell people that a source could not be loaded, though the rest was published: such a run is green."""
    directory = company.open()
    synced = {name: outcomes.load(directory, name) for name in directory.configured_sources()}
    reasons = [f"{name}: {last.error}" for name, last in synced.items() if last and last.state == "failed"]
    if reasons:
        done = send_alert(
            directory,
            at=datetime.now(UTC).replace(tzinfo=None),
            title="Salesgauge: published, but not all sources could be loaded",
            reasons=reasons,
            run_id=context.dagster_run.run_id,
            following=FOLLOWING[SourceError.exit_code],
        )
        context.log.info(done)


def build_definitions(
    root: Path,
    *,
    reporter: Reporter = SILENT,
    as_of: str | None = None,
    sources: list[str] | None = None,
    loaded: Sequence[SourceResult] = (),
    retry_after: Sequence[float] = (),
) -> dg.Definitions:
    """The code location for the company directory ``root``; progress goes to ``reporter``.

    ``loaded``: what came of loading where that was done right before the run; else the run loads. ``retry_after``: seconds after which
    sources that failed are asked again.
    """
    return dg.Definitions(
        assets=[*assets.SOURCES, *PIPELINE, *assets.BY_DAY],
        asset_checks=[assets.suite_checks],
        jobs=[refresh, weekly_lock, *SOURCE_JOBS],
        # also for what people materialize by hand: the steps of a run share one lock
        executor=dg.in_process_executor,
        schedules=schedules(company_timezone(root), root.name),
        sensors=[failure_alert, source_alert],
        resources={
            "company": CompanyResource(root=str(root), as_of=as_of, sources=sources),
            "run_lock": RunLock(root=str(root), as_of=as_of),
            "reporter": dg.ResourceDefinition.hardcoded_resource(reporter),
            "loaded": dg.ResourceDefinition.hardcoded_resource(tuple(loaded)),
            "retry_after": dg.ResourceDefinition.hardcoded_resource(tuple(retry_after)),
        },
    )


def _retry_after(root: Path) -> tuple[float, ...]:
    """``[salesgauge] retry_sources_after`` of the company in ``root``: seconds. ConfigurationError for anything but a list of numbers."""
    try:
        company = Company.open(root)
    except ConfigurationError:  # the run says what is wrong
        return RETRY_AFTER
    found = company.setting("retry_sources_after", list(RETRY_AFTER))
    if not isinstance(found, list) or any(isinstance(one, bool) or not isinstance(one, int | float) for one in found):
        raise ConfigurationError(
            f".dlt/config.toml: [salesgauge] retry_sources_after = {found!r} must be a list of seconds, for example [60, 300]."
        )
    return tuple(found)


defs = build_definitions(
    default_company_root(), reporter=LoggingReporter(), retry_after=_retry_after(default_company_root())
)
