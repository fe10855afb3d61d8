"""Going on working: some deals change in the last hour, seen by the log and by HubSpot alike."""

from __future__ import annotations

import pandas as pd
import pytest

from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.servers.hubspot.state import HubSpotState
from tests.mutate import mutate


def test_n_deals_change_in_the_last_hour(full: CompanyLog) -> None:
    changed = mutate(full, 50, seed=4)
    assert len(full.events) < len(changed.events)
    added = changed.events.iloc[len(full.events) :]
    pd.testing.assert_frame_equal(changed.events.iloc[: len(full.events)], full.events)
    assert added["deal_id"].nunique() == 50
    assert added["at"].min() > pd.Timestamp(full.as_of) - pd.Timedelta(hours=1)
    assert added["at"].max() <= pd.Timestamp(full.as_of)
    assert added["at"].is_monotonic_increasing
    assert set(added["kind"]) >= {"deal_stage", "deal_amount", "deal_owner"}
    assert changed.events["seq"].tolist() == list(range(len(changed.events)))


def test_same_arguments_same_changes(small: CompanyLog) -> None:
    pd.testing.assert_frame_equal(mutate(small, 10, 1).events, mutate(small, 10, 1).events)
    assert not mutate(small, 10, 1).events.equals(mutate(small, 10, 2).events)


def test_hubspot_differs_in_the_changed_deals_only(small: CompanyLog) -> None:
    changed = mutate(small, 12, seed=2)
    deals = set(changed.events.iloc[len(small.events) :]["deal_id"])
    before, after = HubSpotState(small).records, HubSpotState(changed).records
    newest = max(record.updated for records in before.values() for record in records.values())
    for kind, records in after.items():
        differs = {one for one, record in records.items() if record != before[kind][one]}
        assert differs == (deals if kind == "deals" else set())
    assert all(after["deals"][deal].updated > newest for deal in deals)


def test_changes_can_follow_changes(small: CompanyLog) -> None:
    twice = mutate(mutate(small, 10, seed=1), 10, seed=2)
    added = twice.events.iloc[len(small.events) :]
    assert added["deal_id"].nunique() == 20  # a deal that just changed is left alone


def test_more_than_there_are(small: CompanyLog) -> None:
    with pytest.raises(ValueError, match="only"):
        mutate(small, 100_000)


def test_the_servers_answer_from_the_new_log(small: CompanyLog) -> None:
    running = DemoServers(small)
    changed = mutate(small, 5)
    running.replace(changed)
    assert running.crm.state.log is changed
    assert running.typeform.state.as_of == small.as_of
