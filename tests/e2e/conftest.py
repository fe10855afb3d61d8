"""A company that is simulated, served and run through the whole pipeline, beside its truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.company import write
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from demo.simulation.world import DAYS
from demo.truth import Truth, compute
from orchestration import pipeline
from orchestration.pipeline import RunOutcome
from salesgauge.settings import Company
from tests.e2e.processes import vary

# Without what the models, the truth and the comparison do for a second year of days, weeks and months.
MONTHS_13 = 400


@dataclass
class Published:
    """What a run published of a log. ``pointer``: the version that people see."""

    log: CompanyLog
    outcome: RunOutcome
    pointer: Path
    process_file: Path
    truth: Truth


def publish(
    root: Path, log: CompanyLog, servers: DemoServers, prepare: Callable[[Path], None] = lambda process_file: None
) -> Published:
    """Run the pipeline on the company directory ``root``, with ``servers`` up; the test fails unless it publishes.

    ``prepare`` may change the process file before. The truth is that of the log as the company's CRM can tell it.
    """
    write(root, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url, crm_name=servers.crm_name)
    company = Company.open(root)
    prepare(company.process_file)
    outcome = pipeline.run(company)
    assert outcome.exit_code == 0, outcome.error
    truth = compute(servers.module.known(log), company.process_file, dialect=servers.module.DIALECT)
    return Published(log, outcome, company.pointer, company.process_file, truth)


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the SQL of questions, which all companies with the same definitions share, also in other processes of these tests."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "questions"


# Seed → scale and days. It is the chances that matter, not the size: two years, with a year to compare and to forecast from, where the process is
# the demo's and where it is another one, else the change of the process and the twelve months since.
SEEDS = {1: (0.25, DAYS), 2: (0.25, MONTHS_13), 3: (0.25, MONTHS_13), 4: (0.15, DAYS), 5: (0.25, MONTHS_13)}


@pytest.fixture(
    scope="module", params=[pytest.param(seed, marks=[pytest.mark.slow] if seed > 1 else []) for seed in SEEDS]
)
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A whole run of one seed; from the fourth on with another process file. ``SALESGAUGE_FULL_SCALE=1`` makes all as large and old as the demo."""
    log = simulate(request.param, *((1.0, DAYS) if os.environ.get("SALESGAUGE_FULL_SCALE") else SEEDS[request.param]))
    with DemoServers(log) as servers:
        root = tmp_path_factory.mktemp("company")
        return publish(root, log, servers, vary if request.param > 3 else lambda process_file: None)
