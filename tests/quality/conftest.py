"""Fixtures of the quality tests: a company directory and its small warehouse, both real."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from quality.gx import SuiteRunner
from salesgauge.settings import Company


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


@pytest.fixture
def con(company: Company, small: ModuleType) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = small.fill(company)
    yield connection
    connection.close()


@pytest.fixture
def runner(con: duckdb.DuckDBPyConnection) -> SuiteRunner:
    return SuiteRunner(con)
