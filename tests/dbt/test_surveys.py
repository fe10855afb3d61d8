"""Scores of surveys: a scale is what the form says, and what is on another scale is left out and listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from salesgauge.warehouse import connect
from tests.dbt.project import EVERY_SOURCE, build
from tests.dbt.raw_rows import fill

AS_OF = datetime(2026, 6, 17, 12)
AT = datetime(2026, 6, 1, 10)
NewWarehouse = Callable[[datetime], duckdb.DuckDBPyConnection]
LOADED = {"_load_id": "1.1", "_row": 0}


def _form(key: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"form_id": key, "title": key, "record": json.dumps({"fields": list(fields)}), **LOADED}


def _field(key: str, kind: str, title: str, **properties: Any) -> dict[str, Any]:
    return {"id": key, "ref": key, "type": kind, "title": title, "properties": properties}


def _answers(form: str, field: str, kind: str, numbers: range) -> list[dict[str, Any]]:
    return [
        {
            "form_id": form, "response_id": str(number), "response_type": "completed", "submitted_at": AT, **LOADED,
            "record": json.dumps({"answers": [{"field": {"id": field, "ref": field, "type": kind}, "type": "number", "number": number}]}),
        }
        for number in numbers
    ]  # fmt: skip


def _survey(key: str, title: str, choices: list[tuple[str, int | None]], **last: Any) -> dict[str, Any]:
    listed = [
        {"id": f"{key}c{number}", "text": text, "weight": weight, "position": number + 1}
        for number, (text, weight) in enumerate(choices)
    ]
    listed[-1] |= last
    question = {
        "id": f"{key}q", "family": "matrix", "subtype": "rating", "headings": [{"heading": title}], "answers": {"choices": listed[::-1]}
    }  # fmt: skip
    return {"id": key, "record": json.dumps({"pages": [{"questions": [question]}]}), **LOADED}


def _responses(survey: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{survey}-{number}", "survey_id": survey, "modified_at": AT, **LOADED,
            "record": json.dumps(
                {
                    "response_status": "completed",
                    "pages": [{"questions": [{"id": f"{survey}q", "answers": [{"choice_id": f"{survey}c{number}"}]}]}],
                }
            ),
        }
        for number in range(count)
    ]  # fmt: skip


def _found(bench: Path, source: str) -> dict[str, list[tuple[Any, ...]]]:
    """Form → its answers in their order, as (nps_score, csat_score, other_scale)."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with connect(bench / "salesgauge.duckdb") as con:
        rows = con.execute(
            f"select form_id, nps_score, csat_score, other_scale from staging.stg_{source}__responses order by length(response_id), response_id"
        ).fetchall()
    for form, *scores in rows:
        found.setdefault(form, []).append(tuple(scores))
    return found


def test_the_first_step_and_the_number_of_steps_are_those_of_the_form(bench: Path, new_warehouse: NewWarehouse) -> None:
    satisfied, recommend = "How satisfied are you?", "Would you recommend us?"
    group = {"id": "g", "type": "group", "title": "About us", "properties": {"fields": [_field("in", "opinion_scale", satisfied, steps=5, start_at_one=False)]}}  # fmt: skip
    rows = {
        "raw_typeform.forms": [
            _form("zero", _field("a", "opinion_scale", satisfied, steps=5, start_at_one=False)),
            _form("one", _field("a", "opinion_scale", satisfied, steps=5, start_at_one=True)),
            _form("stars", _field("a", "rating", satisfied, steps=5)),
            _form("grouped", group),
            _form("eleven", _field("a", "opinion_scale", recommend, steps=11, start_at_one=True)),
            _form("nps", _field("a", "nps", recommend, steps=11, start_at_one=False)),
            _form("odd", _field("a", "nps", recommend, steps=7, start_at_one=False)),
            _form("seven", _field("csat", "opinion_scale", satisfied, steps=7, start_at_one=True)),
        ],
        "raw_typeform.responses": [
            *_answers("zero", "a", "opinion_scale", range(5)),
            *_answers("one", "a", "opinion_scale", range(1, 6)),
            *_answers("stars", "a", "rating", range(1, 6)),
            *_answers("grouped", "in", "opinion_scale", range(5)),
            *_answers("eleven", "a", "opinion_scale", range(1, 12)),
            *_answers("nps", "a", "nps", range(11)),
            *_answers("odd", "a", "nps", range(7)),
            *_answers("seven", "csat", "opinion_scale", range(1, 8)),
        ],
    }
    with new_warehouse(AS_OF) as con:
        fill(con, rows, AS_OF)
    build(bench, "stg_typeform__responses", sources=EVERY_SOURCE)
    found = _found(bench, "typeform")
    for form in ("zero", "one", "stars", "grouped"):
        assert found[form] == [(None, score, None) for score in range(1, 6)], form
    for form in ("eleven", "nps"):
        assert found[form] == [(score, None, None) for score in range(11)], form
    assert found["odd"] == [(None, None, f"nps: {number} on a scale of 0 to 6") for number in range(7)]
    assert found["seven"] == [(None, None, None)] * 7  # no question of ours, unless people say so


def test_weights_of_promoters_and_detractors_are_no_scores(bench: Path, new_warehouse: NewWarehouse) -> None:
    recommend, satisfied = "How likely are you to recommend us?", "How satisfied are you?"
    points = [-100] * 7 + [0] * 2 + [100] * 2
    ends = {0: "Not at all likely", 10: "Extremely likely"}
    surveys: dict[str, tuple[str, list[tuple[str, int | None]]]] = {
        "said": (recommend, [(f"{ends.get(n, '')} - {n}" if n == 0 else f"{n} - {ends[n]}" if n == 10 else str(n), points[n]) for n in range(11)]),
        "ends": (recommend, [(ends.get(n, str(n)), points[n]) for n in range(11)]),
        "plain": (recommend, [(str(n), n) for n in range(11)]),
        "mute": (recommend, [(f"step {'i' * n}", points[n]) for n in range(11)]),
        "zero": (satisfied, [(str(n), n) for n in range(5)]),
        "words": (satisfied, [("Very bad", 1), ("Bad", 2), ("So so", 3), ("Good", 4), ("Very good", 5)]),
        "stars": (satisfied, [(f"{n} star{'s' * (n > 1)}", None) for n in range(1, 6)]),
        "with-na": (satisfied, [*((str(n), n) for n in range(1, 6)), ("N/A", 0)]),
    }  # fmt: skip
    rows = {
        "raw_surveymonkey.surveys": [
            _survey(key, title, choices, **({"is_na": True} if key == "with-na" else {}))
            for key, (title, choices) in surveys.items()
        ],
        "raw_surveymonkey.responses": [
            row for key, (_, choices) in surveys.items() for row in _responses(key, len(choices))
        ],
    }
    with new_warehouse(AS_OF) as con:
        fill(con, rows, AS_OF)
    build(bench, "+stg_surveymonkey__responses", sources=EVERY_SOURCE)
    found = _found(bench, "surveymonkey")
    for survey in ("said", "ends", "plain"):
        assert found[survey] == [(score, None, None) for score in range(11)], survey
    for survey in ("zero", "words", "stars"):
        assert found[survey] == [(None, score, None) for score in range(1, 6)], survey
    assert found["with-na"] == [*((None, score, None) for score in range(1, 6)), (None, None, None)]
    assert found["mute"] == [(None, None, f"nps: step {'i' * number}") for number in range(11)]
