"""A company as data frames, and the example notebook, whose cells are run as they stand."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from metrics import MetricStore, compared
from orchestration.notebooks import CompanyData
from salesgauge import open_company
from salesgauge.errors import ConfigurationError
from salesgauge.settings import PROJECT_ROOT

NOTEBOOKS = sorted((PROJECT_ROOT / "examples" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def company(root: Path) -> Iterator[CompanyData]:
    with open_company(root / "var" / "demo") as opened:
        yield opened


def test_frames_hold_the_answers_in_types_for_analysis(company: CompanyData, store: MetricStore) -> None:
    frame = company.query(["win_rate", "deals_won"], by="rep", grain="month")
    answer = store.ask(["win_rate", "deals_won"], by=["rep"], grain="month")
    assert list(frame.columns) == answer.names and len(frame) == len(answer.rows)
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds["month"].startswith("datetime64") and kinds["rep"] == "object"
    assert [kinds[name] for name in ("win_rate", "win_rate_low", "win_rate_n", "win_rate_is_low_n", "deals_won")] == [
        "float64", "float64", "Int64", "boolean", "Int64",
    ]  # fmt: skip
    for place, name in enumerate(answer.names):
        found = [None if pd.isna(value) else value for value in frame[name]]
        assert [value.date() if name == "month" and value else value for value in found] == [
            row[place] for row in answer.rows
        ]


def test_comparisons_and_rows_are_those_of_the_command(company: CompanyData, store: MetricStore) -> None:
    frame = company.query("win_rate", by=["branch"], compare="target")
    assert list(frame.columns) == compared(store, ["win_rate"], ["branch"], None, None, "target").names
    assert str(frame["win_rate_is_met"].dtype) == "boolean"
    rows = company.drill("win_rate_by_amount", where="branch = 'north'")
    assert len(rows) == len(store.drill("win_rate_by_amount", where="branch = 'north'").rows)
    assert rows["numerator"].sum() / rows["denominator"].sum() == pytest.approx(
        company.query("win_rate_by_amount", where="branch = 'north'")["win_rate_by_amount"].iloc[0]
    )


def test_what_is_asked_wrongly_is_said(company: CompanyData, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'win_rate'"):
        company.query("win_rat")
    with pytest.raises(ConfigurationError, match=r"can't be answered.*kpi_nothing"):
        company.sql("from kpi.kpi_nothing")
    with pytest.raises(ConfigurationError, match="can't be answered"):
        company.sql("delete from kpi.kpi_win_loss")
    with pytest.raises(ConfigurationError, match=r"no process\.yml"):
        open_company(tmp_path)


def test_the_door_is_light() -> None:
    program = "import sys, salesgauge; salesgauge.open_company; print({'pandas', 'duckdb', 'orchestration'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_example_notebook_runs(notebook: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code"), "clear the outputs"
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop()
            exec(compile(tree, notebook.name, "exec"), names)
            # what the notebook would show below the cell
            shown = (
                eval(compile(ast.Expression(last.value), notebook.name, "eval"), names)
                if isinstance(last, ast.Expr)
                else None
            )
            if isinstance(shown, pd.DataFrame):
                assert len(shown) > 0
    names["company"].close()
    assert {"by_rep", "monthly", "chart", "rows", "explanation", "scorecard"} <= set(names)
