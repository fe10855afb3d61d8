"""The declarations of the KPIs: what their reader refuses, and that they name what there is. Their numbers: tests/metrics, tests/e2e."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from salesgauge import kpis as declarations
from salesgauge.entities import ENTITIES
from salesgauge.kpis import FILE, kpis
from salesgauge.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models"


def _columns(folder: str) -> dict[str, dict[str, str]]:
    models = [
        model
        for file in sorted((MODELS / folder).glob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])
    ]
    return {model["name"]: {one["name"]: one.get("data_type", "") for one in model["columns"]} for model in models}


def test_declarations_name_what_there_is() -> None:
    facts, marts = _columns("marts"), _columns("kpi")
    for name, kpi in kpis().items():
        assert {one for need in kpi.needs for one in need.split("|")} <= set(ENTITIES), name
        mart = kpi.mart
        named = {mart.value, *mart.n.split(" - "), mart.numerator, mart.low, mart.high, *mart.keys} - {""}
        assert named <= set(marts[mart.table]), name
        if kpi.kind == "per":
            assert [kpis()[part].kind for part in (kpi.numerator, kpi.denominator)] == ["count", "count"], name
        else:
            assert facts[kpi.fact][kpi.date] == "date", name
        assert kpi.definition and kpi.nothing and kpi.version >= 1, name


def test_parts_of_metrics_are_no_kpis_and_all_others_are() -> None:
    metrics = yaml.safe_load(FILE.read_text(encoding="utf-8"))["metrics"]
    parts = {one["name"] for one in metrics if ((one.get("config") or {}).get("meta") or {}).get("is_part")}
    assert {one["name"] for one in metrics} - parts == set(kpis())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("kind: share\n        fact: fct_closed_deal", "kind: guess\n        fact: fct_closed_deal"), "'win_rate'.*no kind 'guess'"),
        (("unit: points", "unit: apples"), "'nps'.*no unit 'apples'"),
        (("better: up\n        kind: points", "better: yes\n        kind: points"), "'nps'.*no better"),
        (("        kind: points\n", "        kind: points\n        colour: red\n"), "'nps'.*colour"),
        (("        nothing: no answer has a score from 0 to 10\n", ""), "'nps'.*nothing"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], words: str
) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert change[0] in text
    file = tmp_path / "metrics.yml"
    file.write_text(text.replace(*change), encoding="utf-8")
    monkeypatch.setattr(declarations, "FILE", file)
    with pytest.raises(ValueError, match=words):
        kpis.__wrapped__()


def test_who_needs_no_kpi_reads_none() -> None:
    code = (
        "from orchestration.cli import main\nfrom click.testing import CliRunner\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "import sys\nprint('salesgauge.kpis' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert told.stdout == "False\n"
