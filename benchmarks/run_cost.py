"""``make bench-run``: what a run costs in CPU seconds, beside bare ``dbt build`` and bare DuckDB on the same data, each in a process of its own.

The small company shows what a run costs whatever the data are; the large one (``--leads``) what the data cost. Speed of single parts is ``whole_run``.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
import duckdb

from benchmarks.figures import publish
from orchestration import transform
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company

AS_OF = "2026-06-01T12:00:00Z"
QUESTION = ("query", "win_rate", "--by", "rep")
PROCESS = """
company: {name: Cost of a run, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2024-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: qualified, object: lead}
    - {key: visit, object: deal}
    - {key: proposal, object: deal}
    - {key: won, kind: won, object: deal}
    - {key: lost, kind: lost, object: deal}
    - {key: disqualified, kind: disqualified, object: lead}
targets:
  - {kpi: win_rate, target: 0.4}
"""
MAPPING = """
files:
  - {path: leads.parquet, entity: leads, key: id, columns: {lead_id: id, created_at: made, owner_id: rep, channel: channel, last_name: person, email: email}}
  - {path: deals.parquet, entity: deals, key: id, columns: {deal_id: id, lead_id: lead, created_at: made, owner_id: rep, amount: price}}
  - {path: stage_events.parquet, entity: stage_events, key: id, columns: {event_id: id, subject_type: what, subject_id: of, stage: stage, at: at}}
  - {path: activities.parquet, entity: activities, key: id, columns: {activity_id: id, type: type, lead_id: lead, user_id: rep, at: at, direction: way, outcome: outcome}}
"""
# A lead in five becomes no deal; a deal goes through two stages and is won or lost. Twelve rows and more of everything for each three leads.
TABLES = {
    "leads": """
        select i as id, moment(i) as made, 'rep' || i % 9 as rep, ['web', 'phone', 'referral'][1 + i % 3] as channel,
            'Person ' || i as person, 'p' || i || '@example.com' as email from range({leads}) r(i)""",
    "deals": """
        select i as id, i as lead, moment(i) + interval 2 day as made, 'rep' || i % 9 as rep,
            cast(500 + i % 9000 as decimal(18, 2)) as price from range({leads}) r(i) where i % 5 > 0""",
    "stage_events": """
        select 'l' || i as id, 'lead' as what, i as "of", 'qualified' as stage, moment(i) + interval 1 day as at from range({leads}) r(i)
        union all select 'v' || i, 'deal', i, 'visit', moment(i) + interval 2 day from range({leads}) r(i) where i % 5 > 0
        union all select 'p' || i, 'deal', i, 'proposal', moment(i) + interval 4 day from range({leads}) r(i) where i % 5 > 0
        union all select 'c' || i, 'deal', i, if(i % 3 = 0, 'won', 'lost'), moment(i) + interval (5 + i % 40) day
            from range({leads}) r(i) where i % 5 > 0 and i % 7 > 0""",
    "activities": """
        select i * 8 + n as id, ['call', 'email', 'call', 'text'][1 + n % 4] as type, i as lead, 'rep' || i % 9 as rep,
            moment(i) + interval (n * n * 37) minute as at, if(n % 3 = 1, 'inbound', 'outbound') as way,
            if(n % 4 = 0, 'connected', if(n % 4 = 2, 'no answer', null)) as outcome from range({leads}) r(i), range(7) s(n)""",
}
# What a process of its own runs: a run with the CPU seconds of its steps, and the same SQL without anything around it.
RUN = """
import json, os, sys
from pathlib import Path
from orchestration import pipeline
from salesgauge.settings import Company
def cpu():
    return sum(os.times()[:2])
class Steps:
    def __init__(self): self.last, self.of = cpu(), {"until the first step": 0.0}; self.name = "until the first step"
    def note(self, name):
        now = cpu(); self.of[self.name] = self.of.get(self.name, 0.0) + now - self.last; self.last, self.name = now, name
    def step(self, name, detail=""): self.note(name)
    def advance(self, *a, **k): pass
    def done(self, name, detail=""): self.note("between steps")
steps = Steps()
outcome = pipeline.run(Company.open(Path(sys.argv[1])), as_of=sys.argv[2], is_full=True, reporter=steps)
steps.note("end")
assert outcome.exit_code == 0, outcome.error
json.dump(steps.of, sys.stdout)
"""
BARE = """
import json, sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute("set timezone = 'UTC'")
con.execute("set threads = " + sys.argv[3])
for statement in json.load(open(sys.argv[2])):
    con.execute(statement)
con.close()
"""


def company(root: Path, leads: int) -> Company:
    """A company of ``leads`` leads, most of them with a deal, in four Parquet files."""
    for folder in (".dlt", "sources", "data"):
        (root / folder).mkdir(parents=True)
    (root / "process.yml").write_text(PROCESS)
    (root / ".dlt" / "config.toml").write_text("[salesgauge]\nreport_pdf = true\n")
    dated = MAPPING.replace("}}\n", "}, dates: {timezone: America/Chicago}}\n")
    (root / "sources" / "crm.yml").write_text(dated)
    with duckdb.connect() as con:
        # the same spread over two years, however many there are
        con.execute(
            f"create macro moment(i) as timestamp '2024-03-01 08:00' + to_minutes(cast(i * 1036800.0 / {leads} as bigint))"
        )
        for name, sql in TABLES.items():
            con.execute(f"copy ({sql.format(leads=leads)}) to '{root}/data/{name}.parquet'")
    return Company.open(root)


@contextmanager
def measured(figures: dict[str, float], name: str, **environ: str) -> Iterator[list[str]]:
    """The command that is put into the list, as a process with ``environ``: its CPU seconds, its wall time and its largest size are noted. RuntimeError where it fails."""
    command: list[str] = []
    yield command
    began = time.perf_counter()
    environ = {**os.environ, "DO_NOT_TRACK": "1", "PYTHONPATH": str(PROJECT_ROOT), **environ}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT, cwd=PROJECT_ROOT)
        _, status, used = os.wait4(process.pid, 0)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if status:
        raise RuntimeError(f"{name}: {said[-2000:]}")
    figures[f"{name}_cpu_seconds"] = used.ru_utime + used.ru_stime
    figures[f"{name}_wall_seconds"] = time.perf_counter() - began
    figures[f"{name}_peak_mb"] = used.ru_maxrss / 1024
    if said.startswith("{"):
        figures |= {
            f"{name}_{step.replace(' ', '_')}_cpu_seconds": cpu for step, cpu in json.loads(said).items() if cpu > 0.005
        }


def measure(root: Path, leads: int, repeats: int) -> dict[str, float]:
    """Medians of ``repeats`` rounds, in which each command runs once."""
    one = company(root, leads)
    cli = [sys.executable, "-m", "orchestration.cli", "--company", str(root)]
    first: dict[str, float] = {}
    with measured(first, "first_run") as command:  # dbt may have to compile
        command += [*cli, "run", "--as-of", AS_OF]
    subprocess.run(
        [*cli, *QUESTION], env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}, check=True, capture_output=True
    )
    rounds = [_round(one, cli) for _ in range(repeats)]
    figures = first | {name: median(found[name] for found in rounds if name in found) for name in rounds[0]}
    figures["run_ratio_to_dbt_build"] = figures["run_cpu_seconds"] / figures["dbt_build_cpu_seconds"]
    figures["models_ratio_to_bare_duckdb"] = figures["models_cpu_seconds"] / figures["bare_duckdb_cpu_seconds"]
    figures["nothing_new_ratio_to_run"] = figures["nothing_new_cpu_seconds"] / figures["run_cpu_seconds"]
    return figures


def _round(one: Company, cli: list[str]) -> dict[str, float]:
    figures: dict[str, float] = {}
    with measured(figures, "run") as command:
        command += [sys.executable, "-c", RUN, str(one.root), AS_OF]
    with measured(figures, "nothing_new") as command:
        command += [*cli, "run", "--as-of", AS_OF]
    with measured(figures, "status") as command:
        command += [*cli, "status"]
    with measured(figures, "query_asked_before") as command:
        command += [*cli, *QUESTION]
    process = Process.load(one.process_file)
    values = transform.project_vars(one, process)
    as_of = datetime.fromisoformat(AS_OF.removesuffix("Z"))
    plan = transform.plan_of(values).select(exclude=[transform.AFTER_ANALYSIS])
    statements = one.root / "statements.json"
    statements.write_text(
        json.dumps(
            [f'create schema if not exists "{schema}"' for schema in sorted({model.schema for model in plan.models})]
            + [
                f"create or replace {'view' if model.is_view else 'table'} {model.relation} as ({model.sql})"
                for model in plan.models
            ]
        )
    )
    threads = str(transform.threads(one))
    transform.prepare(one, process, as_of=as_of)
    with measured(figures, "bare_duckdb") as command:
        command += [sys.executable, "-c", BARE, str(one.warehouse_file), str(statements), threads]
    transform.prepare(one, process, as_of=as_of)
    before = _cpu()
    transform.build(one, process, exclude=[transform.AFTER_ANALYSIS], is_tested=False)
    figures["models_cpu_seconds"] = _cpu() - before
    transform.prepare(one, process, as_of=as_of)
    target = one.root / "var" / "bench-target"
    environ = {"SALESGAUGE_WAREHOUSE": str(one.warehouse_file), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    dbt = [str(Path(sys.executable).parent / "dbt"), "--quiet"]
    folders = ["--project-dir", transform.DBT_PROJECT, "--profiles-dir", transform.DBT_PROJECT, "--target-path", target]
    with measured(figures, "dbt_build", **environ) as command:
        command += [*dbt, "build", *map(str, folders), "--log-path", str(target), "--vars", json.dumps(values)]
        command += ["--exclude", transform.AFTER_ANALYSIS, "--exclude-resource-types", "unit_test"]
    return figures


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@click.command()
@click.option("--leads", default=100_000, show_default=True, help="Leads of the large company: 12.6 rows for each.")
@click.option("--repeats", default=3, show_default=True, help="Rounds, of which the medians are printed.")
def main(leads: int, repeats: int) -> None:
    """Measure what a run of a small and of a large company costs."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size, rounds in (("small", 3, repeats), ("large", leads, 1)):
            if size:
                found = measure(Path(folder) / name, size, rounds)
                figures |= {f"{name}_{key}": value for key, value in found.items()}
                shutil.rmtree(Path(folder) / name)
    publish("run-cost", figures)


if __name__ == "__main__":
    main()
