"""Questions that process.yml saves: asked by name, and made tables of a version."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from metrics import MetricStore, asked
from orchestration.notebooks import CompanyData
from orchestration.questions import answer_questions
from salesgauge.errors import ConfigurationError
from salesgauge.kpis import dimensions, kpis
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company
from salesgauge.warehouse import connect

PROCESS = (PROJECT_ROOT / "orchestration" / "template" / "process.yml").read_text(encoding="utf-8")
QUESTIONS = """
questions:
  - {name: how_reps_do, metrics: [win_rate, deals_won], by: rep, sort: -win_rate, limit: 3, description: The best three}
  - name: months
    metrics: win_rate
    grain: month
    where: "branch = 'north'"
    compare: previous_year
  - {name: nothing_there, metrics: [nps], by: [campaign], where: "branch = 'moon'"}
"""


def _company(root: Path, pointer: Path, questions: str) -> Company:
    """A company whose working warehouse is that of these tests."""
    (root / "process.yml").write_text(PROCESS + questions, encoding="utf-8")
    company = Company.open(root)
    company.warehouse_file.parent.mkdir(parents=True)
    shutil.copyfile(pointer.resolve(), company.warehouse_file)
    return company


def _answer(company: Company, pointer: Path) -> None:
    answer_questions(company, Process.load(company.process_file), pointer.resolve().parent / "semantic_manifest.json")


def test_each_is_a_table_with_the_answer(tmp_path: Path, pointer: Path, store: MetricStore) -> None:
    company = _company(tmp_path, pointer, QUESTIONS)
    process = Process.load(company.process_file)
    _answer(company, pointer)
    with connect(company.warehouse_file, read_only=True) as con:
        for question in process.questions:
            answer = asked(store, question.definition)
            relation = con.sql(f"from questions.{question.name}")
            assert relation.columns == answer.names
            assert [list(row) for row in relation.fetchall()] == answer.rows
        kinds = dict(
            zip(*(getattr(con.sql("from questions.months"), part) for part in ("columns", "types")), strict=True)
        )
        assert [str(kinds[name]) for name in ("month", "win_rate", "win_rate_before_n", "win_rate_is_low_n")] == [
            "DATE",
            "DOUBLE",
            "BIGINT",
            "BOOLEAN",
        ]
        assert con.sql("select count(*) from questions.how_reps_do").fetchall() == [(3,)]
        assert con.sql("select count(*) from questions.nothing_there").fetchall() == [(0,)]
    company.process_file.write_text(PROCESS + QUESTIONS.split("  - name: months", maxsplit=1)[0], encoding="utf-8")
    _answer(company, pointer)
    with connect(company.warehouse_file, read_only=True) as con:
        assert con.sql("select table_name from duckdb_tables() where schema_name = 'questions'").fetchall() == [
            ("how_reps_do",)
        ]
    company.process_file.write_text(PROCESS, encoding="utf-8")
    _answer(company, pointer)
    with connect(company.warehouse_file, read_only=True) as con:
        assert con.sql("select count(*) from duckdb_schemas() where schema_name = 'questions'").fetchall() == [(0,)]


def test_one_that_can_not_be_answered_is_named_with_its_line(tmp_path: Path, pointer: Path) -> None:
    company = _company(
        tmp_path, pointer, "\nquestions:\n  - {name: odd, metrics: [win_rate], where: \"is_won = 'perhaps'\"}\n"
    )
    line = PROCESS.count("\n") + 3
    with pytest.raises(
        ConfigurationError, match=f"process.yml:{line}: the question 'odd': .*can't be compared with the data"
    ):
        _answer(company, pointer)


def test_a_version_answers_its_questions_by_name(tmp_path: Path, pointer: Path, store: MetricStore) -> None:
    company = _company(tmp_path, pointer, QUESTIONS)
    process = Process.load(company.process_file)
    folder = company.published_dir / "versions" / "1"
    shutil.copytree(pointer.resolve().parent, folder)
    with connect(folder / "salesgauge.duckdb") as con:
        con.execute("create table process.questions (place integer, name varchar, definition varchar)")
        for place, question in enumerate(process.questions):
            con.execute(
                "insert into process.questions values (?, ?, ?)",
                [place, question.name, json.dumps(question.definition)],
            )
    company.pointer.symlink_to(folder / "salesgauge.duckdb")
    with CompanyData(tmp_path) as data:
        frame = data.question("how_reps_do")
        assert frame["win_rate"].tolist() == [row[1] for row in asked(store, process.questions[0].definition).rows]
        with pytest.raises(ConfigurationError, match="no saved question 'month'; did you mean 'months'"):
            data.question("month")
        with pytest.raises(ConfigurationError, match="no metric 'how_reps'; did you mean 'how_reps_do'"):
            data.query("how_reps")
    assert store.saved() == {}


def test_what_a_metric_can_be_asked_by_is_known_without_metricflow(store: MetricStore) -> None:
    for name in kpis():
        assert dimensions(name) == set(store.describe(name).dimensions), name


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (
            "{name: a, metrics: [win_rat]}",
            r"questions\[0\].metrics: there is no metric 'win_rat'; did you mean 'win_rate'",
        ),
        (
            "{name: a, metrics: [win_rate], by: rpe}",
            r"questions\[0\].by: win_rate has no dimension 'rpe'; did you mean 'rep'",
        ),
        ("{name: a, metrics: [win_rate, nps], by: outcome}", "nps has no dimension 'outcome'"),
        ("{name: a, metrics: [period_conversion_rate], by: hour}", "period_conversion_rate has no dimension 'hour'"),
        (
            "{name: a, metrics: [win_rate], where: \"moon = 'full'\"}",
            r"questions\[0\].where: win_rate has no dimension 'moon'",
        ),
        ("{name: a, metrics: [win_rate], where: 'rep ='}", r"questions\[0\].where: .*can't be read"),
        ("{name: a, metrics: [win_rate], grain: moon}", r"questions\[0\].grain"),
        ("{name: a, metrics: [win_rate], compare: previous_year}", "needs 'grain' beside it"),
        ("{name: a, metrics: [win_rate], compare: before, grain: week}", "leave 'grain' out"),
        ("{name: a, metrics: [win_rate], sort: -won}", "no column 'won'"),
        ("{name: a, metrics: [win_rate, win_rate]}", "'win_rate' stands there twice"),
        ("{name: win_rate, metrics: [nps]}", "'win_rate' is a metric"),
        ("{name: a b, metrics: [nps]}", "is no key"),
        ("{name: a, metrics: []}", r"questions\[0\].metrics"),
        ("{name: a, metrics: [nps]}\n  - {name: a, metrics: [csat]}", "has the name 'a' too"),
    ],
)
def test_mistakes_have_their_line(tmp_path: Path, question: str, words: str) -> None:
    file = tmp_path / "process.yml"
    file.write_text(f"{PROCESS}\nquestions:\n  - {question}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words) as caught:
        Process.load(file)
    line = PROCESS.count("\n") + 3
    assert str(caught.value).startswith(f"process.yml:{line}: ") or f"process.yml:{line + 1}: " in str(caught.value)
