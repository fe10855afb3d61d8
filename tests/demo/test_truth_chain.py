"""Calls, and the chain from the appointment to the money, of the truth on hand-made logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.demo.stories import Story, row


def kpi(story: Story, folder: Path, name: str) -> dict[str, Any]:
    return row(story.truth(folder), "kpi_value", kpi=name)


def ring(story: Story, moment: str, outcome: str, lead: str | None = None, **data: Any) -> None:
    known = {"direction": "inbound", "wait_seconds": 10.0, "gave_up": False, **data}
    story.touch(moment, "call", lead, outcome=outcome, **known)


def test_calls_are_answered_abandoned_missed_or_ended_early(tmp_path: Path) -> None:
    story = Story().lead("1", "02-02 15:00", branch="chicago")  # a Monday, 9:00 in Chicago
    ring(story, "02-02 15:00", "answered", "1")
    ring(story, "02-02 15:10", "missed", "1", gave_up=True, wait_seconds=4.9)
    ring(story, "02-02 15:20", "missed", "1", gave_up=True, wait_seconds=5.0)
    ring(story, "02-02 15:30", "missed", number="8475550100")  # nobody's, while a branch is open
    ring(story, "02-03 03:00", "missed", "1")  # at night
    truth = story.truth(tmp_path)

    def of(name: str) -> tuple[Any, ...]:
        found = row(truth, "kpi_value", kpi=name)
        return found["numerator"], found["n"], found["value"]

    assert of("inbound_calls") == (None, 5, 5)
    assert of("calls_ended_early") == (None, 1, 1)
    assert of("call_answer_rate") == (1, 3, pytest.approx(1 / 3))
    assert of("call_abandoned_rate") == (1, 3, pytest.approx(1 / 3))
    assert of("call_missed_rate") == (1, 3, pytest.approx(1 / 3))
    assert of("call_missed_rate_all_hours") == (2, 4, 0.5)
    assert of("answer_seconds_mean") == (None, 1, 10)


def test_a_missed_call_is_called_back_within_the_limit(tmp_path: Path) -> None:
    story = Story("02-02 18:00").lead("1", "02-01 15:00", branch="chicago").lead("2", "02-01 15:00", branch="chicago")
    ring(story, "02-02 15:00", "missed", "1")
    story.touch("02-02 15:15", "call", "1", outcome="no_answer")  # to the minute; a try counts
    ring(story, "02-02 16:00", "missed", "2")
    story.touch("02-02 16:16", "call", "2")
    ring(story, "02-02 17:00", "missed", number="8475550100")
    story.touch("02-02 17:05", "call", None, number="8475550100")
    ring(story, "02-02 17:55", "missed", "2")  # too young to tell
    assert (kpi(story, tmp_path, "call_back_rate")["numerator"], kpi(story, tmp_path, "call_back_rate")["n"]) == (2, 3)


def test_a_call_that_people_class_as_no_lead_is_left_out_and_counted(tmp_path: Path) -> None:
    from tests.demo.stories import at

    story = Story().lead("1", "02-02 15:00").lead("2", "02-02 15:00").lead("3", "02-02 15:00")
    ring(story, "02-02 15:00", "answered", "1", is_lead=True)
    ring(story, "02-02 15:00", "answered", "2", is_lead=False)
    ring(story, "02-02 15:00", "answered", "3")  # nobody said
    story.touch("02-02 15:05", "meeting_set", "1", starts_at=at("02-04 12:00"))
    truth = story.truth(tmp_path)
    shown = {name: row(truth, "kpi_value", kpi=name) for name in ("call_booking_rate", "call_booking_rate_classified")}
    assert {name: (one["numerator"], one["n"]) for name, one in shown.items()} == {
        "call_booking_rate": (1, 3),
        "call_booking_rate_classified": (1, 2),
    }
    assert row(truth, "kpi_value", kpi="lead_calls_reclassified")["value"] == 1


def test_the_chain_from_the_estimate_to_the_money(tmp_path: Path) -> None:
    story = Story("03-02 12:00")
    for deal, amount in (("d1", 100.1), ("d2", 50.0), ("d3", None)):
        story.deal(deal, "02-01 12:00", amount=amount, owner="1", branch="chicago")
        story.stages(deal, ("02-02 12:00", "proposal"))
    story.add("02-02 12:00", "estimate_sent", None, "d1", options=3)
    story.add("02-20 12:00", "estimate_sent", None, "d2", options=1)  # open for ten days: not unsold yet
    story.add("02-20 11:59", "estimate_sent", None, "d3", options=None)
    story.stages("d1", ("02-03 12:00", "won")).add("02-03 12:00", "job_created", None, "d1")
    story.add("02-05 12:00", "job_completed", None, "d1").add("02-04 12:00", "invoice_sent", None, "d1", amount=100.1)
    story.add("02-05 12:00", "payment", None, "d1", amount=50.0).add("02-14 12:00", "payment", None, "d1", amount=50.1)
    truth = story.truth(tmp_path)

    def of(name: str) -> tuple[Any, ...]:
        found = row(truth, "kpi_value", kpi=name)
        return found["n"], found["value"]

    assert of("estimate_conversion_rate") == (3, pytest.approx(1 / 3))
    assert of("options_per_estimate") == (2, 2.0)
    assert of("job_completion_rate") == (1, 1.0)
    assert of("days_to_invoice_median") == (1, 0.0)  # invoiced before the work was done
    assert of("days_to_pay_median") == (1, 10.0)  # when the second part came
    assert of("revenue_collected") == (2, pytest.approx(100.1))
    assert of("unsold_estimates") == (1, 1)
    assert of("unsold_estimates_amount") == (1, 0.0)
    assert of("unsold_estimates_age_days") == (1, pytest.approx(10 + 1 / 1440))


def test_appointments_count_once_their_time_has_come(tmp_path: Path) -> None:
    from tests.demo.stories import at

    story = Story("02-10 12:00").lead("1", "02-01 12:00")
    for number, (starts, outcome) in enumerate(
        (("02-03 12:00", "held"), ("02-04 12:00", "no_show"), ("02-05 12:00", None), ("02-12 12:00", "canceled")),
        start=1,
    ):
        story.touch("02-01 13:00", "meeting_set", "1", starts_at=at(starts))
        if outcome:
            story.add("02-05 13:00", "meeting_outcome", "1", activity_id=str(number), outcome=outcome)
    shown = kpi(story, tmp_path, "appointment_show_rate")
    assert (shown["numerator"], shown["n"]) == (1, 2)
