"""YAML files that people write: reading them so that an error can name the line. What the files mean does not belong here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from salesgauge.errors import ConfigurationError
from salesgauge.yaml_mistakes import explained, unintended

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[int | str, ...]
# Text that YAML reads as that text, and as nothing else, wherever it stands
_PLAIN = re.compile(r"[A-Za-z_<](?:[A-Za-z0-9_ >-]*[A-Za-z0-9_>])?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


class _Constructor(RoundTripConstructor):
    """A day that does not exist (2025-02-29) stays text: whoever reads the value says what is wrong with it, and where."""

    def day_or_text(self, node: Any, values: Any = None) -> Any:
        try:
            return self.construct_yaml_timestamp(node, values)
        except ValueError:
            return node.value


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.day_or_text)


def load_yaml(path: Path) -> Any:
    """The document in ``path`` with line numbers kept (ruamel's round-trip types); None if it is empty. Not to be changed: who reads the same
    text again gets the same document.

    ConfigurationError names file and line where it is no YAML, or says something that nobody can mean.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path.name}: it is no UTF-8 text ({error.reason}). Save it as UTF-8 in your editor."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path.name} can't be read: {error.strerror}") from error
    return _document(path.name, text)


# A run asks the same few files some thirty times, and reading one with its line numbers takes 30 ms.
@lru_cache(maxsize=32)
def _document(name: str, text: str) -> Any:
    lines = text.split("\n")
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        document = yaml.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        begins = error.context_mark.line + 1 if error.context_mark else None
        place, words = explained(str(error.problem or error), line, begins, lines)
        raise ConfigurationError(f"{name}:{place}: not valid YAML: {words}.") from error
    except YAMLError as error:
        raise ConfigurationError(f"{name}: not valid YAML: {error}") from error
    if problems := [f"{name}:{line}: {problem}." for line, problem in unintended(lines)]:
        raise ConfigurationError("\n".join(problems))
    return document


def load_model(
    path: Path, model: type[Model], checks: Callable[[Any], Iterable[tuple[Place, str]]] = lambda document: ()
) -> Model:
    """The document in ``path`` as ``model``. ConfigurationError lists every mistake with file, line, key and what was expected.

    ``checks`` gives the mistakes of the document that no single part can know, as place and text.
    """
    document = load_yaml(path)
    if document is None:
        raise ConfigurationError(f"{path.name}: the file is empty. 'salesgauge init DIR' writes a commented one.")
    problems = [(line_of(document, place), text) for place, text in checks(document)]
    try:
        loaded = model.model_validate(document)
    except ValidationError as error:
        problems += [
            (line_of(document, item["loc"]), f"{_dotted(item['loc'])}: {_message(item)}") for item in error.errors()
        ]
    if problems:
        raise ConfigurationError("\n".join(f"{path.name}:{line}: {text}" for line, text in sorted(set(problems))))
    return loaded


def as_yaml(text: str) -> str:
    """``text`` as a key or value of a YAML mapping: quoted where it would be read as something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def line_of(document: Any, location: tuple[int | str, ...]) -> int:
    """The line (from 1) of the value at ``location``; of the nearest enclosing one where the value itself is missing."""
    line = 1
    node = document
    for key in location:
        try:
            lines = node.lc
            position = lines.key(key) if isinstance(node, dict) else lines.item(key)
            line = position[0] + 1
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            # pydantic's own steps (union members and the like) are no keys of the document
            continue
    return line


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(document)"


def _message(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return "unknown key; check its spelling, or take it out"
    if item["type"] == "missing":
        return "is missing"
    given = item.get("input")
    return message if isinstance(given, dict | list) or given is None else f"{message} (found {str(given)[:60]!r})"
