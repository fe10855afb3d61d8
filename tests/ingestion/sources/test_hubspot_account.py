"""The HubSpot connector against the loopback account of the simulated company: merges that mint ids, cut loads, what not every account has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.log import CompanyLog
from demo.servers.hubspot.extras import COMMENTS, FORM, submissions
from demo.simulation.simulate import simulate
from ingestion.catalogue import raw_tables
from ingestion.privacy.erasure import erase
from proofs.faults.wrapper import Fault, of_json, says
from tests.ingestion.sources.hubspot_account import account, live, merge
from tests.ingestion.sources.site import Site


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.012)


def absences(one: Site) -> list[tuple[Any, ...]]:
    return one.query("select table_name, id, is_absent from raw_hubspot.absences order by _load_id, id")


@pytest.mark.parametrize("mint", ["own", "combined"])
def test_a_merge_that_retires_both_records_without_a_word_is_noticed(
    log: CompanyLog, tmp_path: Path, mint: str
) -> None:
    with account(tmp_path, log, mint=mint) as one:
        one.run()
        assert one.run().state == "unchanged"
        first, second = live(one, "deals")[3:5]
        left = merge(one, "deals", first, second)
        assert left.updated <= first.updated  # no search by date finds it
        loaded = one.run()
        assert loaded.tables["deals"].loaded == 1
        newest = one.newest("deals")
        assert newest[left.id]["properties"]["hs_merged_object_ids"].split(";")[-2:] == [second.id, first.id]
        assert {first.id, second.id} <= set(newest)  # what was known of them stays
        assert absences(one) == []  # they live on
        assert one.run().state == "unchanged"
        assert one.server.traffic.requests["deals.list"] == 0


def test_a_record_that_just_vanished_and_one_that_comes_back(log: CompanyLog, tmp_path: Path) -> None:
    with account(tmp_path, log) as one:
        one.run()
        state = one.server.state
        gone = live(one, "contacts")[5]
        del state.records["contacts"][gone.id]
        one.server.state = state
        one.run()
        assert absences(one) == [("contacts", gone.id, True)]
        assert one.run().state == "unchanged"

        state.as_of += timedelta(days=2)
        one.later += timedelta(days=2)
        state.records["contacts"][gone.id] = gone
        one.server.state = state
        one.run()
        assert absences(one)[-1] == ("contacts", gone.id, False)
        assert one.run().state == "unchanged"


def test_records_of_erased_persons_are_not_looked_for_for_ever(log: CompanyLog, tmp_path: Path) -> None:
    """They are in the account and are left out here: the counting learns to live with it."""
    with account(tmp_path, log) as one:
        one.set('objects = ["contacts"]')
        one.run()
        person = next(record for record in live(one, "contacts") if record.properties["email"])
        assert erase(one.company, raw_tables(), emails=[person.properties["email"]]).total > 0
        listed = []
        for _ in range(4):
            one.server.state.as_of += timedelta(days=2)
            one.later += timedelta(days=2)
            assert one.run().error is None
            listed.append(one.server.traffic.requests["contacts.list"])
        assert listed[0] > 0 and listed[1:] == [0, 0, 0]
        assert person.id not in one.newest("contacts")


def test_records_merged_and_restored_between_two_syncs(log: CompanyLog, tmp_path: Path) -> None:
    """One is archived before a sync; then it is restored, merged, and what came of the merge is archived and restored too."""
    with account(tmp_path, log, mint="own") as one:
        state = one.server.state
        first, second = live(one, "contacts")[7:9]
        first.archived_at = state.as_of
        one.server.state = state
        one.run()
        first.archived_at = None
        left = merge(one, "contacts", first, second)
        left.archived_at = state.as_of
        one.server.state = state
        one.run()
        assert one.newest("contacts")[left.id]["archived"] is True
        left.archived_at = None
        one.server.state = state
        one.run()
        shown = one.newest("contacts")[left.id]
        assert shown["archived"] is False
        assert {first.id, second.id} <= set(shown["properties"]["hs_merged_object_ids"].split(";"))
        assert absences(one) == []
        assert one.run().state == "unchanged"


def test_a_listing_that_lacks_most_records_is_refused(log: CompanyLog, tmp_path: Path) -> None:
    with account(tmp_path, log) as one:
        one.run()
        state = one.server.state
        for record in live(one, "deals")[2:]:
            del state.records["deals"][record.id]
        one.server.state = state
        assert "accept_deletions" in str(one.run().error)
        one.set("accept_deletions = true")
        assert one.run().error is None
        assert len(absences(one)) > 20


def test_a_first_load_that_is_cut_goes_on_where_it_stopped(log: CompanyLog, tmp_path: Path) -> None:
    """The daily limit ends a first load twice, at links of calls and at the listing of archived ones; what was read is kept, nothing of it shows before the load is complete."""
    with account(tmp_path / "whole", log) as whole:
        whole.run()
        undisturbed = sum(whole.server.traffic.requests.values())
        expected = {kind: whole.newest(kind) for kind in ("contacts", "companies", "deals", "calls", "emails")}
        links = whole.query("select from_type, from_id, to_type, to_ids from raw_hubspot.associations order by all")
    with account(tmp_path / "cut", log) as one:
        one.set("pages_per_part = 1")
        daily = says(429, {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "limit"})
        kept = 0
        for path, first in (("associations/calls", 3), ("/objects/calls", 2)):
            one.server.app.play(Fault(path, first, None, answer=daily))
            failed = one.run()
            assert failed.state == "failed" and "daily limit" in str(failed.error)
            assert ("parts are kept" in str(failed.error)) == (failed.load_id is not None)
            kept += failed.total.received
            assert one.query("select count(*) from raw_hubspot.contacts") == [(0,)]
        assert kept > 100
        one.server.app.play()
        loaded = one.run()
        assert loaded.error is None
        rest = sum(one.server.traffic.requests.values())
        assert rest < undisturbed * 0.6, (rest, undisturbed)
        assert {kind: one.newest(kind) for kind in expected} == expected
        found = one.query(
            "select distinct from_type, from_id, to_type, to_ids from raw_hubspot.associations order by all"
        )
        assert found == links
        rows = one.query("select count(*), count(distinct id) from raw_hubspot.contacts")
        assert rows[0][0] == rows[0][1]  # no page came twice
        wrong = one.query("select * from raw_log.loads where received <> loaded + quarantined + duplicates")
        assert wrong == []
        assert one.query("select count(distinct load_id) > 3 from raw_log.loads") == [(True,)]
        assert one.run().state == "unchanged"


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_what_not_every_account_has(log: CompanyLog, tmp_path: Path, version: str) -> None:
    """Leads, quotes, invoices, payments, forms, deleted stages, under both styles of address."""
    extras = frozenset({"leads", "quotes", "invoices", "commerce_payments", "forms"})
    with account(tmp_path, log, extras=extras, deleted_stages=frozenset({"consultation_done"})) as one:
        one.unset("objects", "config")
        one.set('lead_object = "leads"')
        one.set(f'api_version = "{version}"')
        assert one.run().error is None
        for kind in ("leads", "quotes", "invoices", "commerce_payments"):
            assert set(one.newest(kind)) == set(one.server.state.records[kind]), kind
        lead = next(iter(one.newest("leads").values()))
        assert set(lead["propertiesWithHistory"]) == {"hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id"}
        linked = "select count(*) from raw_hubspot.associations where from_type = 'leads' and to_type = 'contacts' and len(to_ids) = 1"
        assert one.query(linked) == [(len(live(one, "leads")),)]

        sent = submissions(one.server.state)
        assert one.query("select distinct form_id, count(*) from raw_hubspot.form_submissions group by 1") == [
            (FORM, len(sent))
        ]
        assert one.query("select id from raw_hubspot.forms order by id") == [(COMMENTS,), (FORM,)]

        audited = "select pipeline_id, stage_id, is_found, record ->> '$.entries[1].rawObject.label' from raw_hubspot.pipeline_audits"
        assert one.query(audited) == [("default", "consultation_done", True, "Consultation done")]

        assert one.run().state == "unchanged"
        asked = one.server.traffic.requests
        assert asked["pipelines.audit"] == 0
        assert asked["forms"] == 1 and asked["forms.submissions"] == 1
        assert sum(asked.values()) == 33


def test_a_new_submission_is_read_with_the_first_page(log: CompanyLog, tmp_path: Path) -> None:
    with account(tmp_path, log, extras=frozenset({"forms"})) as one:
        one.set('objects = ["contacts", "forms"]')
        one.run()
        state = one.server.state
        contact = next(
            one for one in state.records["contacts"].values() if one.properties["hs_object_source"] != "FORMS"
        )
        contact.properties["hs_object_source"] = "FORMS"
        contact.created = state.as_of
        loaded = one.run()
        assert loaded.tables["form_submissions"].loaded == 1
        assert one.server.traffic.requests["forms.submissions"] == 1
        assert one.run().state == "unchanged"


def test_what_the_token_may_not_read_is_said_and_the_rest_loads(
    log: CompanyLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from ingestion.sources.hubspot import check

    with account(tmp_path, log, extras=frozenset({"quotes"})) as one:
        one.unset("objects", "config")
        loaded = one.run()
        assert loaded.error is None and loaded.tables["quotes"].loaded > 0 and "invoices" not in one.newest("contacts")
        said = " ".join(record.getMessage() for record in caplog.records)
        assert "crm.objects.invoices.read" in said and "invoices are not read" in said
        assert "forms and their submissions are not read" in said

        findings = {finding.what: finding for finding in check(one.settings)}
        assert findings["read contacts"].is_ok and not findings["read quotes, if the account has them"].advice
        refused = findings["read invoices, if the account has them"]
        assert refused.is_ok and "crm.objects.invoices.read" in refused.advice
    with account(tmp_path / "other", log, denied=frozenset({"deals"})) as one:
        findings = {finding.what: finding for finding in check(one.settings)}
        assert not findings["read deals"].is_ok
        assert (
            "scope crm.objects.deals.read" in findings["read deals"].advice
            and "private app" in findings["read deals"].advice
        )


def _with_a_form_that_is_gone(body: dict[str, Any], number: int) -> dict[str, Any]:
    return {**body, "results": [{**body["results"][0], "id": "gone"}, *body["results"]]}


def test_a_form_that_is_gone_does_not_hide_the_others(log: CompanyLog, tmp_path: Path) -> None:
    with account(tmp_path, log, extras=frozenset({"forms"})) as one:
        one.set('objects = ["contacts", "forms"]')
        faults = one.servers.crm.app
        faults.play(Fault(r"/marketing/v3/forms\?", change=of_json(_with_a_form_that_is_gone)))
        loaded = one.run()
        assert loaded.error is None and "gone" in " ".join(loaded.notes)
        sent = submissions(one.server.state)
        assert one.query("select form_id, count(*) from raw_hubspot.form_submissions group by 1") == [(FORM, len(sent))]
