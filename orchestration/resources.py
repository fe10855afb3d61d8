"""What the steps of a run share: the company, the moment, and who is told about progress."""

import json
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from orchestration import last_run, standing
from orchestration.locking import run_lock
from orchestration.plan import ModelResult, Outcome
from quality.results import DbtTestResult
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import Company, parse_utc


class CompanyResource(dg.ConfigurableResource):
    """The company directory ``root``. ``as_of`` (ISO 8601, UTC) fixes the moment; else the company's setting, else the clock."""

    root: str
    as_of: str | None = None
    sources: list[str] | None = None

    def open(self) -> Company:
        """The company directory; ConfigurationError where there is none."""
        return Company.open(Path(self.root))

    def process(self) -> Process:
        """The checked process file; ConfigurationError lists its mistakes."""
        return Process.load(self.open().process_file)

    def moment(self, started: datetime) -> datetime:
        """``as_of`` of this run (UTC, naive), for a run that began at ``started``."""
        if self.as_of:
            return parse_utc(self.as_of)
        return self.open().as_of or started


class RunLock(dg.ConfigurableResource):
    """Holds the lock of the company directory ``root`` for as long as a run lasts (``orchestration.locking``).

    Of a whole run that the daemon started it also notes when it began, what it is made of, and what came of it.
    """

    root: str
    as_of: str | None = None
    _held: ExitStack = PrivateAttr(default_factory=ExitStack)
    _made_of: str | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        company = Company.open(Path(self.root))
        self._held.enter_context(run_lock(company))
        _end_dead_runs(context)
        if context.run is not None and (trigger := _trigger(context.run)):
            last_run.begun(company, trigger=trigger, run_id=context.run.run_id)
            with suppress(ConfigurationError, ValueError):  # a step says what is wrong
                # before anything is read: what changes meanwhile is another state
                process, now = Process.load(company.process_file), datetime.now(UTC).replace(tzinfo=None)
                moment = CompanyResource(root=self.root, as_of=self.as_of).moment(now)
                self._made_of = standing.made_of(company, process, as_of=moment, is_fixed=moment != now)

    def standing_version(self, company: Company) -> str | None:
        """The served version where a run would publish the same; None where it would not, and where nobody knows."""
        found = standing.standing(company, self._made_of) if self._made_of else None
        return found[0] if found else None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if context.run is not None and _trigger(context.run) and context.instance is not None:
            _keep_outcome(Company.open(Path(self.root)), context.instance, context.run.run_id, self._made_of)
        self._held.close()


def _trigger(run: dg.DagsterRun) -> str | None:
    """Who started a whole run; None for one of parts, and for one at the terminal, which tells of its end itself."""
    if run.job_name != "refresh" or "salesgauge/trigger" in run.tags:
        return None
    schedule = run.tags.get("dagster/schedule_name")
    return f"the schedule {schedule}" if schedule else "the Dagster page"


def _keep_outcome(company: Company, instance: dg.DagsterInstance, run_id: str, made_of: str | None) -> None:
    from orchestration.pipeline import outcome_of

    events = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
    outcome = outcome_of(run_id, events, is_success=True)
    is_whole = bool(outcome.version) or outcome.exit_code != 0
    if outcome.exit_code == 0 and made_of and outcome.version and outcome.report:
        standing.remember(company, made_of, outcome.loads, outcome.version, outcome.report)
    last_run.ended(
        company,
        exit_code=outcome.exit_code if is_whole else 1,
        version=outcome.version,
        error=outcome.error if is_whole else "the run was ended before it published",
        run_id=run_id,
    )


def _end_dead_runs(context: dg.InitResourceContext) -> None:
    """Mark runs that hold no lock any more, since this one has it: their process died, and nobody else would say so."""
    instance = context.instance
    if instance is None:  # outside of an instance there are no runs
        return
    started = instance.get_runs(dg.RunsFilter(job_name="refresh", statuses=[dg.DagsterRunStatus.STARTED]))
    for run in started:
        if context.run is None or run.run_id != context.run.run_id:
            instance.report_run_failed(run, "The process of this run died. The run after it found everything in order.")


def run_started(context: dg.AssetExecutionContext) -> datetime:
    """When the run of ``context`` began (UTC, naive, whole seconds): one moment for all of its steps, also after a retry."""
    stats = context.instance.get_run_stats(context.run_id)
    seconds = stats.start_time or stats.launch_time or stats.enqueued_time
    moment = datetime.fromtimestamp(seconds, UTC) if seconds else datetime.now(UTC)
    return moment.replace(tzinfo=None, microsecond=0)


def save_outcome(company: Company, step: str, outcome: Outcome) -> None:
    """Keep what was built and tested in ``step`` for the audit, which may run in another process."""
    path = company.work_dir / "outcomes" / f"{step}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "models": [asdict(model) for model in outcome.models],
        "tests": {unique_id: asdict(test) for unique_id, test in outcome.test_ids.items()},
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def load_outcome(company: Company, step: str) -> Outcome:
    """What :func:`save_outcome` kept; an empty outcome where the step has not run."""
    path = company.work_dir / "outcomes" / f"{step}.json"
    if not path.is_file():
        return Outcome()
    content = json.loads(path.read_text(encoding="utf-8"))
    tests = {unique_id: DbtTestResult(**test) for unique_id, test in content["tests"].items()}
    return Outcome([ModelResult(**model) for model in content["models"]], list(tests.values()), tests)
