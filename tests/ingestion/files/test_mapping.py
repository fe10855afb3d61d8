"""A mapping that can't be right is refused before a file is read, with file, line and key."""

from __future__ import annotations

from typing import Any

import pytest

GOOD = """files:
  - path: deals.csv
    entity: deals
    key: id
    columns: {amount: value, created_at: created}
    dates: {format: "%Y-%m-%d", timezone: UTC}
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("entity: deals", "entity: deal"), "crm.yml:3: files[0].entity: is no entity; expected one of: users"),
        (("    key: id\n", ""), "crm.yml:2: files[0]: 'deal_id' is required in deals"),
        (("{amount: value,", "{price: value,"), "columns.price is no column of deals; expected one of: account_id"),
        (("{amount: value,", "{deal_id: value,"), "'deal_id' is mapped twice"),
        (("{amount: value,", "{owner: a, owner_id: b,"), "'owner_id' is mapped twice"),
        (("    key: id\n", "    key: id\n    colour: red\n"), "crm.yml:5: files[0].colour: unknown key"),
        (("%Y-%m-%d", "%Q"), "crm.yml:6: files[0].dates.format[0]: is no date format"),
        (("%Y-%m-%d", "YYYY-MM-DD"), "is no date format"),
        ((", timezone: UTC", ""), "'created_at' is a time: set dates.timezone"),
        (('format: "%Y-%m-%d", ', ""), "'created_at' is a date or time: set dates.format"),
        (("timezone: UTC", "timezone: Mars/Olympus"), "is no time zone"),
        (("path: deals.csv", "path: ../deals.csv"), "must be a path inside the data directory"),
        (("path: deals.csv", "path: /etc/passwd"), "must be a path inside the data directory"),
        (("path: deals.csv", "path: deals.doc"), "the format of 'deals.doc' can't be told from its ending"),
        (("    key: id\n", "    key: id\n    encoding: klingon\n"), "crm.yml:5: files[0].encoding: is no encoding"),
        (("    key: id\n", "    key: id\n    delimiter: ';;'\n"), "must be one character"),
        (("    key: id\n", "    key: id\n    sheet: 0\n"), "must be the sheet's name, or its number from 1"),
        (("    key: id\n", "    key: id\n    order: file\n"), "order can't stand with deals"),
        (("    key: id\n", "    key: id\n    numbers: {decimal: ',', group: ','}\n"), "decimal and group can't be the same"),
        (("    key: id\n", "    key: id\n    stages: {entered: {sold: closed}}\n"), "crm.yml:5: files[0].stages.entered.sold: 'sold' is no stage of process.yml"),
        (
            ("    key: id\n", "    key: id\n    stages: {current: {column: s, map: {Sold: sold}}}\n"),
            "files[0].stages.current.map.Sold: 'sold' is no stage of process.yml; expected one of: inquiry, lost",
        ),
        (
            ("columns: {amount: value,", "stages: {current: {column: s}}\n    columns: {stage: s,"),
            "'stage' is mapped twice: by stages.current",
        ),
        (("files:", "fles:"), "crm.yml:1: files: is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(crm: Any, change: tuple[str, str], said: str) -> None:
    from ingestion.files.mapping.loading import load
    from salesgauge.errors import ConfigurationError

    old, new = change
    assert old in GOOD
    crm.mapping(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as error:
        load(crm.company.sources_dir / "crm.yml", crm.process)
    assert said in str(error.value)


def test_all_mistakes_are_told_at_once(crm: Any) -> None:
    from ingestion.files.mapping.loading import load
    from salesgauge.errors import ConfigurationError

    crm.mapping(
        """files:
  - path: deals.csv
    entity: deals
    colour: red
    encoding: klingon
    columns: {price: value, created_at: created, expected_close_date: planned, owner: a, owner_id: b, name: {join: [x], json: $.a}}
    constants: {stag: x}
    where: amount >
    stages: {current: {column: state, map: {Sold: sold}}, entered: {won: closed, gone: closed}}
  - path: leads.doc
    entity: lead
  - path: [a.csv, b.xlsx]
    entity: calls
    key: id
    stages: {entered: {won: closed}}
"""
    )
    with pytest.raises(ConfigurationError) as error:
        load(crm.company.sources_dir / "crm.yml", crm.process)
    told = str(error.value).splitlines()
    for line, said in [
        (2, "files[0]: 'deal_id' is required in deals, but neither columns, constants nor key give it"),
        (2, "files[0]: 'owner_id' is mapped twice"),
        (2, "files[0]: 'created_at' is a date or time: set dates.format"),
        (2, "files[0]: 'expected_close_date' is a date or time: set dates.format"),
        (4, "files[0].colour: unknown key"),
        (5, "files[0].encoding: is no encoding"),
        (6, "files[0]: columns.price is no column of deals; expected one of: account_id"),
        (6, "files[0].columns.name: json belongs to column, not to join"),
        (7, "files[0]: constants.stag is no column of deals; expected one of: account_id"),
        (8, "files[0].where: can't be read as a condition"),
        (9, "files[0].stages.current.map.Sold: 'sold' is no stage"),
        (9, "files[0].stages.entered.gone: 'gone' is no stage"),
        (11, "files[1].entity: is no entity; expected one of: users"),
        (12, "files[2]: path names files of several formats"),
        (15, "files[2]: stages can't stand with calls; they belong to deals or leads"),
    ]:
        assert any(text.startswith(f"crm.yml:{line}: {said}") for text in told), (line, said, told)
    assert any("; did you mean 'leads'" in text for text in told) and any(
        "did you mean 'stage'" in text for text in told
    )
    assert not any("dates.timezone" in text for text in told)


def test_every_option_says_what_it_is(crm: Any) -> None:
    """The reference of the language is made of these."""
    from pydantic import BaseModel

    from ingestion.files.mapping import model, rules

    models = [
        one
        for module in (model, rules)
        for one in vars(module).values()
        if getattr(one, "__module__", "") == module.__name__
        and isinstance(one, type)
        and issubclass(one, BaseModel)
        and one.model_fields
    ]
    assert len(models) >= 10
    for one in models:
        for name, field in one.model_fields.items():
            assert field.description and "\n" not in field.description, (one.__name__, name)
            assert field.examples or name in ("files", "tables"), (model.__name__, name)


def test_a_mistake_fails_its_source_only(crm: Any) -> None:
    import ingestion

    crm.mapping(GOOD.replace("entity: deals", "entity: deal"))
    crm.mapping(GOOD.replace("deals.csv", "others.csv"), name="other")
    crm.data("others.csv", "id,value,created\n1,5,2026-01-01\n")
    from datetime import datetime

    results = ingestion.extract(crm.company, crm.process, received_at=datetime(2026, 7, 1))
    assert [(result.source, result.state) for result in results] == [("crm", "failed"), ("other", "loaded")]
    assert "crm.yml:3" in str(results[0].error)
    assert crm.rows("select source, deal_id, amount from raw_files.deals") == [("other", "1", 5)]


@pytest.mark.parametrize("name", ["Legacy", "old-crm", "a__b", "1st"])
def test_names_that_folders_and_ids_cannot_bear_are_refused(crm: Any, name: str) -> None:
    from ingestion.files.mapping.loading import load
    from salesgauge.errors import ConfigurationError

    crm.mapping(GOOD, name=name)
    with pytest.raises(ConfigurationError, match="is no name for a source"):
        load(crm.company.sources_dir / f"{name}.yml", crm.process)


def test_an_unknown_source_is_refused(crm: Any) -> None:
    from datetime import datetime

    import ingestion
    from salesgauge.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="source 'hubspt' is not configured"):
        ingestion.extract(crm.company, crm.process, received_at=datetime(2026, 7, 1), names=["hubspt"])
