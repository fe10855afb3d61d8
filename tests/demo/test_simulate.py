"""The simulated log: the same from the same seed, whole in itself, of the promised size, with every special case and a true effect."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pytest

from demo.log import EVENT_COLUMNS, WEB_COLUMNS, CompanyLog, Event, events_frame
from demo.simulation.people import PLACEHOLDERS
from demo.simulation.simulate import simulate
from demo.simulation.world import REPS

FIELDS = {
    "lead_created": {
        "created_by", "first_name", "last_name", "email", "phone", "postcode", "branch", "channel", "campaign", "service_line",
        "job_type", "customer_type", "is_test", "owner", "company",
    },
    "lead_owner": {"owner"}, "lead_stage": {"stage"}, "lead_field": {"field", "value"}, "lead_archived": set(),
    "lead_unarchived": set(), "lead_merged": {"into"},
    "call": {"activity_id", "direction", "outcome", "duration_seconds"}, "email": {"activity_id", "direction", "is_automated"},
    "meeting_set": {"activity_id", "starts_at", "by"}, "meeting_outcome": {"activity_id", "outcome"},
    "task": {"activity_id", "due_at"}, "task_done": {"activity_id"},
    "deal_created": {
        "name", "pipeline", "stage", "owner", "amount", "expected_close_date", "branch", "service_line", "job_type", "budget_band",
        "is_decision_maker", "need", "wanted_by", "next_step", "loss_reason",
    },
    "deal_stage": {"stage"}, "deal_owner": {"owner"}, "deal_amount": {"amount"}, "deal_close_date": {"expected_close_date"},
    "deal_field": {"field", "value"}, "estimate_sent": {"options"}, "job_created": set(), "job_completed": set(), "job_canceled": set(),
    "invoice_sent": {"amount"}, "payment": {"amount"}, "deal_archived": set(), "deal_unarchived": set(), "deal_merged": {"into"},
    "survey_sent": {"form_id"},
    "survey_response": {"form_id", "response_id", "nps_score", "csat_score", "comment", "email", "is_hidden_linked"},
    "survey_partial": {"form_id", "response_id", "nps_score", "csat_score", "comment", "email", "is_hidden_linked"},
}  # fmt: skip

RINGING = {"wait_seconds", "gave_up", "is_voicemail", "queue", "is_transferred", "is_lead"}


def of(log: CompanyLog, *kinds: str) -> pd.DataFrame:
    """Events of those kinds."""
    return log.events[log.events["kind"].isin(kinds)]


def values(events: pd.DataFrame, name: str) -> pd.Series:
    """A member of ``data``."""
    return events["data"].map(lambda data: data.get(name))


def stages(log: CompanyLog) -> dict[str, list[str]]:
    """Deal → the stages that it entered, in order."""
    entered = of(log, "deal_created", "deal_stage")
    return values(entered, "stage").groupby(entered["deal_id"]).agg(list).to_dict()


def test_same_seed_same_log_another_seed_another() -> None:
    one, two, other = simulate(11, 0.05), simulate(11, 0.05), simulate(12, 0.05)
    pd.testing.assert_frame_equal(one.events, two.events)
    pd.testing.assert_frame_equal(one.web_events, two.web_events)
    assert not one.events["at"].head(50).equals(other.events["at"].head(50))


def test_scale_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        simulate(1, 0)


@pytest.mark.parametrize("scale", [0.002, 0.05])
def test_a_small_company_is_whole(scale: float) -> None:
    log = simulate(5, scale)
    assert list(log.events.columns) == list(EVENT_COLUMNS)
    assert list(log.web_events.columns) == list(WEB_COLUMNS)
    assert 0.7 < len(of(log, "lead_created")) / (6000 * scale) < 1.5


def test_volumes_at_full_size(full: CompanyLog) -> None:
    counts = {
        "leads": (len(of(full, "lead_created")), 6_000),
        "deals": (len(of(full, "deal_created")), 2_500),
        "activities": (len(of(full, "call", "email", "meeting_set", "task")), 40_000),
        "web events": (len(full.web_events), 150_000),
        "survey answers": (len(of(full, "survey_response")), 1_500),
    }
    off = {name: row for name, row in counts.items() if not 0.9 <= row[0] / row[1] <= 1.1}
    assert not off
    assert len(full.reps) == 14
    assert len(full.branches) == 3
    assert full.branches["timezone"].nunique() == 2


def test_order_and_times(full: CompanyLog) -> None:
    events = full.events
    assert events["seq"].tolist() == list(range(len(events)))
    assert events["at"].is_monotonic_increasing
    assert events["at"].dt.tz is None
    assert (events["at"].astype("int64") % 1_000_000 == 0).all()
    assert events["at"].min() >= pd.Timestamp(full.start)
    assert events["at"].max() <= pd.Timestamp(full.as_of) - pd.Timedelta(hours=1)  # the last hour is left for mutate
    assert (of(full, "survey_response", "survey_partial")["at"].astype("int64") % 1_000_000_000 == 0).all()


def test_every_event_has_the_documented_data(full: CompanyLog) -> None:
    for kind, events in full.events.groupby("kind"):
        assert kind in FIELDS
        keys = {frozenset(data) for data in events["data"]}
        if kind == "call":
            # what only the telephone system knows: how an inbound call rang, and the number of one that is nobody's who is known
            for direction, more in (("inbound", RINGING), ("outbound", set())):
                calls = events[values(events, "direction") == direction]
                keys = {frozenset(data) for data in calls["data"][calls["lead_id"].notna()]}
                assert keys == {frozenset(FIELDS["call"] | more)}
                keys = {frozenset(data) for data in calls["data"][calls["lead_id"].isna() & calls["deal_id"].isna()]}
                assert keys == {frozenset(FIELDS["call"] | more | {"number"})}
            continue
        assert keys == {frozenset(FIELDS[kind])}, kind
    assert set(full.events["kind"]) == set(FIELDS)


def test_records_exist_before_anything_happens_to_them(full: CompanyLog) -> None:
    for subject in ("lead", "deal"):
        created = of(full, f"{subject}_created").set_index(f"{subject}_id")["seq"]
        assert created.index.is_unique
        touched = full.events[full.events[f"{subject}_id"].notna()]
        begins = touched[f"{subject}_id"].map(created)
        assert begins.notna().all()
        early = touched[touched["seq"] < begins]
        assert set(early["kind"]) <= ({"call"} if subject == "lead" else set())  # the call that creates the lead
    deals, leads = of(full, "deal_created"), of(full, "lead_created").set_index("lead_id")["at"]
    linked = deals[deals["lead_id"].notna()]
    assert (linked["at"] >= linked["lead_id"].map(leads)).all()


def test_what_was_merged_away_or_archived_is_left_alone(full: CompanyLog) -> None:
    for subject in ("lead", "deal"):
        merged = of(full, f"{subject}_merged").set_index(f"{subject}_id")["seq"]
        assert merged.index.is_unique
        later = full.events[full.events["seq"] > full.events[f"{subject}_id"].map(merged)]
        assert later.empty
        assert not set(values(of(full, f"{subject}_merged"), "into")) & set(merged.index)
        state: dict[str, bool] = {}
        for event in full.events[full.events["kind"].str.startswith(f"{subject}_")].itertuples():
            record = getattr(event, f"{subject}_id")
            if event.kind.endswith("archived"):
                state[record] = event.kind.endswith("_archived")
            else:
                assert not state.get(record, False), event


def special_cases(log: CompanyLog) -> dict[str, int]:
    """How often each of the special cases occurs."""
    events, leads, deals = log.events, of(log, "lead_created"), of(log, "deal_created")
    calls, emails = of(log, "call"), of(log, "email")
    entered = stages(log)
    closed = {"won", "lost"}
    order = ("consultation_scheduled", "consultation_held", "proposal", "won")

    def moved(test: Any) -> int:
        return sum(any(test(a, b) for a, b in itertools.pairwise(list_)) for list_ in entered.values())

    lead_stages = of(log, "lead_stage")
    requalified = values(lead_stages, "stage").groupby(lead_stages["lead_id"]).agg(list)
    first_deal = deals.groupby("lead_id")["seq"].min()
    born = leads.set_index("lead_id")["at"]
    phone = values(leads, "phone").map(lambda text: None if text is None else "".join(filter(str.isdigit, text)))
    starts = calls.assign(created=calls["lead_id"].map(born))
    starts = starts[values(starts, "outcome").eq("answered") & (starts["at"] < starts["created"])]
    self_booked = of(log, "meeting_set")[values(of(log, "meeting_set"), "by") == "self"]
    twice = values(of(log, "survey_response"), "response_id")
    archived = set(of(log, "lead_archived")["lead_id"]), set(of(log, "deal_archived")["deal_id"])
    return {
        "automated e-mail": int(values(emails, "is_automated").sum()),
        "missed call": int((values(calls, "outcome") == "missed").sum()),
        "answered call that creates a lead": len(starts),
        "… more than an hour before it": int((starts["created"] - starts["at"] > pd.Timedelta(hours=1)).sum()),
        "self-booked meeting": len(self_booked),
        "meeting later than as_of": int((values(of(log, "meeting_set"), "starts_at") > log.as_of).sum()),
        "no-show": int((values(of(log, "meeting_outcome"), "outcome") == "no_show").sum()),
        "skipped stage": moved(lambda a, b: a in order and b in order and order.index(b) - order.index(a) > 1),
        "regression": moved(lambda a, b: a in order[:3] and b in order and order.index(b) < order.index(a)),
        "same stage again": moved(lambda a, b: a == b)
        + int(requalified.map(lambda s: any(a == b for a, b in itertools.pairwise(s))).sum()),
        "won, reopened": moved(lambda a, b: a == "won" and b not in closed),
        "lost, reopened": moved(lambda a, b: a == "lost" and b not in closed),
        "reopened and won": sum("won" in s[:-1] or ("lost" in s[:-1] and s[-1] == "won") for s in entered.values()),
        "deal created as won": sum(s[0] == "won" for s in entered.values()),
        "deal disqualified": sum(s[-1] == "disqualified" for s in entered.values()),
        "deal still open": sum(s[-1] in order[:3] for s in entered.values()),
        "lead sent back": int(requalified.map(lambda s: "qualification" in s and "inquiry" in s[s.index("qualification") :]).sum()),
        "lead disqualified, then qualified": int(
            requalified.map(lambda s: "disqualified" in s and "qualification" in s[s.index("disqualified") :]).sum()
        ),
        "lead without any stage": len(set(leads["lead_id"]) - set(lead_stages["lead_id"])),
        "lead stage after its deal": int((lead_stages["seq"] > lead_stages["lead_id"].map(first_deal)).sum()),
        "merged lead": len(of(log, "lead_merged")),
        "merged deal": len(of(log, "deal_merged")),
        "archived lead": len(archived[0]),
        "archived deal": len(archived[1]),
        "unarchived lead": len(of(log, "lead_unarchived")),
        "unarchived deal": len(of(log, "deal_unarchived")),
        "archived lead with a deal": int(deals["lead_id"].isin(archived[0]).sum()),
        "lead owner change": int((of(log, "lead_owner").groupby("lead_id").size() > 1).sum()),
        "deal owner change": len(of(log, "deal_owner")),
        "test lead by mail": int(values(leads, "email").fillna("").str.endswith("@example.test").sum()),
        "test lead by property": int(values(leads, "is_test").eq(True).sum()),
        "test lead with a deal": int(deals["lead_id"].isin(leads[values(leads, "is_test").eq(True)]["lead_id"]).sum()),
        "empty e-mail": int(values(leads, "email").isna().sum()),
        "empty branch": int(values(leads, "branch").isna().sum()),
        "placeholder phone": int(values(leads, "phone").isin(PLACEHOLDERS["phone"]).sum()),
        "placeholder name": int(values(leads, "last_name").isin(PLACEHOLDERS["last_name"]).sum()),
        "field cleared": int(values(of(log, "lead_field"), "value").isna().sum()),
        "duplicate by e-mail": int(values(leads, "email").dropna().duplicated().sum()),
        "duplicate by phone only": int((phone.duplicated(keep=False) & phone.notna() & values(leads, "email").isna()).sum()),
        "rep-created lead": int((values(leads, "created_by") == "rep").sum()),
        "deal without a lead": int(deals["lead_id"].isna().sum()),
        "second deal of a lead": int(deals["lead_id"].dropna().duplicated().sum()),
        "deals of a lead created in one moment": int(deals[deals["lead_id"].notna()].duplicated(["lead_id", "at"]).sum()),
        "deal without an amount": int(values(deals, "amount").isna().sum()),
        "amount changed": len(of(log, "deal_amount")),
        "expected date pushed": len(of(log, "deal_close_date")),
        "two stages of a deal in one moment": int(of(log, "deal_created", "deal_stage").duplicated(["deal_id", "at"]).sum()),
        "events in one moment": int(events["at"].duplicated().sum()),
        "partial response": len(of(log, "survey_partial")),
        "partial, then completed": int(values(of(log, "survey_partial"), "response_id").isin(set(twice)).sum()),
        "answer without a link": int((~values(of(log, "survey_response"), "is_hidden_linked").astype(bool)).sum()),
        "answer without NPS": int(values(of(log, "survey_response"), "nps_score").isna().sum()),
        "lead with a company": int(values(leads, "company").notna().sum()),
        "web event without consent": int(log.web_events["user_pseudo_id"].isna().sum()),
        "late web event": int(log.web_events["is_late"].sum()),
    }  # fmt: skip


def test_every_special_case_occurs(full: CompanyLog) -> None:
    missing = [name for name, count in special_cases(full).items() if count == 0]
    assert not missing


def test_answers_without_a_link_name_one_lead_or_none(full: CompanyLog) -> None:
    leads = of(full, "lead_created")
    by_mail = leads.groupby(values(leads, "email"))["lead_id"].agg(list)
    edited = set(values(of(full, "lead_field"), "value"))
    answers = of(full, "survey_response")
    loose = answers[~values(answers, "is_hidden_linked").astype(bool)]
    assert loose["lead_id"].notna().sum() > 0
    for answer in loose.itertuples():
        email = answer.data["email"]
        assert by_mail.get(email, []) == ([] if answer.lead_id is None else [answer.lead_id])
        assert email is None or email not in edited


def test_the_rep_who_left_does_nothing_afterwards(full: CompanyLog) -> None:
    gone = next(rep for rep in REPS.values() if rep.left is not None)
    left = pd.Timestamp(gone.left, unit="ms")
    before, after = full.events[full.events["at"] < left], full.events[full.events["at"] > left]
    assert (before["rep_id"] == gone.rep_id).sum() > 50
    assert (after["rep_id"] == gone.rep_id).sum() == 0
    assert (values(after, "owner") == gone.rep_id).sum() == 0
    handed_over = full.events[(full.events["at"] == left) & full.events["kind"].isin(["lead_owner", "deal_owner"])]
    assert len(handed_over) >= 5  # in one moment
    assert not full.reps.set_index("rep_id").loc[gone.rep_id, "is_active"]


def test_reps_differ_in_what_they_fill_in(full: CompanyLog) -> None:
    deals = of(full, "deal_created")
    filled = values(deals, "service_line").notna().groupby(values(deals, "owner")).mean()
    assert filled["70203"] > filled["70104"] + 0.05  # the careful one and the careless one


def test_demand_follows_the_season(full: CompanyLog) -> None:
    leads = of(full, "lead_created")
    hvac = leads[values(leads, "service_line") == "hvac"]["at"].dt.month.value_counts()
    assert hvac[7] > 1.5 * hvac[4]
    assert hvac[1] > 1.3 * hvac[4]


def test_the_change_had_an_effect(full: CompanyLog) -> None:
    change = pd.Timestamp(full.change_at)
    leads, deals = of(full, "lead_created").set_index("lead_id"), of(full, "deal_created").set_index("deal_id")
    forms = leads[values(leads, "created_by") == "form"]
    is_outreach = full.events["data"].map(
        lambda data: data.get("direction") == "outbound" and not data.get("is_automated")
    )
    touched = full.events[is_outreach].groupby("lead_id")["at"].min().reindex(forms.index)
    minutes = (touched - forms["at"]).dt.total_seconds() / 60
    early = forms["at"] < change
    assert minutes[early].median() > 4 * minutes[~early].median()
    assert minutes[early].isna().mean() > 2 * minutes[~early].isna().mean()
    last = of(full, "deal_created", "deal_stage").groupby("deal_id").last()
    stage, cycle = values(last, "stage"), (last["at"] - deals["at"]).dt.total_seconds() / 86_400
    early = last["at"] < change
    rate = {
        name: (stage[rows] == "won").sum() / stage[rows].isin(["won", "lost"]).sum()
        for name, rows in (("before", early), ("after", ~early))
    }
    assert rate["after"] > rate["before"] + 0.05
    assert cycle[early & (stage == "won")].median() > 1.4 * cycle[~early & (stage == "won")].median()
    early = deals["at"] < change
    assert values(deals, "branch")[~early].notna().mean() > values(deals, "branch")[early].notna().mean()


def test_events_can_be_added_up_to_as_of(small: CompanyLog) -> None:
    deal = of(small, "deal_created").iloc[0]
    at = small.as_of - pd.Timedelta(minutes=5)
    more = small.with_events([Event(at, "deal_amount", deal["lead_id"], deal["deal_id"], None, {"amount": 1.0})])
    assert len(more.events) == len(small.events) + 1
    assert more.events.iloc[-1]["kind"] == "deal_amount"
    with pytest.raises(ValueError, match="as_of"):
        small.with_events([Event(small.as_of + pd.Timedelta(seconds=1), "task_done", None, None, None, {})])


def test_events_of_one_moment_keep_their_order() -> None:
    at = pd.Timestamp("2025-01-01").to_pydatetime()
    frame = events_frame([Event(at, kind, None, None, None, {}) for kind in "cab"])
    assert frame["kind"].tolist() == ["c", "a", "b"]
    assert frame["lead_id"].tolist() == [None, None, None]
