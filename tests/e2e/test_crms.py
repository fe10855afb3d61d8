"""The same company on each CRM: what is published equals the truth of what that system can know, and ``ABOUT`` says what it can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.crms import CRMS
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from demo.truth import METRICS, compute
from ingestion.catalogue import connector
from metrics import MetricStore
from orchestration.availability import availability
from salesgauge.kpis import kpis
from tests.e2e.comparison import differences
from tests.e2e.conftest import MONTHS_13, Published, publish
from tests.e2e.truth_metrics import QUERIES, Answers, without_nothing
from tests.e2e.truth_tables import TABLES, compare

pytestmark = pytest.mark.slow
OTHERS = tuple(name for name in CRMS if name != "hubspot")  # HubSpot is the subject of all other end-to-end tests


@pytest.fixture(scope="module", params=OTHERS)
def crm(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def published(crm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A small company that runs the CRM."""
    log = simulate(11, 0.1, MONTHS_13)
    with DemoServers(log, crm) as servers:
        yield publish(tmp_path_factory.mktemp(crm), log, servers)


def test_every_mart_equals_the_truth(published: Published) -> None:
    different = {table: compare(published.truth, published.pointer, table) for table in TABLES}
    assert {table: text for table, text in different.items() if text} == {}


def test_every_metric_equals_the_truth(published: Published, questions: Path) -> None:
    answers, different = Answers(published.truth), {}
    with MetricStore(published.pointer, questions) as store:
        for metric in (name for name, columns in METRICS.items() if columns.is_asked):
            for query in QUERIES:
                if query.fits(metric):
                    found = store.query(metric, by=query.by_of(metric), grain=query.grain, where=query.where)
                    found = found.rename(columns={metric: "value"})
                    expected = answers.expected(metric, query)
                    text = differences(
                        without_nothing(metric, expected, found),
                        without_nothing(metric, found, expected),
                        list(found.columns[:-1]),
                    )
                    if text:
                        different[f"{metric} {query}"] = text
    assert different == {}


def test_about_says_which_metrics_the_crm_does_not_allow(published: Published, crm: str) -> None:
    """A metric that is not listed as limited is what the company's own log says, not only what the CRM knows of it."""
    about, surveys = connector(crm).ABOUT, connector("typeform").ABOUT
    limits = about.limits
    assert set(limits) <= set(METRICS), "limits names something that is no metric"
    whole, known = Answers(compute(published.log, published.process_file)), Answers(published.truth)
    different = []
    # what it needs decides already, and no limit must say it again
    allowed = {one.metric for one in availability(kpis(), [about, surveys], []) if one.is_available}
    for metric in (name for name, columns in METRICS.items() if columns.is_asked and name in allowed):
        queries = [query for query in QUERIES if query.fits(metric) and query.by is None and query.where is None]
        for query in queries:
            expected, found = whole.expected(metric, query), known.expected(metric, query)
            keys = [column for column in found.columns if column != "value"]
            if differences(expected, found, keys):
                different.append(metric)
                break
    missing = sorted(set(different) - set(limits))
    assert missing == [], f"ABOUT.limits does not name: {', '.join(missing)}"
