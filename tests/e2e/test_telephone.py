"""A company whose telephone system tells all of its calls in a file: how they were handled equals the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from demo.company import TEMPLATE
from demo.log import CompanyLog, Event, events_frame
from demo.simulation.simulate import simulate
from demo.truth import compute
from demo.truth.values import VALUES
from metrics import MetricStore
from orchestration import pipeline
from salesgauge.settings import Company
from salesgauge.warehouse import open_published
from tests.e2e.comparison import differences
from tests.e2e.conftest import MONTHS_13

SEGMENTS = ("branch", "channel", "campaign", "service_line", "job_type", "customer_type")
MAPPING = """
files:
  - path: leads.csv
    entity: leads
    key: id
    columns: {created_at: at, email: email, is_test: is_test, branch: branch, channel: channel, campaign: campaign, service_line: service_line, job_type: job_type, customer_type: customer_type}
    dates: {format: iso8601, timezone: UTC}
  - path: calls.csv
    entity: calls
    key: id
    columns: {at: at, direction: direction, outcome: outcome, wait_seconds: wait, talk_seconds: talk, queue: queue, agent: agent, from_number: from, to_number: to, lead_id: lead, is_lead: is_lead}
    dates: {format: iso8601, timezone: UTC}
"""
HANDLED = [kpi for kpi in VALUES if kpi.startswith(("call_", "calls_", "inbound_", "answer_", "lead_calls_"))]


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    """Leads as they were created, and all calls."""
    whole = simulate(7, 0.2, MONTHS_13)
    kept = [
        Event(
            row.at.to_pydatetime(),
            row.kind,
            row.lead_id,
            None,
            row.rep_id,
            {**row.data, "owner": None} if row.kind == "lead_created" else row.data,
        )
        for row in whole.events.itertuples()
        if row.kind in ("lead_created", "call")
    ]
    created = {event.lead_id for event in kept if event.kind == "lead_created"}
    kept = [event for event in kept if event.lead_id is None or event.lead_id in created]
    return replace(whole, events=events_frame(kept))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, log: CompanyLog) -> Company:
    """It has run once."""
    root = tmp_path_factory.mktemp("telephone")
    for folder in (".dlt", "sources", "data"):
        (root / folder).mkdir()
    (root / "process.yml").write_bytes((TEMPLATE / "process.yml").read_bytes())
    (root / ".dlt" / "config.toml").write_text(f'[salesgauge]\nas_of = "{log.as_of.isoformat()}Z"\n', encoding="utf-8")
    (root / "sources" / "telephone.yml").write_text(MAPPING, encoding="utf-8")
    names = dict(zip(log.reps["rep_id"], log.reps["name"], strict=True))
    leads, calls = [], []
    for row in log.events.itertuples():
        at, data = f"{row.at.isoformat(timespec='milliseconds')}Z", row.data
        if row.kind == "lead_created":
            leads.append(
                {
                    "id": row.lead_id,
                    "at": at,
                    "is_test": data["is_test"],
                    "email": data["email"],
                    **{name: data[name] for name in SEGMENTS},
                }
            )
            continue
        is_out = data["direction"] == "outbound"
        said = "Abandoned" if data.get("gave_up") else "Voicemail" if data.get("is_voicemail") else data["outcome"]
        calls.append(
            {
                "id": data["activity_id"], "at": at, "direction": data["direction"], "outcome": said, "wait": data.get("wait_seconds"),
                "talk": data["duration_seconds"], "queue": data.get("queue"), "agent": names.get(row.rep_id), "lead": row.lead_id, "is_lead": data.get("is_lead"),
                "from": None if is_out else data.get("number"), "to": data.get("number") if is_out else None,
            }
        )  # fmt: skip
    pd.DataFrame(leads).to_csv(root / "data" / "leads.csv", index=False)
    pd.DataFrame(calls).to_csv(root / "data" / "calls.csv", index=False)
    opened = Company.open(root)
    outcome = pipeline.run(opened)
    assert outcome.exit_code == 0, outcome.error
    return opened


def test_how_calls_were_handled_equals_the_truth(company: Company, log: CompanyLog) -> None:
    expected = compute(log, company.process_file).mart("kpi_value")
    expected = expected[expected["kpi"].isin(HANDLED)]
    columns = ["kpi", "period_grain", "period_start_date", "segment_type", "segment", "n", "value", "low", "high"]
    with open_published(company.pointer) as con:
        found = con.sql(f"select {', '.join(columns)} from kpi.kpi_value").df().astype(object)
    found = found[found["kpi"].isin(HANDLED)]
    assert set(expected["kpi"]) == set(HANDLED)
    assert differences(expected[columns].reset_index(drop=True), found.reset_index(drop=True), columns[:5]) == ""


def test_by_hour_queue_and_agent(company: Company, log: CompanyLog, questions: Path) -> None:
    calls = log.events[log.events["kind"] == "call"]
    inbound = [(row.rep_id, row.data) for row in calls.itertuples() if row.data["direction"] == "inbound"]
    with MetricStore(company.pointer, questions) as store:
        by_queue = store.query("inbound_calls", by=["queue"])
        by_agent = store.query("inbound_calls", by=["agent"])
        by_hour = store.query("call_answer_rate_all_hours", by=["hour"])
    # a few are of leads that are tests
    assert set(by_queue["queue"]) == {data["queue"] for _, data in inbound}
    assert 0.97 * len(inbound) <= by_queue["inbound_calls"].sum() <= len(inbound)
    assert by_agent["inbound_calls"].sum() == by_queue["inbound_calls"].sum()
    names = dict(zip(log.reps["rep_id"], log.reps["name"], strict=True))
    assert set(by_agent["agent"].dropna()) <= {names[rep] for rep, data in inbound if data["outcome"] == "answered"}
    day, night = (
        by_hour[by_hour["hour"].isin(hours)]["call_answer_rate_all_hours"] for hours in ((9, 10, 11), (21, 22))
    )
    assert day.min() > night.max()
