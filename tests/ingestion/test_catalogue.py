"""The catalogue of sources: every connector has what the protocol asks for, under its own name, and none is imported before it is asked for."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import ingestion.sources
from ingestion.catalogue import about, connector, raw_tables
from ingestion.connector.protocol import Connector, DayReader, Narrowing, Remarking
from salesgauge.settings import API_SOURCES, PROJECT_ROOT

OPTIONAL = {"provides": Narrowing, "remark": Remarking, "read_again": DayReader}


def test_every_package_of_sources_is_in_the_catalogue() -> None:
    packages = {path.parent.name for path in Path(ingestion.sources.__file__).parent.glob("*/__init__.py")}
    assert packages == set(API_SOURCES)
    with pytest.raises(KeyError, match="no connector 'excel'"):
        connector("excel")
    assert about("excel") is None


@pytest.mark.parametrize("name", API_SOURCES)
def test_people_find_the_source_where_they_look(name: str) -> None:
    template = PROJECT_ROOT / "orchestration" / "template" / "dot_dlt"
    assert f"[sources.{name}]" in (template / "config.toml").read_text(encoding="utf-8")
    if any(setting.is_secret for setting in connector(name).ABOUT.settings):
        assert f"[sources.{name}]" in (template / "secrets.toml.example").read_text(encoding="utf-8")
    assert (PROJECT_ROOT / "docs" / "sources" / f"{name}.md").is_file()


@pytest.mark.parametrize("name", API_SOURCES)
def test_a_connector_has_what_the_protocol_asks_for(name: str) -> None:
    found = connector(name)
    assert isinstance(found, Connector) and found.ABOUT.name == name
    assert found.TABLES and all(table.source == name for table in found.TABLES)
    assert len({table.name for table in found.TABLES}) == len(found.TABLES)
    assert raw_tables()[name] == tuple(found.TABLES)
    for function in ("extract", "check"):
        _is_like(getattr(found, function), getattr(Connector, function))
    for function, protocol in OPTIONAL.items():
        if isinstance(found, protocol):
            _is_like(getattr(found, function), getattr(protocol, function))
    assert any(table.day for table in found.TABLES) == isinstance(found, DayReader), "whole days are read again as such"


def _is_like(function: object, asked: object) -> None:
    """The parameters of ``function`` are those that the protocol calls it with."""
    mine, theirs = inspect.signature(function).parameters, inspect.signature(asked).parameters  # type: ignore[arg-type]
    assert list(mine) == [one for one in theirs if one != "self"]


def test_no_connector_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, ingestion, ingestion.catalogue, ingestion.quarantine\n"
        "loaded = lambda: sorted({name.split('.')[2] for name in sys.modules if name.startswith('ingestion.sources.')})\n"
        "assert loaded() == [], loaded()\n"
        "ingestion.catalogue.about('twilio')\n"
        "assert loaded() == ['twilio'], loaded()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
