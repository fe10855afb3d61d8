"""The dbt project is compiled once for all companies with the same variables, by one process at a time."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration import transform
from salesgauge.errors import AuditError, ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company

PROFILE = """
salesgauge:
  target: warehouse
  outputs:
    warehouse: {type: duckdb, path: "{{ env_var('SALESGAUGE_WAREHOUSE') }}", threads: 1}
"""
# Parses as a run does, and says when dbt was at work.
PARSER = """
import json, sys, time
from pathlib import Path
from orchestration import transform

transform.DBT_PROJECT = Path(sys.argv[1])
invoke, times = transform.invoke, []

def timed(*arguments, **options):
    begun = time.monotonic()
    result = invoke(*arguments, **options)
    times.append([begun, time.monotonic()])
    return result

transform.invoke = timed
import dbt.cli.main
print("ready", flush=True)
sys.stdin.readline()
values = {"sources": ["one"]}
results = []
for _ in range(3):
    results.append(transform.parse(values))
    transform.KEPT.clear()
assert all(result.success for result in results), results
plan = transform.plan_of(values)
print(json.dumps({"times": times, "models": [[model.unique_id, model.sql] for model in plan.models]}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project of one model."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("{name: salesgauge, profile: salesgauge, config-version: 2}\n")
    (folder / "profiles.yml").write_text(PROFILE)
    (folder / "models" / "one.sql").write_text("select '{{ var('sources')[0] }}' as word")
    monkeypatch.setattr(transform, "DBT_PROJECT", folder)
    # put back after the test: dbt is told through the environment
    monkeypatch.setenv("SALESGAUGE_WAREHOUSE", "")
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    return folder


def test_two_processes_parse_one_after_the_other(project: Path) -> None:
    command = [sys.executable, "-c", PARSER, str(project)]
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    processes = [subprocess.Popen(command, cwd=PROJECT_ROOT, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    found = [json.loads(output) for output, _ in answers]
    assert [one["models"] for one in found] == [[["model.salesgauge.one", "select 'one' as word"]]] * 2
    times = sorted(pair for one in found for pair in one["times"])
    assert len(times) == 8  # parsed three times each, then parsed and compiled by one of them for both
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times))


def test_a_plan_is_made_anew_where_a_file_changes(project: Path) -> None:
    values = {"sources": ["two"]}
    first = transform.plan_of(values)
    assert [model.sql for model in first.models] == ["select 'two' as word"]
    assert transform.plan_of(values) is first
    (project / "models" / "three.sql").write_text("select {{ var('more') }} as three")
    with pytest.raises(AuditError, match=r"(?s)dbt can't compile the models: .*three.*'more'"):
        transform.plan_of(values)
    assert [model.name for model in transform.plan_of({**values, "more": 3}).models] == ["one", "three"]
    # the folder holds what this state of the project needs, and nothing of the one before
    (state,) = (project / "target" / "plans").iterdir()
    assert len([*state.glob("*/plan.json")]) == 1


def test_what_a_killed_process_left_of_a_plan_is_not_read(project: Path) -> None:
    values = {"sources": ["two"]}
    transform.plan_of(values)
    (file,) = (project / "target" / "plans").glob("*/*/plan.json")
    due = file.read_text(encoding="utf-8")
    file.unlink()
    file.with_suffix(".partial").write_text(due[:50], encoding="utf-8")
    transform.PLANS.clear()
    assert [model.sql for model in transform.plan_of(values).models] == ["select 'two' as word"]
    assert file.read_text(encoding="utf-8") == due
    assert not file.with_suffix(".partial").exists()


METRICS = """
models:
  - name: days
    time_spine: {standard_granularity_column: on_date}
    columns: [{name: on_date, granularity: day}]
semantic_models:
  - name: calls
    model: ref('calls')
    defaults: {agg_time_dimension: on_date}
    entities: [{name: call, type: primary, expr: call_id}]
    dimensions: [{name: on_date, type: time, type_params: {time_granularity: day}}]
    measures: [{name: calls, agg: sum, expr: "1"}, {name: booked, agg: sum, expr: "2"}]
metrics:
  - {name: calls, label: Calls, type: simple, type_params: {measure: calls}}
"""
# It depends on the order of a set whether dbt stumbles over one pair.
GONE_LATER = "".join(
    f"""
  - {{name: rate_{number}, label: Rate {number}, type: ratio, type_params: {{numerator: part_{number}, denominator: calls}}}}
  - {{name: part_{number}, label: Part {number}, type: simple, type_params: {{measure: booked}}}}"""
    for number in range(20)
)


def test_an_upgrade_that_takes_metrics_away_is_parsed(project: Path) -> None:
    """dbt parses what changed, and stumbles where a metric went together with one that is made of it: then it parses all."""
    (project / "models" / "calls.sql").write_text("select 1 as call_id, current_date as on_date")
    (project / "models" / "days.sql").write_text("select current_date as on_date")
    values = {"sources": ["two"]}

    def metrics_of(text: str) -> set[str]:
        (project / "models" / "metrics.yml").write_text(text)
        transform.KEPT.clear()  # as in the next process
        result = transform.parse(values)
        assert result.success, result.exception
        return {metric.name for metric in result.result.metrics.values()}

    assert len(metrics_of(METRICS + GONE_LATER)) == 41
    kept = transform.parse_target(values) / "partial_parse.msgpack"
    assert kept.is_file()
    (project / "models" / "metrics.yml").write_text(METRICS)
    arguments = ["parse", "--vars", json.dumps(values)]
    alone = transform.invoke(arguments, warehouse=kept.with_name("salesgauge.duckdb"), target=kept.parent)
    assert not alone.success, "dbt manages by itself: the second try in transform.parse can go"
    assert metrics_of(METRICS) == {"calls"}


def test_what_is_read_when_a_model_is_compiled_makes_no_other_graph() -> None:
    values = {"sources": ["two"]}
    assert transform.parse_target(values) != transform.parse_target({"sources": ["one"]})
    assert transform.parse_target(values) == transform.parse_target(
        {**values, "exclusions": [{"reason": "test", "sql": "true"}]}
    )


def test_a_process_parses_again_only_where_a_file_changed(project: Path) -> None:
    values = {"sources": ["two"]}
    first = transform.parse(values)
    assert transform.parse(values) is first
    (project / "models" / "three.sql").write_text("select 3 as three")
    assert "model.salesgauge.three" in transform.parse(values).result.nodes


def test_a_project_that_cannot_be_parsed_is_said(project: Path) -> None:
    (project / "models" / "one.sql").write_text("select '{{ var('sources' }}'")
    with pytest.raises(AuditError, match="dbt can't compile the models: "):
        transform.plan_of({"sources": ["one"]})


def test_words_for_outcomes_are_checked(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.hubspot]\n", encoding="utf-8")
    (tmp_path / "process.yml").write_bytes((PROJECT_ROOT / "demo" / "company" / "process.yml").read_bytes())
    company = Company.open(tmp_path, {})
    process = Process.load(company.process_file)
    file = tmp_path / "sources" / "hubspot.yml"
    file.write_text("outcomes: {Gatekeeper: no_answer, 11: answered}\n", encoding="utf-8")
    assert transform.project_vars(company, process)["hubspot_outcomes"] == {"Gatekeeper": "no_answer", "11": "answered"}
    for wrong in ("{Gatekeeper: nobody}", "[Gatekeeper]", "{Gatekeeper: {a: b}}"):
        file.write_text(f"outcomes: {wrong}\n", encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"hubspot\.yml: outcomes must say .* no_answer"):
            transform.project_vars(company, process)
