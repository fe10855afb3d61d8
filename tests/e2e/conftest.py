"""A company that is simulated, served and run through the whole pipeline, beside its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.company import write
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.simulate import simulate
from demo.truth import Truth, compute
from orchestration import pipeline
from orchestration.pipeline import RunOutcome
from salesgauge.settings import Company
from tests.e2e.processes import vary


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
    truth = compute(servers.module.known(log), company.process_file)
    return Published(log, outcome, company.pointer, company.process_file, truth)


@pytest.fixture(scope="module", params=[1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4, 5))])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A whole run of one seed at full scale; from the fourth on with another process file."""
    log = simulate(request.param)
    with DemoServers(log) as servers:
        root = tmp_path_factory.mktemp("company")
        return publish(root, log, servers, vary if request.param > 3 else lambda process_file: None)
