"""What people materialize by hand in Dagster's page: one source, one model, one layer, and nothing else; one writer at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

import ingestion
from ingestion.catalogue import create_views
from orchestration import last_run, pipeline, transform
from orchestration.locking import run_lock
from orchestration.resources import CompanyResource, RunLock, load_outcome
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.progress import SILENT
from salesgauge.settings import PROJECT_ROOT, Company
from salesgauge.warehouse import connect, open_published
from tests.orchestration.test_standing import write


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company that was published, and whose file has one row more since."""
    root = tmp_path_factory.mktemp("parts") / "company"
    company = write(root)
    outcome = pipeline.run(company, as_of="2026-06-01T12:00:00Z")
    assert outcome.exit_code == 0, outcome.error
    with (root / "data" / "deals.csv").open("a", encoding="utf-8") as file:
        file.write("3,2026-05-06,300\n")
    return Company.open(root)


@pytest.fixture
def instance(company: Company) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(pipeline.dagster_home(company))) as instance:
        yield instance


def materialize(company: Company, instance: dg.DagsterInstance, *keys: list[str]) -> set[str]:
    """Materialize the assets ``keys`` as the page does; those that were."""
    from orchestration.definitions import build_definitions

    definitions = build_definitions(company.root, as_of="2026-06-01T12:00:00Z")
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        run_config=pipeline.QUIET, instance=instance, asset_selection=[dg.AssetKey(key) for key in keys]
    )
    assert result.success
    return {
        "/".join(event.asset_key.path)
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }


def deals(company: Company) -> tuple[int, int]:
    """How many deals the raw log has and how many the working warehouse."""
    with connect(company.warehouse_file, read_only=True) as con:
        (built,) = con.execute("select count(*) from marts.fct_deal").fetchall()
    return len(list(company.raw_dir.rglob("deals/*.parquet"))), built[0]


def test_one_source_is_loaded_and_nothing_is_built(company: Company, instance: dg.DagsterInstance) -> None:
    files, built = deals(company)
    assert (files, built) == (1, 2)
    assert materialize(company, instance, ["raw_files"]) == {"raw_files", "source/files"}
    assert deals(company) == (2, 2)


def test_one_model_is_built(company: Company, instance: dg.DagsterInstance) -> None:
    tests = load_outcome(company, "models").tests
    with connect(company.warehouse_file) as con:
        con.execute("drop table marts.fct_deal")
        con.execute("drop table marts.fct_closed_deal")
    assert materialize(company, instance, ["marts", "fct_deal"]) == {"marts/fct_deal"}
    assert deals(company)[1] == 2  # of the views that the run made
    with connect(company.warehouse_file, read_only=True) as con, pytest.raises(duckdb.CatalogException):
        con.execute("select * from marts.fct_closed_deal")
    rows = instance.get_latest_materialization_event(dg.AssetKey(["marts", "fct_deal"]))
    assert rows is not None and rows.asset_materialization is not None
    assert rows.asset_materialization.metadata["dagster/row_count"].value == 2
    # the audit still knows of all other models
    assert {test.name for test in load_outcome(company, "models").tests} == {test.name for test in tests}


def test_one_layer_is_built_from_what_was_loaded(company: Company, instance: dg.DagsterInstance) -> None:
    values = transform.project_vars(company, Process.load(company.process_file))
    models = transform.plan_of(values).select(["staging", "intermediate", "marts"], [transform.AFTER_ANALYSIS]).models
    keys = [[model.schema, model.name] for model in models]
    done = materialize(company, instance, ["process"], *keys)
    assert done == {"process", *("/".join(key) for key in keys)}
    assert deals(company) == (2, 3)
    with open_published(company.pointer) as con:  # people see what was published
        assert con.execute("select count(*) from marts.fct_deal").fetchall() == [(2,)]


def test_there_has_to_be_something_to_build_in(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with pytest.raises(ConfigurationError, match="no working warehouse to build in"):
        materialize(write(tmp_path / "new"), instance, ["marts", "fct_deal"])


def test_days_of_the_web_export_are_read_again_and_no_others(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    from orchestration import assets

    root = write(tmp_path / "web").root
    (root / ".dlt" / "config.toml").write_text('[sources.ga4]\nfolder = "ga4"\n')
    (root / "data" / "ga4").mkdir()
    for day in range(1, 6):
        event = {
            "event_date": f"2026010{day}", "event_timestamp": str(1767290400000000 + (day - 1) * 86_400_000_000),
            "event_name": "page_view", "event_params": [], "user_pseudo_id": f"u{day}",
        }  # fmt: skip
        (root / "data" / "ga4" / f"events_2026010{day}.jsonl").write_text(json.dumps(event) + "\n")
    company = Company.open(root)
    process = Process.load(company.process_file)
    ingestion.load_new(company, process, received_at=datetime(2026, 1, 6), names=["ga4"])
    resources = {
        "company": CompanyResource(root=str(root)), "run_lock": RunLock(root=str(root)), "reporter": SILENT
    }  # fmt: skip
    done = dg.materialize(
        [assets.web_days, *assets.SOURCES],
        selection=dg.AssetSelection.assets("web_days"),
        resources=resources,
        instance=instance,
        tags={"dagster/asset_partition_range_start": "2026-01-02", "dagster/asset_partition_range_end": "2026-01-04"},
    )
    assert done.success
    events = [event for event in done.all_events if event.is_step_materialization]
    assert {event.partition for event in events} == {"2026-01-02", "2026-01-03", "2026-01-04"}
    with connect(":memory:") as con:
        create_views(con, company)
        # the log keeps both; models take the newest load of a day
        rows = "select extract(day from event_day), count(*), count(distinct _load_id) from raw_ga4.events group by 1 order by 1"
        assert con.execute(rows).fetchall() == [(1, 1, 1), (2, 2, 2), (3, 2, 2), (4, 2, 2), (5, 1, 1)]


def test_a_source_that_did_not_answer_is_asked_again(tmp_path: Path) -> None:
    company = write(tmp_path / "late")
    process, file, waited = Process.load(company.process_file), company.data_dir / "deals.csv", []
    rows = file.read_text()
    file.write_bytes(b"id,made,price\n\xff\xfe\x00\n\x00")
    file.unlink()
    file.mkdir()  # it can't be read

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            file.rmdir()
            file.write_text(rows)

    (result,) = ingestion.load_new(
        company, process, received_at=datetime(2026, 6, 1), retry_after=(1.0, 5.0, 9.0), wait=wait
    )
    assert (result.state, result.total.loaded, waited) == ("loaded", 2, [1.0, 5.0])


def test_a_run_of_the_daemon_leaves_what_came_of_it(company: Company, instance: dg.DagsterInstance) -> None:
    from orchestration.definitions import build_definitions

    for moment, state in (("2026-06-01T12:00:00Z", "version"), ("soon", "nothing was published. ")):
        job = build_definitions(company.root, as_of=moment).resolve_job_def("refresh")
        tags = {"dagster/schedule_name": "daily_refresh"}
        done = job.execute_in_process(run_config=pipeline.QUIET, instance=instance, raise_on_error=False, tags=tags)
        assert done.success == (state == "version")
        last = last_run.load(company)
        assert last is not None and (last.run_id, last.trigger) == (done.run_id, "the schedule daily_refresh")
        assert f"started by the schedule daily_refresh: {state}" in (last_run.in_words(company) or "")
    last_run.begun(company, trigger="the Dagster page")
    assert (last_run.in_words(company) or "").endswith("its process died; the next run needs no help")
    with run_lock(company):
        assert (last_run.in_words(company) or "").endswith("still running")


def test_a_scheduled_run_with_nothing_new_lets_the_version_stand(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    from orchestration.definitions import build_definitions

    company = write(tmp_path / "daily")
    config = company.root / ".dlt" / "config.toml"
    config.write_text('[salesgauge]\nas_of = "2026-06-01T12:00:00Z"\n')

    def run(**tags: str) -> tuple[set[str], str | None]:
        job = build_definitions(company.root).resolve_job_def("refresh")
        done = job.execute_in_process(run_config=pipeline.QUIET, instance=instance, tags=tags)
        last = last_run.load(company)
        assert done.success and last is not None and (last.exit_code, last.run_id) == (0, done.run_id)
        return {event.step_key for event in done.all_events if event.is_step_success and event.step_key}, last.version

    schedule = {"dagster/schedule_name": "hourly_refresh"}
    steps, version = run(**schedule)
    assert {"models", "audit", "published_version", "leadership_report"} <= steps and version
    assert run(**schedule) == ({"ingest", "process"}, version)
    assert "audit" in run()[0], "who asks for a run in the page gets one"
    with (company.data_dir / "deals.csv").open("a") as file:
        file.write("3,2026-05-06,300\n")
    steps, newer = run(**schedule)
    assert "audit" in steps and newer != version
    assert run(**schedule) == ({"ingest", "process"}, newer)
    config.write_text('[salesgauge]\nas_of = "2026-06-02T12:00:00Z"\n')
    assert "audit" in run(**schedule)[0]


HOLDER = """
import sys
from pathlib import Path
from orchestration.locking import run_lock
from salesgauge.settings import Company

with run_lock(Company.open(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_writer_says_who_holds_the_lock(company: Company, instance: dg.DagsterInstance) -> None:
    command = [sys.executable, "-c", HOLDER, str(company.root)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": PROJECT_ROOT}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        says = (
            rf"another run is active in .*company \(process {holder.pid}, -c, since 20\d\d-.* UTC\); wait for it to end"
        )
        with pytest.raises(ConfigurationError, match=says), run_lock(company):
            pass
        with pytest.raises(dg.DagsterError) as refused:
            materialize(company, instance, ["marts", "fct_deal"])
        assert re.search(says, str(refused.value.__cause__))
        outcome = pipeline.run(company)
        assert outcome.exit_code == 2 and outcome.error is not None and f"process {holder.pid}" in outcome.error
        holder.kill()
    # nobody has to clear up after a process that died
    with run_lock(company):
        pass
    assert not (company.var / "run.holder.json").exists()
    assert os.getpid() != holder.pid
