"""The reference of mappings: it is that of the models, and its examples are mappings that are read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from ingestion.files.mapping.loading import load
from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.reference import PAGE, Option, example_of, flow, options, overview, page, topic
from ingestion.files.mapping.rules import ColumnRule, CurrentStage, DateRule, Dates, Numbers, Stages
from salesgauge.entities import ENTITIES
from salesgauge.errors import ConfigurationError
from salesgauge.settings import PROJECT_ROOT
from tests.ingestion.files.conftest import FileCompany

FIRST: dict[type[BaseModel], dict[str, Any]] = {
    ColumnRule: {"column": "x"},
    CurrentStage: {"column": "x"},
    Numbers: {"decimal": "|"},
}


def test_the_page_is_that_of_the_models() -> None:
    written = (PROJECT_ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(), f"{PAGE} is stale: make docs"


@pytest.mark.parametrize("model", [FileMapping, ColumnRule, DateRule, Dates, Numbers, Stages, CurrentStage])
def test_each_option_is_described_and_has_examples_that_are_read(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description and field.examples, name
        for example in field.examples:
            entry = dict(FIRST.get(model, {}))
            if model is FileMapping:
                entry = {"path": "x.csv", "entity": "stage_events" if name == "order" else "deals"}
            if model is ColumnRule and name == "join":
                entry = {}
            model.model_validate({**entry, name: example})


def test_every_option_of_an_entry_is_listed() -> None:
    listed = {option.path for option in options()}
    assert (
        set(FileMapping.model_fields) | {"location", "table", "dates.format", "stages.current.map", "columns.NAME.json"}
        <= listed
    )


@pytest.mark.parametrize("name", list(ENTITIES))
def test_the_example_of_each_entity_is_a_mapping(crm: FileCompany, name: str) -> None:
    crm.mapping("\n".join(example_of(ENTITIES[name])) + "\n")
    (entry,) = load(crm.company.sources_dir / "crm.yml", crm.process).files
    assert entry.entity == name and set(ENTITIES[name].required) <= entry.provided
    assert all(column.name in page() for column in ENTITIES[name].columns)
    assert any(column.name in line for column in ENTITIES[name].columns for line in topic(name))


def test_help_knows_entities_options_and_columns() -> None:
    assert any("stage_events" in line for line in overview()) and any("delimiter" in line for line in overview())
    assert topic("delimiter")[1:] == ['    delimiter: ";"', "    delimiter: tab", '    delimiter: "|"']
    assert any(line.startswith("deals.owner_id") for line in topic("owner"))
    with pytest.raises(ConfigurationError, match="did you mean 'amount'"):
        topic("amonut")


@pytest.mark.parametrize(
    "value",
    [
        "a b",
        "yes",
        "%d/%m",
        "x: y",
        "#1",
        "",
        "ab ",
        5,
        True,
        None,
        ["a", 1],
        {"k": {"l": ["%Y"]}},
        {"Main St.": "main"},
    ],
)
def test_examples_are_yaml(value: Any) -> None:
    assert YAML(typ="safe").load(f"v: {flow(value)}")["v"] == value


def test_a_default_and_choices_are_said() -> None:
    found: dict[str, Option] = {option.path: option for option in options()}
    assert (
        "seconds" in found["durations"].facts and "csv" in found["format"].facts and found["entity"].facts == "required"
    )
