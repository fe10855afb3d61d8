"""The reference of the mapping language and of the entities, generated from the models: ``docs/reference/mapping.md`` and ``salesgauge sources help``.

What an option means stands with the option (``model``), what a column means with the column (``salesgauge.entities``); nothing is said anew here.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ingestion.files.mapping.model import ALIASES, STAGE_COLUMN, FileMapping, FileSource, TableMapping
from ingestion.files.synonyms import ID_WORDS, NAMES, NOUNS, OF_ENTITY
from salesgauge.entities import ENTITIES, Entity
from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest
from salesgauge.settings import PROJECT_ROOT

PAGE = "docs/reference/mapping.md"
_OFTEN = 6
_TYPES = {
    "text": "text",
    "timestamp": "time",
    "date": "day",
    "decimal": "amount",
    "integer": "whole number",
    "float": "number",
    "boolean": "yes or no",
}


@dataclass(frozen=True)
class Option:
    """An option of a mapping, by its path such as ``dates.format``. ``within``: the model of its parts."""

    path: str
    description: str
    examples: tuple[Any, ...]
    is_required: bool
    default: str
    choices: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def facts(self) -> str:
        """Whether it is needed, its default, and what it can be."""
        found = ["required"] if self.is_required else [f"default: {self.default}"] if self.default else []
        found += [f"one of {', '.join(self.choices)}"] if self.choices else []
        return "; ".join(found)

    def shown(self) -> list[str]:
        """Its examples as they stand in a mapping."""
        return [f"{self.name}: {flow(example)}" for example in self.examples]


def options() -> list[Option]:
    """Every option, in the order of the models."""
    found = list(_of_model(FileSource, "", skip={"files"}))
    found += _of_model(FileMapping, "")
    found += _of_model(TableMapping, "", skip=set(FileMapping.model_fields))
    return found


def _of_model(model: type[BaseModel], above: str, skip: set[str] | None = None) -> Iterator[Option]:
    for name, field in model.model_fields.items():
        if name in (skip or set()):
            continue
        path = f"{above}{field.alias or name}"
        yield Option(
            path,
            field.description or "",
            tuple(field.examples or ()),
            field.is_required(),
            _default(field),
            tuple(str(one) for one in _choices(field.annotation)),
        )
        parts = _model_in(field.annotation)
        if parts is not None:
            # a column or a date may have a rule of its own: one step deep
            yield from _of_model(parts, f"{path}.NAME." if _is_table(field.annotation) else f"{path}.")


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.default_factory is not None:
        value = field.default_factory()  # type: ignore[call-arg]
    if value in (None, PydanticUndefined) or isinstance(value, BaseModel) or value in ({}, []):
        return ""
    return flow(value)


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation)


def _choices(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is Literal:
        return _arguments(annotation)
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return next((found for part in _arguments(annotation) if (found := _choices(part))), ())
    return ()


def _is_table(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (dict, Mapping)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of the parts of an option, also where it is optional, or the values of a table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _model_in(_arguments(annotation)[0])
    if origin in (Union, types.UnionType):
        return next((found for part in _arguments(annotation) if (found := _model_in(part))), None)
    if origin is dict:
        return _model_in(_arguments(annotation)[1])
    return None


def flow(value: Any) -> str:
    """``value`` as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        is_plain = re.fullmatch(r"[A-Za-z][\w ./-]*(?<! )", value) and value.lower() not in (
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "true",
            "false",
            "null",
        )
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


# --- entities -------------------------------------------------------------------------------------------------------------------------------


def example_of(entity: Entity) -> list[str]:
    """A mapping of a file of ``entity``: its key, what is required, and what most exports have."""
    usual = [name for name in _USUAL if name in {column.name for column in entity.columns} and name != entity.key]
    names = list(dict.fromkeys([*(name for name in entity.required if name != entity.key), *usual]))[:6]
    stage = STAGE_COLUMN.get(entity.name)
    names = [name for name in names if name not in (stage, "subject_type")]
    lines = ["files:", f"  - path: {entity.name}.csv", f"    entity: {entity.name}"]
    if entity.key in entity.required:
        lines.append(f"    key: {_title(NOUNS[entity.name][0])} ID")
    shown = [f"{'deal' if name == 'subject_id' else name}: {_called(entity, name)}" for name in names]
    lines.append(f"    columns: {{{', '.join(shown)}}}")
    if entity.name == "field_history":
        lines.append("    constants: {subject_type: deal}")
    kinds = {entity.column(name).type for name in names}
    if kinds & {"timestamp", "date"}:
        lines.append('    dates: {format: "%m/%d/%Y %H:%M", timezone: America/Chicago}')
    if stage:
        lines.append(f"    stages: {{current: {{column: {_title(stage)}, map: {{Sold: won}}}}}}")
    return lines


_USUAL = (
    "created_at",
    "email",
    "phone",
    "channel",
    "amount",
    "at",
    "starts_at",
    "name",
    "branch",
    "owner_id",
    "user_id",
    "outcome",
    "status",
    "campaign",
    "nps_score",
)


def _called(entity: Entity, name: str) -> str:
    names = OF_ENTITY.get(entity.name, {}).get(name) or NAMES.get(name, ())
    return flow(_title(names[0] if names else name.replace("_", " ")))


def _title(words: str) -> str:
    return " ".join(word.capitalize() for word in words.replace("_", " ").split())


def often_called(entity: Entity, name: str) -> list[str]:
    """What exports call a column of an entity; these names are found by ``sources init``."""
    if name == entity.key:
        return [f"{noun} {word}" for noun in NOUNS[entity.name][:2] for word in ID_WORDS[:2]]
    names = OF_ENTITY.get(entity.name, {}).get(name) or NAMES.get(name, ())
    return [one for one in names if one != name.replace("_", " ")][:_OFTEN]


def column_facts(entity: Entity, name: str) -> tuple[str, str, str]:
    """The type of a column, what it means, and whether it is needed."""
    column = entity.column(name)
    meaning = column.meaning
    if column.refers_to:
        meaning = f"{meaning}{'; ' if meaning else ''}an id of {column.refers_to}"
    need = "required" if name in entity.required else ""
    return _TYPES[column.type], meaning, need


# --- the page -------------------------------------------------------------------------------------------------------------------------------

_HEAD = """# Reference: mappings of files and tables

Generated by `make docs` from `ingestion/files/mapping/model.py` and `salesgauge/entities.py`. `salesgauge sources help [NAME]` shows the same.
`salesgauge sources init FILE…` writes a mapping for you; [how to load files](../how-to/load-files.md) is the way from an export to numbers.

A mapping `sources/<name>.yml` has a list `files` (or `tables`, of a [database](../sources/databases.md)). Each entry says which files it reads, how they are
written, what a row is (`entity`), and which of the file's columns hold ours. On the left of a colon stands our name, on its right the file's.
"""


def page() -> str:
    """The whole reference as Markdown."""
    lines = [_HEAD, "## Options", ""]
    for option in options():
        depth = "####" if "." in option.path else "###"
        lines.append(f"{depth} `{option.path}`")
        lines.append("")
        facts = f" ({option.facts})" if option.facts else ""
        lines.append(f"{option.description[:1].upper()}{option.description[1:]}{facts}.")
        lines.append("")
        if option.examples:
            lines += ["```yaml", *option.shown(), "```", ""]
    lines += ["## Entities", ""]
    lines += [
        f"Short names: {', '.join(f'`{short}` is `{long}`' for short, long in ALIASES.items())}. In an event log `deal` and `lead` say whose the event is.",
        "",
    ]
    lines += ["| entity | a row is |", "| --- | --- |"]
    lines += [f"| [{entity.name}](#{entity.name}) | {entity.meaning} |" for entity in ENTITIES.values()]
    lines.append("")
    for entity in ENTITIES.values():
        lines += [
            f"### {entity.name}",
            "",
            f"{entity.meaning[:1].upper()}{entity.meaning[1:]}. `key` gives `{entity.key}`.",
            "",
        ]
        lines += ["| column | type | meaning | often called |", "| --- | --- | --- | --- |"]
        for column in entity.columns:
            kind, meaning, need = column_facts(entity, column.name)
            told = "; ".join(part for part in (f"**{need}**" if need else "", meaning) if part)
            lines.append(
                f"| `{column.name}` | {kind} | {_cell(told)} | {_cell(', '.join(often_called(entity, column.name)))} |"
            )
        lines += ["", "```yaml", *example_of(entity), "```", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def topic(name: str) -> list[str]:
    """What ``sources help NAME`` prints: of an entity, an option, or a column. ConfigurationError for another name."""
    if name in ENTITIES:
        return _about_entity(ENTITIES[name])
    found = [option for option in options() if name in (option.path, option.name) or option.path.startswith(f"{name}.")]
    lines = []
    for option in found:
        facts = f" ({option.facts})" if option.facts else ""
        lines += [f"{option.path}: {option.description}{facts}", *(f"    {text}" for text in option.shown())]
    wanted = ALIASES.get(name, name)
    for entity in ENTITIES.values():
        if wanted in {column.name for column in entity.columns}:
            kind, meaning, need = column_facts(entity, wanted)
            told = "; ".join(part for part in (kind, need, meaning) if part)
            lines.append(f"{entity.name}.{wanted}: {told}")
    if not lines:
        known = [
            *ENTITIES,
            *(option.path for option in options()),
            *{column.name for entity in ENTITIES.values() for column in entity.columns},
        ]
        raise ConfigurationError(
            f"'{name}' is no entity, option or column{suggest(name, known)} 'salesgauge sources help' lists entities and options."
        )
    return lines


def _about_entity(entity: Entity) -> list[str]:
    lines = [f"{entity.name}: {entity.meaning}", ""]
    width = max(len(column.name) for column in entity.columns)
    for column in entity.columns:
        kind, meaning, need = column_facts(entity, column.name)
        lines.append(f"  {column.name:<{width}}  {'; '.join(part for part in (kind, need, meaning) if part)}")
    return [*lines, "", "For example, in sources/<name>.yml:", *(f"  {line}" for line in example_of(entity))]


def overview() -> list[str]:
    """What ``sources help`` prints without a name."""
    lines = ["What a row can be (`entity`):"]
    width = max(len(name) for name in ENTITIES)
    lines += [f"  {entity.name:<{width}}  {entity.meaning}" for entity in ENTITIES.values()]
    lines += ["", "Options of an entry (`location` stands above `files`):"]
    top = [option for option in options() if "." not in option.path and option.path != "table"]
    width = max(len(option.path) for option in top)
    lines += [f"  {option.path:<{width}}  {option.description}" for option in top]
    return [*lines, "", "salesgauge sources help NAME tells more of an entity, an option or a column."]


if __name__ == "__main__":
    (PROJECT_ROOT / PAGE).write_text(page(), encoding="utf-8")
