"""What HubSpot holds is what the log says: every record rebuilt from its events."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest

from demo.log import CompanyLog
from demo.servers.hubspot.state import LEAD_STATUS, STAGE_ID, HubSpotState, timestamp


@pytest.fixture(scope="module")
def state(full: CompanyLog) -> HubSpotState:
    return HubSpotState(full)


def of(log: CompanyLog, *kinds: str) -> pd.DataFrame:
    return log.events[log.events["kind"].isin(kinds)]


def test_merged_records_are_gone_and_named_by_the_survivor(full: CompanyLog, state: HubSpotState) -> None:
    for subject, kind in (("lead", "contacts"), ("deal", "deals")):
        merged = of(full, f"{subject}_merged")
        for event in merged.itertuples():
            gone = getattr(event, f"{subject}_id")
            assert gone not in state.records[kind]
            merged_ids = state.records[kind][event.data["into"]].properties["hs_merged_object_ids"] or ""
            assert gone in merged_ids.split(";")
        created = len(of(full, f"{subject}_created"))
        assert len(state.records[kind]) == created - len(merged)


def test_activities_and_deals_are_linked_to_the_survivor(full: CompanyLog, state: HubSpotState) -> None:
    into = {event.lead_id: event.data["into"] for event in of(full, "lead_merged").itertuples()}
    followed = 0
    for event in of(full, "call").itertuples():
        if event.lead_id is not None:
            expected = into.get(event.lead_id, event.lead_id)
            followed += expected != event.lead_id
            assert state.links["calls", "contacts"][event.data["activity_id"]] == [expected]
    assert followed > 0
    for deal, contacts in state.links["deals", "contacts"].items():
        assert len(contacts) == 1
        assert deal in state.links["contacts", "deals"][contacts[0]]


def test_histories_are_the_events_of_the_log(full: CompanyLog, state: HubSpotState) -> None:
    expected: dict[str, list[tuple[str, str]]] = {}
    for event in of(full, "deal_created", "deal_stage").itertuples():
        expected.setdefault(event.deal_id, []).append(
            (STAGE_ID[event.data["stage"]], timestamp(event.at.to_pydatetime()))
        )
    for deal, record in state.records["deals"].items():
        shown = [(entry["value"], entry["timestamp"]) for entry in record.history["dealstage"]]
        assert shown == expected[deal]
        assert record.properties["dealstage"] == expected[deal][-1][0]
    expected = {}
    for event in of(full, "lead_stage").itertuples():
        expected.setdefault(event.lead_id, []).append(
            (LEAD_STATUS[event.data["stage"]], timestamp(event.at.to_pydatetime()))
        )
    for lead, record in state.records["contacts"].items():
        assert [
            (entry["value"], entry["timestamp"]) for entry in record.history.get("hs_lead_status", [])
        ] == expected.get(lead, [])


def test_amounts_are_text_that_rounds_to_the_cent(full: CompanyLog, state: HubSpotState) -> None:
    newest: dict[str, float | None] = {}
    for event in of(full, "deal_created", "deal_amount").itertuples():
        newest[event.deal_id] = event.data["amount"]
    long = 0
    for deal, record in state.records["deals"].items():
        shown = record.properties["amount"]
        if newest[deal] is None:
            assert shown in (None, "")
            continue
        assert shown
        long += len(shown) > 15
        assert Decimal(shown).quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(f"{newest[deal]:.2f}")
    assert long > 10


def test_all_values_are_text_or_null_and_cleared_ones_empty(full: CompanyLog, state: HubSpotState) -> None:
    for records in state.records.values():
        for record in records.values():
            assert all(value is None or isinstance(value, str) for value in record.properties.values())
    cleared = [event for event in of(full, "lead_field").itertuples() if event.data["value"] is None]
    shown = [state.records["contacts"].get(event.lead_id) for event in cleared]
    assert any("" in record.properties.values() for record in shown if record is not None)


def test_archiving_does_not_move_the_modified_date(full: CompanyLog, state: HubSpotState) -> None:
    restored = set(of(full, "deal_unarchived")["deal_id"])
    archived = of(full, "deal_archived")
    checked = 0
    for event in archived[~archived["deal_id"].isin(restored)].itertuples():
        record = state.records["deals"][event.deal_id]
        assert record.archived_at == event.at.to_pydatetime()
        checked += record.updated < record.archived_at
    assert checked > 0
    assert all(state.records["deals"][deal].archived_at is None for deal in restored)


def test_records_were_modified_between_creation_and_as_of(state: HubSpotState) -> None:
    for records in state.records.values():
        for record in records.values():
            assert record.created <= record.updated <= state.as_of


def test_who_left_is_an_archived_owner(full: CompanyLog, state: HubSpotState) -> None:
    archived = [owner for owner in state.owners if owner["archived"]]
    assert [owner["id"] for owner in archived] == full.reps[~full.reps["is_active"]]["rep_id"].tolist()
    assert archived[0]["userId"] is None
    assert len(state.owners) == 14
