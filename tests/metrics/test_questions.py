"""A question that was asked before: the SQL is that of then, and only where nothing has changed of what it follows from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestion.privacy.erasure import mentions
from metrics import GRAINS, MetricStore, render
from metrics.engine import Engine
from metrics.store import MANIFEST
from salesgauge.errors import ConfigurationError
from salesgauge.warehouse import connect

QUESTION = {"metric": "win_rate", "by": ["rep"], "grain": "month"}


@pytest.fixture
def version(pointer: Path, tmp_path: Path) -> Path:
    """A version of its own, which a test may change."""
    folder = tmp_path / "versions" / "000001"
    shutil.copytree(pointer.resolve().parent, folder)
    return folder / "salesgauge.duckdb"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "work" / "questions"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The metrics that were compiled."""
    asked: list[str] = []
    compile = Engine.compile

    def noted(self: Engine, metric: str, groups: list[str], where: str | None) -> str:
        asked.append(metric)
        return compile(self, metric, groups, where)

    monkeypatch.setattr(Engine, "compile", noted)
    return asked


def _ask(version: Path, kept: Path | None, **question: object) -> tuple[list[str], list[list]]:
    with MetricStore(version, kept) as store:
        asked = question or QUESTION
        how = {name: value for name, value in asked.items() if name != "metric"}
        answer = store.ask([str(asked["metric"])], **how).plain()  # type: ignore[arg-type]
        return answer.names, answer.rows


def test_another_process_uses_what_was_kept(version: Path, kept: Path, compiled: list[str]) -> None:
    first = _ask(version, kept)
    assert _ask(version, kept) == first and len(first[1]) > 5
    assert compiled == ["win_rate"]
    (file,) = kept.rglob("*.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    content["compiled"]["sql"] = "select 'Ann' as rep, timestamp '2026-01-01' as metric_time__month, 0.25 as win_rate"
    file.write_text(json.dumps(content), encoding="utf-8")
    names, rows = _ask(version, kept)
    assert (names, [str(value) for value in rows[0]]) == (["month", "rep", "win_rate"], ["2026-01-01", "Ann", "0.25"])


def test_what_was_kept_is_answered_without_metricflow_and_pandas(version: Path, kept: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from metrics import MetricStore, render\n"
        "store = MetricStore(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "sys.stdout.write(render(store.ask(['win_rate', 'nps'], by=['rep'], grain='month'), 'csv'))\n"
        "print(*({'metricflow', 'pandas', 'sqlglot', 'jinja2', 'yaml'} & set(sys.modules)), file=sys.stderr)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program, str(version), str(kept)], capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout and runs[0].stdout.startswith("month,rep,win_rate,win_rate_n,win_rate_low,")
    assert "metricflow" in runs[0].stderr.split() and runs[1].stderr.split() == []


@pytest.mark.parametrize(
    "question",
    [
        {"metric": "win_rate", "by": ["rep"], "grain": "week"},
        {"metric": "win_rate", "by": ["rep"]},
        {"metric": "win_rate", "by": ["branch"], "grain": "month"},
        {"metric": "win_rate", "by": ["rep"], "grain": "month", "where": "rep is not null"},
        {"metric": "deals_won", "by": ["rep"], "grain": "month"},
    ],
)
def test_another_question_is_compiled(version: Path, kept: Path, compiled: list[str], question: dict) -> None:
    _ask(version, kept)
    _ask(version, kept, **question)
    assert len(compiled) == 2


def test_conditions_that_differ_in_a_value_are_two_questions(version: Path, kept: Path) -> None:
    with MetricStore(version, kept) as store:
        names = {row[0] for row in store.ask(["win_rate"], by=["rep"]).rows} - {None}
    conditions = {name: f"rep = '{name}'" for name in sorted(names)[:3]}
    for _ in range(2):
        found = {
            name: _ask(version, kept, metric="win_rate", by=["rep"], where=where)[1]
            for name, where in conditions.items()
        }
        assert {name: [row[0] for row in rows] for name, rows in found.items()} == {name: [name] for name in conditions}


def test_a_newer_version_of_the_same_definitions_uses_it(version: Path, kept: Path, compiled: list[str]) -> None:
    question = {"metric": "leads_created", "grain": "year"}
    before = _ask(version, kept, **question)
    newer = version.parent.with_name("000002") / version.name
    shutil.copytree(version.parent, newer.parent)
    with connect(newer) as con:
        con.execute("delete from marts.fct_lead")
    assert before[1] and _ask(newer, kept, **question)[1] == []
    assert compiled == ["leads_created"]


def test_a_version_with_another_calendar_does_not_use_it(version: Path, kept: Path, compiled: list[str]) -> None:
    """Weeks of the newer version begin on Sunday, which is in the SQL."""
    question = {"metric": "leads_created", "grain": "week"}
    before = _ask(version, kept, **question)
    newer = version.parent.with_name("000002") / version.name
    shutil.copytree(version.parent, newer.parent)
    with connect(newer) as con:
        con.execute("update process.calendar set week_starts_on = 'sun'")
    after = _ask(newer, kept, **question)
    assert compiled == ["leads_created"] * 2
    assert {row[0].isoweekday() for row in before[1]} == {1} and {row[0].isoweekday() for row in after[1]} == {7}
    assert len(list(kept.iterdir())) == 1, "what was kept of the older version is gone"


def test_the_same_name_with_another_content_does_not_use_it(version: Path, kept: Path, compiled: list[str]) -> None:
    question = {"metric": "leads_created", "grain": "week"}
    _ask(version, kept, **question)
    with connect(version) as con:
        con.execute("update process.calendar set week_starts_on = 'sun'")
    assert {row[0].isoweekday() for row in _ask(version, kept, **question)[1]} == {7}
    assert len(compiled) == 2


def test_another_definition_does_not_use_it(version: Path, kept: Path, compiled: list[str]) -> None:
    before = _ask(version, kept)
    manifest = version.parent / MANIFEST
    times, text = manifest.stat(), manifest.read_text(encoding="utf-8")
    definition = "cast(is_won as integer)"
    assert definition in text
    manifest.chmod(0o644)
    manifest.write_text(text.replace(definition, "cast(not is_won as integer)"), encoding="utf-8")
    os.utime(manifest, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = _ask(version, kept)
    assert compiled == ["win_rate"] * 2
    assert [row[2] for row in after[1]] == pytest.approx([1 - row[2] for row in before[1]])


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"question": "x"}', '{"question": "x", "compiled": {}}'])
def test_half_of_a_file_is_none(version: Path, kept: Path, compiled: list[str], damage: str) -> None:
    first = _ask(version, kept)
    (file,) = kept.rglob("*.json")
    file.write_text(damage, encoding="utf-8")
    assert _ask(version, kept) == first == _ask(version, kept)
    assert len(compiled) == 2


def test_where_nothing_can_be_written_nothing_is_kept(version: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text("a file where the folder would be", encoding="utf-8")
    assert _ask(version, kept) == _ask(version, None)


def test_a_question_is_refused_twice_in_the_same_words(version: Path, kept: Path) -> None:
    with pytest.raises(ConfigurationError, match="no dimension 'moon'"):
        _ask(version, kept, metric="win_rate", by=["moon"])
    assert list(kept.rglob("*.json")) == []
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="can't be compared with the data"):
            _ask(version, kept, metric="win_rate", where="is_won = 'perhaps'")


def test_an_erasure_finds_a_person_who_was_asked_for(version: Path, kept: Path) -> None:
    """It deletes the files of the working folder that name the person."""
    _ask(version, kept, metric="win_rate", where="rep = 'Jane@Example.com'")
    (file,) = kept.rglob("*.json")
    assert mentions(file, ["jane@example.com"]) and not mentions(file, ["somebody@example.com"])


@pytest.mark.parametrize("name", ["O''Hara@example.com", 'Jane "JJ" Doe', "Jane\\Doe", "ÉVA@example.com"])
def test_a_value_that_a_file_would_hold_in_another_form_is_not_kept(version: Path, kept: Path, name: str) -> None:
    assert _ask(version, kept, metric="win_rate", by=["rep"], where=f"rep = '{name}'")[1] == []
    assert list(kept.rglob("*.json")) == []


def test_rows_are_those_of_the_data_frame(store: MetricStore) -> None:
    """For every metric by its dimensions, and by every grain."""
    questions: list[tuple[str, dict[str, Any]]] = [
        (metric.name, {"by": list(metric.dimensions[:4])}) for metric in store.list()
    ]
    questions += [(metric.name, {"by": list(metric.dimensions[4:]), "grain": "month"}) for metric in store.list()[::4]]
    questions += [("leads_created", {"grain": grain}) for grain in GRAINS]
    for metric, question in questions:
        answer, frame = store.ask([metric], **question).plain(), store.query(metric, **question)
        values = frame.astype(object).where(frame.notna(), None).values.tolist()
        assert (answer.names, render(answer, "csv")) == (
            list(frame.columns),
            render(replace(answer, rows=values), "csv"),
        )
