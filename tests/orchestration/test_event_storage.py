"""What Dagster's page reads is what Dagster's own storage would hold, though the events of a burst are written together."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from sqlalchemy.exc import OperationalError

from orchestration import event_storage, pipeline
from orchestration.event_storage import KeptSqliteEventLogStorage
from salesgauge.settings import Company

NAMES = ("first", "second", "third")
CHECKS = [dg.AssetCheckSpec(name="is_filled", asset=name) for name in NAMES]


@dg.multi_asset(
    specs=[
        dg.AssetSpec(name, deps=[before] if before else []) for name, before in zip(NAMES, ("", *NAMES), strict=False)
    ],
    check_specs=CHECKS,
)
def made() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    yield from (dg.MaterializeResult(asset_key=name, metadata={"rows": 3}) for name in NAMES)
    yield from (dg.AssetCheckResult(asset_key=name, check_name="is_filled", passed=name != "third") for name in NAMES)


@dg.asset(deps=["third"])
def broken(context: dg.AssetExecutionContext) -> None:
    context.log.info("about to fail")
    raise ValueError("broken on purpose")


JOB = dg.define_asset_job("all", executor_def=dg.in_process_executor)


def _run(home: Path, settings: dict) -> str:
    """Run the job in ``home``; the run's id."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    job = dg.Definitions(assets=[made, broken], jobs=[JOB]).resolve_job_def("all")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return job.execute_in_process(run_config=pipeline.QUIET, instance=instance, raise_on_error=False).run_id


def _rows(home: Path, database: str, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(home / "history" / "runs" / f"{database}.db")) as con:
        return con.execute(sql).fetchall()


def _written(home: Path, run_id: str) -> dict[str, list[tuple]]:
    """All that two runs of the same job have in common."""
    event = "dagster_event_type, step_key, asset_key, partition"
    return {
        "run": _rows(home, run_id, f"select {event} from event_logs order by id"),
        "index": _rows(home, "index", f"select {event} from event_logs order by id"),
        "assets": _rows(
            home,
            "index",
            "select asset_key, last_run_id is not null, json_extract(last_materialization, '$.storage_id'), asset_details, "
            "last_materialization_timestamp is not null from asset_keys order by asset_key",
        ),
        "checks": _rows(
            home,
            "index",
            "select asset_key, check_name, execution_status, evaluation_event_storage_id, materialization_event_storage_id "
            "from asset_check_executions order by 1, 2",
        ),
        "tags": _rows(home, "index", "select asset_key, key, event_id from asset_event_tags order by 1, 2, 3"),
    }


def test_the_log_of_a_run_is_the_one_that_dagster_would_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "ours"))  # the settings name it
    theirs = {name: value for name, value in pipeline.DAGSTER_SETTINGS.items() if name != "event_log_storage"}
    expected = [_written(tmp_path / "theirs", _run(tmp_path / "theirs", theirs)) for _ in range(2)]
    got = [_written(tmp_path / "ours", _run(tmp_path / "ours", pipeline.DAGSTER_SETTINGS)) for _ in range(2)]
    assert got == expected
    types = [row[0] for row in got[0]["run"]]
    assert types.count("ASSET_MATERIALIZATION") == 3 and types.count("ASSET_CHECK_EVALUATION") == 3
    assert "STEP_FAILURE" in types and types[-1] == "PIPELINE_FAILURE"
    assert [row[2] for row in got[1]["checks"]] == ["SUCCEEDED"] * 4 + ["FAILED"] * 2


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[KeptSqliteEventLogStorage]:
    (tmp_path / "history" / "runs").mkdir(parents=True)
    made = KeptSqliteEventLogStorage(str(tmp_path))
    yield made
    made.dispose()


OUTPUT, START = dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.STEP_START


def _event(kind: dg.DagsterEventType, run_id: str = "run") -> dg.EventLogEntry:
    output = StepOutputData(StepOutputHandle("step", "result")) if kind == OUTPUT else None
    return dg.EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level=10,
        user_message="",
        run_id=run_id,
        timestamp=time.time(),
        dagster_event=dg.DagsterEvent(
            event_type_value=kind.value, job_name="all", message=kind.value, event_specific_data=output
        ),
    )


def _on_disk(home: Path, run_id: str = "run") -> list[str]:
    if not (home / "history" / "runs" / f"{run_id}.db").exists():
        return []
    return [row[0] for row in _rows(home, run_id, "select dagster_event_type from event_logs order by id")]


def test_a_burst_is_written_when_another_event_comes(storage: KeptSqliteEventLogStorage, tmp_path: Path) -> None:
    for _ in range(3):
        storage.store_event(_event(OUTPUT))
    assert _on_disk(tmp_path) == []
    storage.store_event(_event(START))
    assert _on_disk(tmp_path) == ["STEP_OUTPUT"] * 3 + ["STEP_START"]


def test_who_reads_sees_the_events_that_wait(storage: KeptSqliteEventLogStorage) -> None:
    storage.store_event(_event(OUTPUT))
    storage.store_event(_event(OUTPUT, "other"))
    assert len(storage.get_logs_for_run("run")) == len(storage.get_logs_for_run("other")) == 1


def test_events_do_not_wait_for_long(
    storage: KeptSqliteEventLogStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_storage, "SECONDS_WAITING", 0.05)
    storage.store_event(_event(START))
    storage.store_event(_event(OUTPUT))
    deadline = time.monotonic() + 20
    while len(_on_disk(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _on_disk(tmp_path) == ["STEP_START", "STEP_OUTPUT"]


def test_a_long_burst_is_written_in_parts(
    storage: KeptSqliteEventLogStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_storage, "MOST_WAITING", 4)
    for _ in range(5):
        storage.store_event(_event(OUTPUT))
    assert len(_on_disk(tmp_path)) == 4
    storage.dispose()
    assert len(_on_disk(tmp_path)) == 5


def test_what_could_not_be_written_is_said_and_written_later(
    storage: KeptSqliteEventLogStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_storage, "BUSY_TIMEOUT_SECONDS", 0.1)
    storage.store_event(_event(START))
    storage.store_event(_event(OUTPUT))
    with closing(sqlite3.connect(tmp_path / "history" / "runs" / "run.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(OperationalError, match="locked"):
            storage.store_event(_event(START))
        other.execute("rollback")
    storage.dispose()
    assert _on_disk(tmp_path) == ["STEP_START", "STEP_OUTPUT", "STEP_START"]


def test_a_wiped_log_is_empty(storage: KeptSqliteEventLogStorage) -> None:
    storage.store_event(_event(START))
    storage.store_event(_event(OUTPUT))
    storage.wipe()
    assert storage.get_logs_for_run("run") == []


KILLED = """
import os, sys
import dagster as dg
from orchestration import pipeline

@dg.multi_asset(specs=[dg.AssetSpec(f"a{place}") for place in range(20)])
def killed():
    for place in range(15):
        yield dg.MaterializeResult(asset_key=f"a{place}")
    os._exit(9)

job = dg.Definitions(assets=[killed], jobs=[dg.define_asset_job("all", executor_def=dg.in_process_executor)]).resolve_job_def("all")
with dg.DagsterInstance.get() as instance:
    job.execute_in_process(run_config=pipeline.QUIET, instance=instance)
"""


def test_a_killed_run_leaves_a_log_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(pipeline.DAGSTER_SETTINGS), encoding="utf-8")
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == 9
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.event_log_storage, KeptSqliteEventLogStorage)
        (run,) = instance.get_runs()
        kinds = [entry.dagster_event_type for entry in instance.all_logs(run.run_id) if entry.is_dagster_event]
    assert kinds.count(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED) == 20
    assert START in kinds and dg.DagsterEventType.STEP_SUCCESS not in kinds


@pytest.mark.parametrize("earlier", pipeline.EARLIER_SETTINGS, ids=["first", "second", "third", "fourth"])
def test_the_home_of_an_earlier_version_gets_the_settings_of_this_one(tmp_path: Path, earlier: dict) -> None:
    company = _company(tmp_path, earlier)
    assert yaml.safe_load((pipeline.dagster_home(company) / "dagster.yaml").read_text()) == pipeline.DAGSTER_SETTINGS


@pytest.mark.parametrize("changed", [{"telemetry": {"enabled": False}}, {**pipeline.DAGSTER_SETTINGS, "retention": {}}])
def test_settings_that_people_changed_stay(tmp_path: Path, changed: dict) -> None:
    company = _company(tmp_path, changed)
    assert yaml.safe_load((pipeline.dagster_home(company) / "dagster.yaml").read_text()) == changed


def _company(root: Path, settings: dict) -> Company:
    (root / "process.yml").write_text("", encoding="utf-8")
    company = Company.open(root)
    company.dagster_home.mkdir(parents=True)
    (company.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return company
