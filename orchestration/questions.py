"""The saved questions of ``process.yml`` as tables: each answered over the working warehouse, before it is published, into the schema ``questions``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from metrics import Answer, Column
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from salesgauge.yaml_file import line_of, load_yaml

SCHEMA = "questions"


def answer_questions(company: Company, process: Process, manifest: Path) -> None:
    """Make the tables anew; those of questions that are gone go. ConfigurationError names the question, with its line, that can't be answered.

    A company without saved questions waits for nothing: MetricFlow is not loaded. Nobody else has the warehouse open.
    """
    if not company.warehouse_file.is_file():  # publishing says what to do
        return
    answers = _answers(company, process, manifest) if process.questions else {}
    with connect(company.warehouse_file) as con:
        con.execute(f"drop schema if exists {SCHEMA} cascade")
        if answers:
            con.execute(f"create schema {SCHEMA}")
        for name, answer in answers.items():
            columns = [
                f'"{column.name}" {_type(column, [row[place] for row in answer.rows])}'
                for place, column in enumerate(answer.columns)
            ]
            con.execute(f'create table {SCHEMA}."{name}" ({", ".join(columns)})')
            if answer.rows:
                marks = ", ".join("?" * len(columns))
                con.executemany(f'insert into {SCHEMA}."{name}" values ({marks})', answer.rows)


def _answers(company: Company, process: Process, manifest: Path) -> dict[str, Answer]:
    from metrics import MetricStore
    from metrics.saved import asked

    answers = {}
    with MetricStore(company.warehouse_file, company.work_dir / "questions", manifest) as store:
        for place, question in enumerate(process.questions):
            try:
                answers[question.name] = asked(store, question.definition)
            except ConfigurationError as error:
                line = line_of(load_yaml(company.process_file), ("questions", place))
                raise ConfigurationError(f"process.yml:{line}: the question '{question.name}': {error}") from error
    return answers


def _type(column: Column, values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if column.role == "is_low_n" or (known and all(isinstance(value, bool) for value in known)):
        return "boolean"
    if column.role == "n" or (known and all(isinstance(value, int) for value in known)):
        return "bigint"
    if column.role != "key" and all(isinstance(value, int | float | Decimal) for value in known):
        return "double"
    return "date" if known and all(isinstance(value, date) for value in known) else "varchar"
