"""Fixtures of the quality tests: a company directory and its small warehouse, both real."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from quality.gx import SuiteRunner
from salesgauge.settings import Company
from salesgauge.warehouse import connect


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small() -> ModuleType:
    return _load("small_warehouse")


@pytest.fixture
def company(tmp_path: Path, small: ModuleType) -> Company:
    return small.make_company(tmp_path / "company")


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, small: ModuleType) -> Path:
    """The file of a filled warehouse: filling takes longer than most tests."""
    template = small.make_company(tmp_path_factory.mktemp("template") / "company")
    small.fill(template).close()
    return template.warehouse_file


@pytest.fixture
def con(company: Company, filled: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    company.warehouse_file.parent.mkdir(parents=True)
    shutil.copyfile(filled, company.warehouse_file)
    connection = connect(company.warehouse_file)
    yield connection
    connection.close()


@pytest.fixture
def runner(con: duckdb.DuckDBPyConnection) -> SuiteRunner:
    return SuiteRunner(con)
