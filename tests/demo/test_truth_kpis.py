"""Win/loss, cycle, completeness, satisfaction, pipeline and scorecard of the truth on hand-made logs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from demo.truth import METRICS, compute
from demo.truth.completeness import cells
from tests.demo.stories import Story, at, row


def closing(story: Story, deal: str, moment: str, stage: str, **fields: Any) -> Story:
    return story.deal(deal, "01-05 12:00", **fields).stages(deal, (moment, stage))


def test_wins_and_losses_are_of_the_owner_and_the_day_of_the_close(tmp_path: Path) -> None:
    story = Story()
    closing(story, "d1", "02-01 05:30", "won", amount=100.1, owner="1", branch="chicago")  # 31 January in Chicago
    closing(story, "d2", "02-01 06:30", "lost", amount=50, owner="1", branch="denver")  # 31 January in Denver
    closing(story, "d3", "02-01 07:30", "won", owner="1", branch="denver")
    closing(story, "d4", "02-01 12:00", "disqualified", amount=7, owner="1")
    story.add("01-20 12:00", "deal_owner", None, "d2", owner="2").add(
        "02-02 12:00", "deal_owner", None, "d1", owner="2"
    )
    truth = story.truth(tmp_path)
    total = row(truth, "kpi_win_loss")
    assert (total["deals_won"], total["deals_lost"], total["disqualified"], total["n"]) == (2, 1, 1, 3)
    assert (total["won_amount"], total["lost_amount"]) == (Decimal("100.10"), Decimal("50.00"))
    assert (total["win_rate"], total["win_loss_ratio"]) == (pytest.approx(2 / 3), 2.0)
    assert total["win_rate_by_amount"] == pytest.approx(100.1 / 150.1)
    january = row(truth, "kpi_win_loss", "month", date(2026, 1, 1))
    assert (january["deals_won"], january["deals_lost"]) == (1, 1)
    assert row(truth, "kpi_win_loss", segment_type="rep", segment="Ann")["deals_won"] == 2
    bob = row(truth, "kpi_win_loss", segment_type="rep", segment="Bob")
    assert (bob["deals_won"], bob["deals_lost"], bob["win_loss_ratio"], bob["won_amount"]) == (0, 1, 0.0, Decimal(0))
    assert row(truth, "kpi_win_loss", segment_type="process_version", segment="new")["n"] == 1
    assert row(truth, "kpi_volume", segment_type="rep", segment="Ann")["deals_created"] == 4


def test_a_ratio_without_losses_is_null(tmp_path: Path) -> None:
    found = row(closing(Story(), "d1", "02-01 12:00", "won").truth(tmp_path), "kpi_win_loss")
    assert found["win_loss_ratio"] is None or found["win_loss_ratio"] != found["win_loss_ratio"]
    assert found["win_rate_by_amount"] is None or found["win_rate_by_amount"] != found["win_rate_by_amount"]
    assert found["win_rate"] == 1.0


def test_segments_of_a_deal_are_its_own_else_its_leads_else_the_branch_of_its_owner(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 12:00", branch="chicago", service_line="hvac", channel="referral")
    story.deal("d1", "01-06 12:00", "1", service_line="plumbing", owner="2").deal("d2", "01-06 12:00", owner="2").deal(
        "d3", "01-06 12:00"
    )
    truth = story.truth(tmp_path)
    assert row(truth, "kpi_volume", segment_type="branch", segment="chicago")["deals_created"] == 1
    assert row(truth, "kpi_volume", segment_type="branch", segment="denver")["deals_created"] == 1
    assert row(truth, "kpi_volume", segment_type="branch", segment="(none)")["deals_created"] == 1
    hvac = row(truth, "kpi_volume", segment_type="service_line", segment="hvac")
    assert (hvac["leads_created"], hvac["deals_created"]) == (1, 0)
    assert row(truth, "kpi_volume", segment_type="channel", segment="referral")["deals_created"] == 1
    assert truth.only(service_line={"plumbing"}).metric("deals_created")["value"].max() == 1


def test_sales_cycle(tmp_path: Path) -> None:
    """4, 6 and 11 days; from the lead's first touch two days more for the first. One deal is open, seen for 10 days."""
    story = Story("01-15 12:00").lead("1", "01-02 12:00").touch("01-03 12:00", "call", "1")
    story.deal("d1", "01-05 12:00", "1").stages("d1", ("01-09 12:00", "won"))
    story.deal("d2", "01-05 12:00").stages("d2", ("01-11 12:00", "won"))
    story.deal("d3", "01-04 12:00").stages("d3", ("01-15 12:00", "won")).deal("d4", "01-05 12:00")
    found = row(story.truth(tmp_path), "kpi_sales_cycle")
    assert (found["n"], found["median_days"], found["mean_days"], found["p90_days"]) == (3, 6.0, 7.0, 10.0)
    assert (found["median_low"], found["median_high"], found["median_first_touch_days"]) == (None, None, 6.0)
    assert found["km_median_days"] == 6.0
    assert found["negative_cycles"] == 0


def test_loss_reasons(tmp_path: Path) -> None:
    story = Story()
    for number, reason in enumerate(("price", "timing", "price", None), start=1):
        closing(story, f"d{number}", "02-01 12:00", "lost", amount=10)
        if reason:
            story.add("02-01 12:01", "deal_field", None, f"d{number}", field="loss_reason", value=reason)
    frame = story.truth(tmp_path).mart("kpi_loss_reasons")
    total = frame[(frame["period_grain"] == "all") & (frame["segment_type"] == "total")].sort_values("rank")
    assert total[["loss_reason", "deals_lost", "share"]].values.tolist() == [
        ["price", 2, 0.5],
        ["(none)", 1, 0.25],
        ["timing", 1, 0.25],
    ]
    assert set(total["lost_amount"]) == {Decimal("20.00"), Decimal("10.00")}


def test_completeness_asks_for_what_the_stages_reached_demand(tmp_path: Path) -> None:
    """Lead: phone 3 (all nines), email 2, postcode 1 as the deal got further; deal: need 1, amount 3 (0 is a placeholder), need 2."""
    story = Story().lead("1", "01-05 12:00", phone="(999) 999-9999", email="a@x.co", postcode=" ", branch="chicago")
    story.deal("d1", "01-06 12:00", "1", amount=0, need="leak", owner="1").stages("d1", ("01-07 12:00", "proposal"))
    story.lead("2", "01-05 12:00", phone="call me", email=" N/A ").add(
        "01-05 13:00", "lead_field", "2", field="email", value="b@x.co"
    )
    truth = story.truth(tmp_path)
    found = row(truth, "kpi_crm_completeness")
    assert (found["n"], found["cells"], found["complete_records"]) == (3, 8, 1)
    assert found["completeness"] == pytest.approx((2 + 0 + 3 + 5) / (6 + 6 + 5))
    assert found["validity_rate"] == pytest.approx(2 / 3), "'call me' is filled in but no phone number"
    assert found["uniqueness_rate"] == 1.0
    of_amount = row(truth, "kpi_crm_completeness_by_field", object="deal", stage="proposal", field="amount")
    assert (of_amount["n"], of_amount["filled"], of_amount["weight"]) == (1, 0, 3.0)
    assert row(truth, "kpi_crm_completeness", segment_type="rep", segment="Ann")["n"] == 1


def test_fields_of_a_lost_stage_apply_while_the_deal_is_lost(tmp_path: Path) -> None:
    story = Story().deal("d1", "01-05 12:00", need="x leak").stages("d1", ("01-06 12:00", "lost"))
    assert list(cells(story.truth(tmp_path).facts)["field"]) == ["need", "loss_reason"]
    story.stages("d1", ("01-07 12:00", "consultation_scheduled"))
    assert list(cells(story.truth(tmp_path).facts)["field"]) == ["need"]


def test_timeliness_and_uniqueness(tmp_path: Path) -> None:
    """Inquiries may stay two days, proposals ten; the newest entry or activity counts."""
    story = (
        Story("01-20 12:00")
        .lead("1", "01-05 12:00", email="a@x.co")
        .touch("01-18 12:00", "email", "1", direction="inbound")
    )
    story.lead("2", "01-05 12:00", email="b@x.co").touch("01-18 11:59", "call", "2").lead(
        "3", "01-10 12:00", email="A@x.co"
    )
    story.deal("d1", "01-05 12:00", stage="proposal").touch(
        "01-10 12:00", "meeting_set", None, "d1", starts_at="2026-01-19 12:00"
    )
    found = row(story.truth(tmp_path), "kpi_crm_completeness")
    assert found["timeliness_rate"] == 2 / 4
    assert found["uniqueness_rate"] == 2 / 3


def test_satisfaction(tmp_path: Path) -> None:
    story = (
        Story().lead("1", "01-05 12:00", owner="1").lead("2", "01-05 12:00").add("01-06 12:00", "lead_archived", "2")
    )
    story.deal("d1", "01-06 12:00", "1", owner="2").stages("d1", ("01-07 12:00", "won")).add(
        "01-08 12:00", "deal_owner", None, "d1", owner="3"
    )
    story.answer("01-10 12:00", 10, 5, "1", "d1").answer("01-10 12:00", 6, 3, "1").answer("01-10 12:00", 8, None)
    story.answer("01-10 12:00", None, 4).answer("01-10 12:00", 9, 4, "2")
    story.add("01-09 12:00", "survey_partial", "1", "d1", form_id="f", response_id="p", nps_score=0, csat_score=1)
    truth = story.truth(tmp_path)
    found = row(truth, "kpi_satisfaction")
    assert (found["responses"], found["nps_n"], found["nps"], found["csat_n"], found["csat"]) == (
        4,
        3,
        0.0,
        3,
        pytest.approx(2 / 3),
    )
    assert row(truth, "kpi_satisfaction", segment_type="rep", segment="Bob")["nps"] == 100.0
    assert row(truth, "kpi_satisfaction", segment_type="rep", segment="Ann")["nps"] == -100.0


def test_pipeline(tmp_path: Path) -> None:
    """Of the three closed cases that saw the proposal one was won."""
    story = Story("01-20 12:00")
    for number, stage in enumerate(("won", "lost", "disqualified"), start=1):
        story.deal(f"d{number}", "01-05 12:00", stage="proposal").stages(f"d{number}", ("01-06 12:00", stage))
    story.deal("d8", "01-10 12:00", stage="proposal", amount=100, owner="1").deal(
        "d9", "01-15 12:00", stage="proposal", amount=0.1
    )
    story.add("01-11 12:00", "deal_owner", None, "d8", owner="2").deal("d7", "01-15 12:00")
    truth = story.truth(tmp_path)
    found = row(truth, "kpi_pipeline", stage="proposal")
    assert (found["deals"], found["amount"], found["weighted_amount"], found["median_age_days"]) == (
        2,
        Decimal("100.10"),
        Decimal("33.37"),
        7.5,
    )
    assert row(truth, "kpi_pipeline", segment_type="rep", segment="Bob", stage="proposal")["deals"] == 1


def test_process_map(tmp_path: Path) -> None:
    story = (
        Story()
        .lead("1", "01-05 12:00")
        .stages("1", ("01-05 12:00", "inquiry"), ("01-05 14:00", "inquiry"), ("01-09 12:00", "disqualified"))
    )
    story.deal("d1", "01-06 14:00", "1", stage="proposal").lead("2", "01-05 12:00")
    truth = story.truth(tmp_path)
    edges = {(a, b): (n, hours) for a, b, n, hours, _ in truth.mart("kpi_process_edges").itertuples(index=False)}
    assert edges["NEW", "NEW"] == (1, 2.0) and edges["NEW", "quote_sent"] == (1, 24.0)
    assert edges[None, "NEW"][0] == edges["quote_sent", None][0] == 1 and len(edges) == 4
    assert truth.mart("kpi_process_variants").values.tolist() == [["NEW > NEW > quote_sent", 1, 1.0, 1]]


def test_scorecard(tmp_path: Path) -> None:
    """As of Monday 2 March 2026: thirteen weeks from 1 December; the data begin later than a year before, so the weeks before the change."""
    story = Story()
    for number in range(40):
        story.deal(f"d{number}", "01-05 12:00").stages(f"d{number}", ("01-20 12:00", "won" if number % 4 else "lost"))
    truth = story.truth(tmp_path)
    (found,) = truth.mart("kpi_scorecard").to_dict("records")
    assert (found["current_start_date"], found["current_end_date"]) == (date(2025, 12, 1), date(2026, 3, 1))
    assert (found["baseline_start_date"], found["baseline_end_date"]) == (date(2025, 10, 27), date(2026, 1, 25))
    assert (found["current_value"], found["baseline"], found["current_n"], found["target"]) == (0.75, 0.75, 40, 0.9)
    assert (found["difference"], found["status"], found["is_season_matched"]) == (0.0, "no_change", False)
    versions = truth.mart("kpi_scorecard_by_version").set_index("process_version")
    assert (versions.loc["old", "value"], versions.loc["old", "n"], versions.loc["new", "n"]) == (0.75, 40, 0)
    story.deal("d99", "2024-10-01 12:00")
    (found,) = story.truth(tmp_path).mart("kpi_scorecard").to_dict("records")
    assert (found["baseline_start_date"], found["is_season_matched"]) == (date(2024, 12, 2), True)
    # nothing to compare with: of 40 deals the interval of 0.75 ends below 0.9
    assert found["baseline"] is None and found["status"] == "missed" and not found["is_low_n"]


def test_nothing_after_as_of_exists(tmp_path: Path) -> None:
    """The truth of an older moment is that of a log that ends there."""
    story = (
        Story()
        .lead("1", "01-05 12:00", owner="1")
        .deal("d1", "01-06 12:00", "1", amount=5)
        .stages("d1", ("01-20 12:00", "won"))
    )
    story.add("01-21 12:00", "lead_archived", "1").lead("2", "01-22 12:00")
    whole, process = story.log(), tmp_path / "process.yml"
    story.truth(tmp_path)
    then = compute(whole, process, as_of=datetime(2026, 1, 10))
    story.as_of = at("01-10 00:00")
    shorter = story.truth(tmp_path)
    for name in METRICS:
        assert then.metric(name).equals(shorter.metric(name)), name
    assert row(then, "kpi_volume")["leads_created"] == 1
    assert row(then, "kpi_pipeline", stage="consultation_scheduled")["amount"] == Decimal("5.00")
