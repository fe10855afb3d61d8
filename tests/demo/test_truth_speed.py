"""Speed to lead of the truth on hand-made logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.demo.stories import Story, row


def speed(story: Story, folder: Path, **where: Any) -> dict[str, Any]:
    return row(story.truth(folder), "kpi_speed_to_lead", **where)


def test_what_counts_as_a_touch(tmp_path: Path) -> None:
    """Not before the creation, not by software, not by the customer; then the first of the rest."""
    story = Story().lead("1", "01-05 15:00", owner="1", branch="chicago")
    story.touch("01-05 14:59", "call", "1").touch("01-05 15:01", "email", "1", is_automated=True)
    story.touch("01-05 15:02", "email", "1", direction="inbound").touch(
        "01-05 15:03", "meeting_set", "1", by="self", starts_at="2026-01-09 15:00"
    )
    story.touch("01-05 15:04", "task", "1", due_at="2026-01-06 15:00").touch(
        "01-05 15:05", "call", "1", direction="inbound", outcome="missed"
    )
    story.touch("01-05 15:20", "meeting_set", "1", starts_at="2026-01-08 15:00").touch(
        "01-05 15:30", "call", "1", outcome="no_answer"
    )
    found = speed(story, tmp_path)
    assert (found["median_minutes"], found["median_routing_minutes"], found["median_reaction_minutes"]) == (20, 0, 20)
    assert (found["within_5_minutes"], found["within_target"], found["contacted"]) == (0, 0, 1)
    assert found["median_connection_minutes"] is None


def test_a_call_that_was_answered_before_the_record_was_made(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 15:00", created_by="call")
    story.touch("01-05 14:30", "call", "1", direction="inbound")
    found = speed(story, tmp_path)
    assert (found["median_minutes"], found["median_connection_minutes"], found["within_5_minutes_rate"]) == (0, 0, 1.0)
    assert found["median_routing_minutes"] is None and found["median_open_minutes"] is None
    early = Story().lead("1", "01-05 15:00").touch("01-05 13:59", "call", "1", direction="inbound")
    assert speed(early, tmp_path)["never_contacted"] == 1


def test_connection_is_the_first_time_that_both_sides_spoke(tmp_path: Path) -> None:
    story = Story().lead("1", "01-05 15:00").touch("01-05 15:10", "call", "1", outcome="no_answer")
    story.touch("01-05 15:05", "email", "1", direction="inbound").touch(
        "01-05 15:40", "meeting_set", "1", starts_at="2026-01-06 15:10"
    )
    story.add("01-06 16:00", "meeting_outcome", "1", activity_id="3", outcome="held")
    story.touch("01-07 15:00", "email", "1", direction="inbound")
    assert speed(story, tmp_path)["median_connection_minutes"] == 24 * 60


def test_an_owner_who_comes_after_the_touch(tmp_path: Path) -> None:
    story = (
        Story()
        .lead("1", "01-05 15:00")
        .touch("01-05 15:02", "call", "1")
        .add("01-05 15:10", "lead_owner", "1", owner="2")
    )
    found = speed(story, tmp_path, segment_type="rep", segment="Bob")
    assert (found["median_routing_minutes"], found["median_reaction_minutes"], found["median_minutes"]) == (10, 0, 2)


def test_one_person_within_a_day_is_one(tmp_path: Path) -> None:
    """By e-mail, or by phone where one has no e-mail; a day after the first one a new group begins. A rep's own lead is none of them."""
    story = Story().lead("1", "01-05 15:00", email="A@x.co", phone="(312) 555-0101")
    story.lead("2", "01-05 20:00", phone="312.555.0101").lead("3", "01-06 15:00", email=" a@X.co")
    story.lead("4", "01-06 15:01", email="a@x.co").lead("5", "01-05 16:00", created_by="rep", email="a@x.co")
    story.lead("6", "01-05 15:00", email="n/a", phone="000-000-0000").lead(
        "7", "01-05 15:00", email="n/a", phone="0000000000"
    )
    story.lead("8", "01-05 15:30", email="b@x.co", phone="3125550101").touch("01-05 20:05", "call", "2")
    truth = story.truth(tmp_path)
    assert sorted((wait.lead_id, wait.minutes) for wait in truth.facts.waits.itertuples()) == [
        ("1", 305.0), ("4", None), ("6", None), ("7", None), ("8", None),
    ]  # fmt: skip
    found = row(truth, "kpi_speed_to_lead")
    assert (found["n"], found["never_contacted_rate"], found["median_minutes"]) == (5, 0.8, 305.0)
    assert found["km_median_minutes"] is None


def test_medians_are_of_the_contacted_and_shares_of_all(tmp_path: Path) -> None:
    story = Story()
    for number, minutes in enumerate((2, 4, 15, 45), start=1):
        story.lead(str(number), "01-05 15:00").touch(f"01-05 15:{minutes:02d}", "email", str(number))
    story.lead("5", "01-05 15:00")
    found = speed(story, tmp_path)
    assert (found["median_minutes"], found["p90_minutes"]) == (9.5, pytest.approx(36.0))
    assert (found["within_5_minutes_rate"], found["within_target_rate"], found["never_contacted_rate"]) == (
        0.4,
        0.6,
        0.2,
    )
    assert found["km_median_minutes"] == 15.0
    assert found["is_low_n"]
