"""What people get wrong in YAML is told with the line, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from salesgauge.errors import ConfigurationError
from salesgauge.yaml_file import load_yaml

COMMENT = "in YAML a # after a blank begins a comment. If it belongs to the value, put the value into quotes"
MISTAKES = [
    ("a:\n  key: Lead #\n  b: 1\n", 2, f"`key: Lead #`: {COMMENT}"),
    ("a:\n  key: #id\n  b: 1\n", 2, f"`key: #id` has no value: {COMMENT}"),
    ("a:\n  - {x: Lead #, name: y}\n  - {b: 1}\n", 2, f"`- {{x: Lead #`: {COMMENT}"),
    ("a:\n  columns: [x, #y, z]\n  b: 1\n", 2, f"`columns: [x, #`: {COMMENT}"),
    ("a:\n\tkey: x\n", 2, "there is a tab: YAML is indented, and parted, with blanks"),
    ("a:\n  key:\tx\n", 2, "there is a tab"),
    ("a:\n  key: Lead: Id\n", 2, "a value that holds ': ' stands in quotes"),
    ("a:\n  columns: {x: Deal: Value, name: y}\n", 2, "a value that holds ': ' stands in quotes"),
    ("a:\n  path: *.csv\n", 2, "a value that begins with * stands in quotes"),
    ("a:\n  dates: {format: %d.%m.%Y}\n", 2, "a value that begins with % stands in quotes"),
    ("a:\n  key: @id\n", 2, "a value that begins with @ stands in quotes"),
    ("a:\n  key: !id\n", 2, "a value that begins with ! stands in quotes"),
    ('a:\n  where: "Record Type" = 1\n', 2, "a value that begins with a quote or a bracket goes on after it"),
    ("a:\n  key: [Main] id\n", 2, "a value that begins with a quote or a bracket goes on after it"),
    ('a:\n  path: "a.csv\n  key: x\n', 2, "a quote that begins here is never closed"),
    ("a:\n  - path: x\n   key: y\n", 3, "the indentation does not fit the lines above"),
    ("a:\n  - path: x\n      key: y\n", 3, "the indentation does not fit the line above (`- path: x`)"),
    ("a:\n  key: x\n  key: y\n", 3, "the key 'key' stands here a second time"),
    ("a:\n  key:x\n  b: 1\n", 2, "after the colon of `key:` comes a blank"),
    ("a:\n  -path: x\n", 2, "after the dash of a list comes a blank"),
    ("a:\n  path:\u00a0x\n  b: 1\n", 2, "there is a no-break space"),
    ('a:\n  key: "\\d"\n', 2, "within double quotes a \\ begins an escape"),
    ("a:\n  columns: {name: x\n  key: y\n", 2, "a { or [ that begins here is not closed"),
    ("a:\n  columns: {name: 'it's'}\n", 2, "there is a , or a closing bracket missing"),
    ("a:\n  where: > 5\n  b: 1\n", 2, "expected a comment or a line break, but found '5'. Values with signs such as"),
]


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES)
def test_a_mistake_is_explained(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "crm.yml"
    for ending in ("\n", "\r\n"):
        path.write_bytes(text.replace("\n", ending).encode())
        with pytest.raises(ConfigurationError) as error:
            load_yaml(path)
        told = str(error.value).removeprefix(f"crm.yml:{line}: ").removeprefix("not valid YAML: ")
        assert told.startswith(said), str(error.value)


def test_a_file_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "crm.yml"
    path.write_bytes("key: Zoë\n".encode("cp1252"))
    with pytest.raises(ConfigurationError, match=r"crm.yml: it is no UTF-8 text .* Save it as UTF-8"):
        load_yaml(path)


def test_what_people_mean_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "crm.yml"
    path.write_text(
        "# a comment\n#\nkey: id   # the id\nother: x #old\ncolumns: #these\n  a: 'Lead #'\n  b: \"it's # 1 \"\n  c: case:concept:name\n"
        "list: # of\n- {d: C#, e: 'f'} # {g}\nnulls: ['#', \"#\"]\ntext: |\n  a #\n  key: #x\n  \"b\" = 'c'\nend: &x [1]\nagain: *x\nempty:\nlast: it's\n",
        encoding="utf-8",
    )
    found = load_yaml(path)
    assert (found["key"], found["other"], found["columns"]["a"], found["columns"]["b"]) == (
        "id",
        "x",
        "Lead #",
        "it's # 1 ",
    )
    assert (found["list"][0]["d"], found["nulls"], found["text"]) == ("C#", ["#", "#"], "a #\nkey: #x\n\"b\" = 'c'\n")
    assert (found["again"], found["empty"], found["last"]) == ([1], None, "it's")
