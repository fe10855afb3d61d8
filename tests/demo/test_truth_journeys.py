"""Cases, ledger, outcomes and conversion of the truth on hand-made logs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from demo.truth.journeys import Journey
from tests.demo.stories import Story, at, row


def ledger(case: Journey) -> list[tuple[str, str]]:
    return [(entry.stage, entry.kind) for entry in case.entries]


def test_a_lead_goes_on_as_its_deal(tmp_path: Path) -> None:
    story = (
        Story().lead("1", "01-05 12:00").stages("1", ("01-05 13:00", "qualification"), ("01-08 00:00", "disqualified"))
    )
    story.deal("d1", "01-06 12:00", "1").stages("d1", ("01-07 12:00", "won"))
    case = story.truth(tmp_path).facts.journeys.of_lead["1"]
    assert case.deal is not None and case.deal.id == "d1"
    assert ledger(case) == [
        ("inquiry", "create"),
        ("qualification", "advance"),
        ("consultation_scheduled", "advance"),
        ("won", "won"),
    ]
    assert (case.state, case.closed, case.superseded) == ("won", at("01-07 12:00"), 1)


def test_kinds_of_moves_and_the_final_close(tmp_path: Path) -> None:
    story = Story().deal("d1", "01-05 00:00", stage="consultation_scheduled")
    story.stages(
        "d1", ("01-06 00:00", "proposal"), ("01-07 00:00", "consultation_scheduled"), ("01-08 00:00", "lost"), ("01-08 00:00", "lost"),
        ("01-09 00:00", "proposal"), ("01-10 00:00", "won"), ("01-11 00:00", "lost"), ("01-12 00:00", "won"),
    )  # fmt: skip
    truth = story.truth(tmp_path)
    case = truth.facts.journeys.of_deal["d1"]
    assert [kind for _, kind in ledger(case)] == [
        "create",
        "advance",
        "regress",
        "lost",
        "reopen",
        "won",
        "lost",
        "won",
    ]
    assert (case.first_closed, case.closed) == (at("01-08 00:00"), at("01-12 00:00"))
    cycle = row(truth, "kpi_sales_cycle")
    assert (cycle["median_days"], cycle["median_first_close_days"]) == (7.0, 3.0)


def test_moves_of_one_moment_stay_in_their_order_and_the_lead_goes_first(tmp_path: Path) -> None:
    story = Story().deal("d1", "01-06 12:00", "1", stage="proposal").lead("1", "01-05 12:00")
    story.stages("1", ("01-06 12:00", "qualification"))
    story.stages("d1", ("01-07 00:00", "consultation_scheduled"), ("01-07 00:00", "proposal"))
    case = story.truth(tmp_path).facts.journeys.of_lead["1"]
    assert ledger(case) == [
        ("inquiry", "create"), ("qualification", "advance"), ("proposal", "skip"), ("consultation_scheduled", "regress"), ("proposal", "advance"),
    ]  # fmt: skip


def test_second_deals_and_deals_from_before_the_lead_are_cases_of_their_own(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 12:00")
    story.deal("d3", "01-05 11:00", "1").deal("d2", "01-07 12:00", "1").deal("d10", "01-07 12:00", "1")
    journeys = story.truth(tmp_path).facts.journeys
    assert sorted(case.id for case in journeys.cases) == ["1", "d2", "d3"]
    assert getattr(journeys.of_lead["1"].deal, "id", None) == "d10", "of two at one moment the smaller id as text"


def test_an_archived_deal_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 12:00").deal("d1", "01-06 12:00", "1").deal("d2", "01-07 12:00", "1")
    story.add("01-09 12:00", "deal_archived", None, "d1")
    truth = story.truth(tmp_path)
    assert getattr(truth.facts.journeys.of_lead["1"].deal, "id", None) == "d2"
    story.add("01-10 12:00", "deal_unarchived", None, "d1")
    assert getattr(story.truth(tmp_path).facts.journeys.of_lead["1"].deal, "id", None) == "d1"


def test_what_was_merged_away_follows_the_survivor(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 12:00", owner="1").lead("2", "01-05 13:00", owner="2").lead("3", "01-05 14:00")
    story.stages("2", ("01-05 15:00", "qualification")).touch("01-05 16:00", "call", "3").deal(
        "d1", "01-06 00:00", "3", amount=10
    )
    story.add("01-07 12:00", "lead_merged", "3", into="2").add("01-08 12:00", "lead_merged", "2", into="1")
    truth = story.truth(tmp_path)
    assert row(truth, "kpi_volume")["leads_created"] == 1
    case = truth.facts.journeys.of_lead["1"]
    assert [stage for stage, _ in ledger(case)] == ["inquiry", "consultation_scheduled"], "the loser's stages are gone"
    wait = row(truth, "kpi_speed_to_lead", segment_type="rep", segment="Ann")
    assert wait["median_minutes"] == 240


def test_a_deal_of_a_lead_that_is_out_is_out(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 12:00", is_test=True).deal("d1", "01-06 12:00", "1")
    story.lead("2", "01-05 12:00", email="qa@example.test").lead("3", "01-05 12:00").deal("d3", "01-06 12:00", "3")
    story.add("01-06 13:00", "lead_archived", "3").lead("4", "01-05 12:00")
    frame = story.truth(tmp_path).mart("kpi_reconciliation")
    assert {(entity, reason): n for entity, reason, n in frame.itertuples(index=False)} == {
        ("lead", "received"): 4, ("lead", "test"): 2, ("lead", "deleted"): 1, ("lead", "counted"): 1,
        ("deal", "received"): 2, ("deal", "lead_test"): 1, ("deal", "lead_deleted"): 1,
    }  # fmt: skip


def test_stage_conversion_in_three_modes(tmp_path: Path) -> None:
    """Of three inquiries one goes on step by step to a sale, one skips to a proposal that is open, one stays."""
    story = Story().lead("1", "01-05 12:00", owner="1").lead("2", "01-05 12:00").lead("3", "01-06 12:00")
    story.stages("1", ("01-06 12:00", "qualification")).deal("d1", "01-07 12:00", "1", owner="2")
    story.stages("d1", ("01-08 12:00", "proposal"), ("02-09 12:00", "won"), ("02-10 12:00", "lost"))
    story.deal("d2", "01-09 12:00", "2", stage="proposal")
    truth = story.truth(tmp_path)

    def share(mode: str, start: str, end: str, **where: str) -> tuple[int, int]:
        found = row(truth, "kpi_stage_conversion", mode=mode, from_stage=start, to_stage=end, **where)
        return found["numerator"], found["n"]

    assert share("reached", "inquiry", "qualification") == (2, 3)
    assert share("adjacent", "inquiry", "qualification") == (1, 3)
    assert share("reached", "inquiry", "won") == (1, 3), "ever won, though it was lost after"
    assert share("period", "inquiry", "qualification") == (2, 2)
    assert share("reached", "consultation_scheduled", "won", segment_type="rep", segment="Bob") == (1, 1)
    assert share("period", "proposal", "won", segment_type="process_version", segment="new") == (1, 1)
    assert share("reached", "proposal", "won", segment_type="process_version", segment="old") == (1, 2)
    opened = row(truth, "kpi_stage_conversion", mode="reached", from_stage="inquiry", to_stage="won")["open_share"]
    assert opened == pytest.approx(2 / 3)
    february = row(
        truth, "kpi_stage_conversion", "month", date(2026, 2, 1), mode="period", from_stage="proposal", to_stage="won"
    )
    assert february["conversion_rate"] == 1.0


def test_overall_conversion_and_its_waiting_time(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 12:00").lead("2", "01-05 12:00").stages("2", ("01-09 12:00", "disqualified"))
    story.deal("d1", "01-06 12:00", "1").stages("d1", ("01-07 12:00", "won"))
    story.deal("d2", "01-06 12:00").stages("d2", ("01-20 12:00", "won"))
    found = row(story.truth(tmp_path), "kpi_overall_conversion")
    assert (found["n"], found["customers"], found["deals_won"], found["open_share"]) == (2, 1, 2, 0.0)
    assert (found["conversion_rate"], found["period_conversion_rate"], found["km_median_days"]) == (0.5, 1.0, 2.0)
