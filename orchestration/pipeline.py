"""One whole run of a company, from this process: the same Dagster job that the schedules start. Printing belongs to ``console``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ingestion.rawlog.accounting import SourceResult
from ingestion.run import load_new
from orchestration import last_run, standing
from orchestration.locking import run_lock
from salesgauge.errors import AfterPublishingError, AuditError, ConfigurationError, SalesgaugeError, SourceError
from salesgauge.process import Process
from salesgauge.progress import SILENT, Reporter
from salesgauge.settings import Company, parse_utc

# Steps tell people through the reporter; Dagster's own log is in its event storage.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAGSTER_SETTINGS = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "run_monitoring": {"enabled": True},
    "run_queue": {"max_concurrent_runs": 1},
    "event_log_storage": {
        "module": "orchestration.event_storage",
        "class": "KeptSqliteEventLogStorage",
        "config": {"home": {"env": "DAGSTER_HOME"}},
    },
    "compute_logs": {
        "module": "orchestration.step_logs",
        "class": "StepLogs",
        "config": {"base_dir": {"env": "DAGSTER_HOME"}},
    },
    # What the steps and the libraries that load tell Python's loggers, beside the events of a run.
    "python_logs": {"managed_python_loggers": ["salesgauge", "ingestion"], "python_log_level": "INFO"},
    "freshness": {"enabled": True},
}
_NO_STEP_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
_WITHOUT_LOGS = {
    **{name: value for name, value in DAGSTER_SETTINGS.items() if name not in ("python_logs", "freshness")},
    "compute_logs": _NO_STEP_LOGS,
}
# What earlier versions wrote. Their homes get the settings of this one; settings that people changed stay.
EARLIER_SETTINGS: tuple[dict[str, Any], ...] = (
    {"telemetry": {"enabled": False}, "run_monitoring": {"enabled": True}},
    {"telemetry": {"enabled": False}, "nux": {"enabled": False}, "run_queue": {"max_concurrent_runs": 1}},
    {name: value for name, value in _WITHOUT_LOGS.items() if name != "event_log_storage"},
    _WITHOUT_LOGS,
)


TERMINAL = "salesgauge run"

# With which commands to look further after a run that ended so.
FOLLOWING = {
    1: ("status",),
    2: (),  # the error says what to change
    3: ("sources check", "quarantine list"),
    4: ("checks", "quarantine list"),
    5: ("report",),
}


@dataclass
class RunOutcome:
    """What a run came to.

    ``unchanged``: what was built is what the version has that was served before; ``stands``: nothing had to be built to know that.
    ``loads``: of which state of the raw log (``rawlog.fingerprint``).
    ``exit_code``: 0 published, 2 configuration, 3 a source failed, 4 the audit failed, 5 published but something after it failed, 1 anything else.
    """

    exit_code: int
    version: str | None = None
    unchanged: bool = False
    stands: bool = False
    error: str | None = None
    loads: str = ""
    run_id: str = ""
    report: Path | None = None
    report_note: str | None = None
    seconds: float = 0.0
    step_seconds: dict[str, float] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)


def run(
    company: Company,
    *,
    reporter: Reporter = SILENT,
    as_of: str | None = None,
    sources: list[str] | None = None,
    is_full: bool = False,
) -> RunOutcome:
    """Run the job ``refresh`` for ``company`` in this process. Failures are in the outcome, not raised.

    Where no source has anything new, and all else is as it was when the served version was published, nothing is built: that
    version stands (``is_full``: it is built all the same). One run at a time: a second one ends with 2 while the first holds the lock.
    """
    started = time.monotonic()
    last_run.begun(company, trigger=TERMINAL)
    try:
        process = Process.load(company.process_file)
        company.check_settings()
        _check_sources(company.configured_sources(), sources)
        outcome = _run(company, process, reporter, as_of, sources, is_full)
    except SalesgaugeError as error:
        outcome = RunOutcome(error.exit_code, error=str(error))
    outcome.seconds = time.monotonic() - started
    last_run.ended(
        company, exit_code=outcome.exit_code, version=outcome.version, error=outcome.error, run_id=outcome.run_id
    )
    if outcome.exit_code:
        _alert(company, outcome)
    return outcome


def _alert(company: Company, outcome: RunOutcome) -> None:
    """Tell people as the daemon does of a run of its own, whoever started this one."""
    from orchestration.alerts import send_alert

    with suppress(ConfigurationError):  # the address of the alert is wrong: the run has an error of its own to tell
        send_alert(
            company,
            at=datetime.now(UTC).replace(tzinfo=None),
            title=f"Salesgauge: {'published, but not all went well' if outcome.version else 'a run failed'}",
            reasons=(outcome.error or "").splitlines(),
            run_id=outcome.run_id,
            following=FOLLOWING[outcome.exit_code],
        )


def _run(
    company: Company,
    process: Process,
    reporter: Reporter,
    as_of: str | None,
    sources: list[str] | None,
    is_full: bool,
) -> RunOutcome:
    now, fixed = datetime.now(UTC).replace(tzinfo=None, microsecond=0), _fixed(company, as_of)

    made_of = standing.made_of(company, process, as_of=fixed or now, is_fixed=fixed is not None)
    loaded: list[SourceResult] = []
    # Loading begins before the job only where it may be all that there is to do.
    if not is_full and standing.standing(company, made_of):
        with run_lock(company):
            loaded = load_new(company, process, received_at=now, names=sources, reporter=reporter)
            served = standing.standing(company, made_of)
        if served and all(result.state == "unchanged" for result in loaded):
            version, report = served
            accounts = {result.source: result.summary() for result in loaded}
            return RunOutcome(0, version, unchanged=True, stands=True, report=report, sources=accounts)
    outcome = _execute(company, reporter, as_of, sources, loaded)
    if outcome.exit_code == 0 and outcome.version and outcome.report:
        standing.remember(company, made_of, outcome.loads, outcome.version, outcome.report)
    return outcome


def _fixed(company: Company, as_of: str | None) -> datetime | None:
    try:
        return parse_utc(as_of) if as_of else company.as_of
    except ValueError as error:
        raise ConfigurationError(f"'{as_of}' is no ISO 8601 time. Write it like 2026-07-01T05:00:00Z.") from error


def dagster_home(company: Company) -> Path:
    """The folder of the company's Dagster instance, with settings written on first use and kept up to date until somebody changes them."""
    home = company.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists() or _is_earlier(settings):
        settings.write_text(yaml.safe_dump(DAGSTER_SETTINGS), encoding="utf-8")
    return home


def _is_earlier(settings: Path) -> bool:
    try:
        return yaml.safe_load(settings.read_text(encoding="utf-8")) in EARLIER_SETTINGS
    except yaml.YAMLError:  # Dagster says what is wrong
        return False


def _check_sources(known: list[str], wanted: list[str] | None) -> None:
    if not known:
        raise ConfigurationError(
            "no source is configured. Add one, such as [sources.hubspot], to .dlt/config.toml, or describe files in sources/<name>.yml."
        )
    for name in wanted or []:
        if name not in known:
            raise ConfigurationError(f"no source is called '{name}'; configured: {', '.join(known)}.")


def _execute(
    company: Company,
    reporter: Reporter,
    as_of: str | None,
    sources: list[str] | None,
    loaded: list[SourceResult],
) -> RunOutcome:
    import dagster as dg

    from orchestration.step_logs import AT_THE_TERMINAL

    build_definitions = _definitions_of(company)
    home = dagster_home(company)
    os.environ["DAGSTER_HOME"] = str(home)
    definitions = build_definitions(company.root, reporter=reporter, as_of=as_of, sources=sources, loaded=loaded)
    job = definitions.resolve_job_def("refresh")
    with dg.DagsterInstance.get() as instance:
        os.environ[AT_THE_TERMINAL] = "yes"
        tags = {
            "salesgauge/company": company.root.name,
            "salesgauge/trigger": TERMINAL,
            **({"salesgauge/as_of": as_of} if as_of else {}),
        }
        result = job.execute_in_process(run_config=QUIET, instance=instance, raise_on_error=False, tags=tags)
        return outcome_of(result.run_id, result.all_events, is_success=result.success)


def _definitions_of(company: Company) -> Any:
    """``build_definitions`` of the code location; on its first import in this process the graph becomes that of ``company``."""
    before = os.environ.get("SALESGAUGE_COMPANY")
    os.environ["SALESGAUGE_COMPANY"] = str(company.root)
    try:
        from orchestration.definitions import build_definitions
    finally:
        if before is None:
            del os.environ["SALESGAUGE_COMPANY"]
        else:
            os.environ["SALESGAUGE_COMPANY"] = before
    return build_definitions


def outcome_of(run_id: str, events: Iterable[Any], *, is_success: bool) -> RunOutcome:
    """What the Dagster ``events`` of a run of the job ``refresh`` say that it came to."""
    outcome = RunOutcome(0, run_id=run_id)
    for event in events:
        data = event.event_specific_data
        if event.event_type_value == "STEP_SUCCESS":
            outcome.step_seconds[event.step_key] = data.duration_ms / 1000
        elif (event.event_type_value == "STEP_FAILURE" and outcome.exit_code == 0) or (
            event.event_type_value == "PIPELINE_FAILURE" and outcome.exit_code == 0 and data and data.error
        ):
            outcome.exit_code, outcome.error = failure_of(data.error)
        elif event.event_type_value == "ASSET_MATERIALIZATION":
            _note(outcome, data.materialization)
        elif event.event_type_value == "ASSET_OBSERVATION":
            _note(outcome, data.asset_observation)
    failed = {name: source["error"] for name, source in outcome.sources.items() if source["state"] == "failed"}
    if outcome.exit_code in (0, AfterPublishingError.exit_code) and failed:
        reasons = [outcome.error or "", *(f"{name}: {reason}" for name, reason in failed.items())]
        outcome.exit_code = outcome.exit_code or SourceError.exit_code
        outcome.error = "; ".join(reason for reason in reasons if reason)
    if outcome.exit_code == 0 and not is_success:
        outcome.exit_code, outcome.error = 1, "the run did not end; see the run in Dagster"
    return outcome


def _note(outcome: RunOutcome, materialization: object) -> None:
    path, metadata = materialization.asset_key.path, materialization.metadata  # type: ignore[attr-defined]
    if path == ["published_version"]:
        outcome.version, outcome.unchanged = metadata["version"].value, metadata["unchanged"].value
        outcome.stands = "stands" in metadata
    elif path == ["process"]:
        outcome.loads = metadata["loads"].value
    elif path == ["leadership_report"]:
        outcome.report, outcome.report_note = Path(metadata["html"].value), metadata["note"].value or None
    elif path == ["raw_log"]:
        outcome.sources = {name: dict(value.value) for name, value in metadata.items()}


def failure_of(error: object) -> tuple[int, str]:
    """Exit code and message of a failed step: those of our own error in its chain of causes, else of the innermost one."""
    kinds = {
        kind.__name__: kind.exit_code for kind in (ConfigurationError, SourceError, AuditError, AfterPublishingError)
    }
    while True:
        name, message = error.cls_name or "", str(error.message).strip()  # type: ignore[attr-defined]
        if name in kinds or error.cause is None:  # type: ignore[attr-defined]
            return kinds.get(name, 1), message.removeprefix(f"salesgauge.errors.{name}: ")
        error = error.cause  # type: ignore[attr-defined]
