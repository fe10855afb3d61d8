"""HubSpot accounts that do more than the demo's: merges that mint ids, leads as objects of their own, quotes, invoices, payments, forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from demo.log import CompanyLog
from demo.servers.hubspot.extras import LEAD_STAGES, extra_id
from demo.simulation.simulate import simulate
from orchestration import transform
from salesgauge.process import Process
from salesgauge.warehouse import connect
from tests.ingestion.sources.hubspot_account import account, live, merge
from tests.ingestion.sources.site import Site


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.012)


def built(one: Site, *select: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Builds the models and gives a way to ask them."""
    company = one.company
    process = Process.load(company.process_file)
    transform.prepare(company, process, as_of=one.now)
    outcome = transform.build(company, process, select=select)
    assert {model.status for model in outcome.models} == {"success"}, outcome.models
    assert [test for test in outcome.tests if test.status == "fail"] == []

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with connect(company.warehouse_file) as con:
            return con.execute(sql).fetchall()

    return ask


@pytest.mark.parametrize("mint", ["own", "combined"])
def test_retired_records_follow_the_one_that_a_merge_made(log: CompanyLog, tmp_path: Path, mint: str) -> None:
    with account(tmp_path, log, mint=mint) as one:
        one.run()
        leads = dict(one.server.state._linked["deals", "contacts"])
        lost = live(one, "contacts")[40]
        deals = [deal for deal in live(one, "deals") if leads.get(deal.id) not in (None, lost.id)][3:5]
        first, second = sorted(deals, key=lambda deal: (deal.created, deal.id))
        contacts = one.server.state.records["contacts"]
        lead = contacts[leads[second.id]]
        other = next(record for record in live(one, "contacts") if record.id not in (lead.id, lost.id))
        deal_left = merge(one, "deals", second, first)
        lead_left = merge(one, "contacts", lead, other)
        del contacts[lost.id]
        one.server.state = one.server.state
        one.run()
        ask = built(one, "+int_activities", "+int_stage_events")

        merged = dict(ask("select record_id, survivor_id from intermediate.int_merged_records"))
        for record, left in ((first, deal_left), (second, deal_left), (lead, lead_left), (other, lead_left)):
            assert merged[f"hubspot:{record.id}"] == f"hubspot:{left.id}"
        left_id, gone_id = f"hubspot:{deal_left.id}", f"hubspot:{second.id}"
        reasons = dict(ask("select deal_id, exclusion_reason from intermediate.int_deals"))
        assert (reasons[left_id], reasons[gone_id]) == (None, "merged")
        assert ask(f"select exclusion_reason from intermediate.int_leads where lead_id = 'hubspot:{lost.id}'") == [
            ("deleted",)
        ]
        # the story began with the first record, whether HubSpot's history of the new one says so or not
        stages = ask(
            f"""select source_stage, "at" from intermediate.int_stage_events where subject_id = '{left_id}' order by "at" """
        )
        began = first.history["dealstage"][0]
        assert stages[0] == (began["value"], first.created)
        assert ask(f"select created_at from intermediate.int_deals where deal_id = '{left_id}'") == [(first.created,)]
        own = [entry["value"] for entry in first.history["dealstage"]]
        if mint == "own":
            assert [stage for stage, _ in stages[: len(own)]] == own
        assert ask(f"select count(*) from intermediate.int_activities where lead_id = 'hubspot:{lead.id}'") == [(0,)]
        assert ask(
            f"select count(*) > 0 from intermediate.int_activities where lead_id = 'hubspot:{lead_left.id}'"
        ) == [(True,)]


def test_leads_of_their_own_and_what_follows_a_sale(log: CompanyLog, tmp_path: Path) -> None:
    extras = frozenset({"leads", "quotes", "invoices", "commerce_payments", "forms"})
    with account(tmp_path, log, extras=extras, deleted_stages=frozenset({"consultation_done"})) as one:
        one.unset("objects", "config")
        one.set('lead_object = "leads"')
        file = one.root / "process.yml"
        process = file.read_text(encoding="utf-8").replace(
            "lead: {NEW: inquiry, OPEN: qualification, UNQUALIFIED: disqualified}",
            "lead: {new-stage-id: inquiry, attempting-stage-id: qualification, unqualified-stage-id: disqualified}",
        ).replace("      consultation_done: consultation_held\n", "")  # fmt: skip
        file.write_text(process, encoding="utf-8")
        assert one.run().error is None
        state = one.server.state
        ask = built(
            one,
            "+kpi_unmapped_stages",
            "+int_activities",
            "+int_estimates",
            "+int_invoices",
            "+int_payments",
            "+int_form_submissions",
            "+int_contacts",
        )

        leads = {
            row[0]: row[1:] for row in ask("select lead_id, email, status, is_counted from intermediate.int_leads")
        }
        assert set(leads) == {f"hubspot:{one}" for one in state.records["leads"]}
        contact = next(record for record in live(one, "contacts") if record.properties["hs_lead_status"])
        assert leads[f"hubspot:{extra_id('leads', contact.id)}"][:2] == (
            contact.properties["email"], LEAD_STAGES[contact.properties["hs_lead_status"]][0],
        )  # fmt: skip
        stages = ask(
            "select stage_key, count(*) from intermediate.int_stage_events where subject_type = 'lead' group by 1"
        )
        assert {stage for stage, _ in stages} == {"inquiry", "qualification", "disqualified"}

        links = state.links["deals", "contacts"]
        expected = {f"hubspot:{deal}": f"hubspot:{extra_id('leads', contacts[0])}" for deal, contacts in links.items()}
        found = dict(ask("select deal_id, linked_lead_id from intermediate.int_deals where linked_lead_id is not null"))
        assert found == expected and len(found) > 20
        persons = dict(ask("select contact_id, lead_id from intermediate.int_contacts"))
        assert persons[f"hubspot:{contact.id}"] == f"hubspot:{extra_id('leads', contact.id)}"
        assert ask("select count(*) > 100 from intermediate.int_activities where lead_id like 'hubspot:81%'") == [
            (True,)
        ]

        deals = [
            deal for deal in state.records["deals"].values() if extra_id("quotes", deal.id) in state.records["quotes"]
        ]
        expected_states = Counter(
            "approved"
            if deal.properties["hs_is_closed_won"] == "true"
            else "declined"
            if deal.properties["hs_is_closed"] == "true"
            else "sent"
            for deal in deals
        )
        statuses = dict(ask("select status, count(*) from intermediate.int_estimates group by 1"))
        assert statuses == expected_states and statuses["approved"] > 5 and statuses["declined"] > 0
        invoices = state.records["invoices"].values()
        billed = sum((Decimal(invoice.properties["hs_amount_billed"]) for invoice in invoices), Decimal())
        sums = ask("select sum(amount), count(deal_id), count(*) from intermediate.int_invoices")
        assert abs(sums[0][0] - billed) < 1 and sums[0][1:] == (len(invoices), len(invoices))
        payments = ask("select count(*), count(invoice_id), min(method) from intermediate.int_payments")
        assert payments == [(len(state.records["commerce_payments"]),) * 2 + ("card",)]

        submitted = ask("select count(*), count(lead_id), min(form) from intermediate.int_form_submissions")
        assert (
            submitted[0][0] > 20 and submitted[0][1] >= submitted[0][0] * 0.9 and submitted[0][2] == "Request a visit"
        )

        assert ask("select pipeline, source_stage, label, kind from kpi.kpi_unmapped_stages") == [
            ("default", "consultation_done", "Consultation done", "open")
        ]
