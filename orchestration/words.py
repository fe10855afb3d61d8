"""Words of outcomes, types, directions and currencies that the models do not know, before a run. The words are read from the models' own macros."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache

from ingestion.files.looking import FilePreview
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT

_MACROS = PROJECT_ROOT / "dbt_project" / "macros"
_NO_LETTERS = re.compile(r"[\s!-/:-@\[-`{-~]")
_LISTED = re.compile(r" in \(((?:'[^']*'(?:, )?)+)\)")


def unknown_words(one: FilePreview, process: Process) -> dict[str, dict[str, int]]:
    """Column → the words of a file that prove nothing as nobody knows them, with their rows."""
    found: dict[str, dict[str, int]] = {}
    for column, words in one.words.items():
        unknown = {word: rows for word, rows in words.items() if not _is_known(one.entry.entity, column, word, process)}
        if unknown:
            found[column] = unknown
    return found


def _is_known(entity: str, column: str, word: str, process: Process) -> bool:
    key = _NO_LETTERS.sub("", word.lower())
    if not key:
        return True
    if column == "outcome" or (entity == "appointments" and column == "status"):
        known = (
            _words("outcomes", "meeting_outcomes")
            if entity == "appointments"
            else _words("outcomes", "call_outcomes", "meeting_outcomes")
        )
        parts = () if entity == "appointments" else _words("outcomes", "call_outcome_parts")
        return (
            key in known
            or any(part in key for part in parts)
            or bool(re.search(r"(^|[^a-z])l?vm([^a-z]|$)", word.lower()))
        )
    if column == "type" and entity == "activities":
        return key in _compared("activity_type")
    if column == "direction":
        return key in _compared("activity_direction")
    if column == "currency":
        rates = {process.company.currency, *(rate.currency for rate in process.exchange_rates)}
        written = word.strip().upper().replace(".", "").replace(" ", "")
        return written in rates or written in _words("currencies", "currency_words") or written in ("$", "KR")
    return True


@cache
def _words(file: str, *macros: str) -> frozenset[str]:
    """The words of the macros that return a table of words."""
    text = (_MACROS / f"{file}.sql").read_text(encoding="utf-8")
    found: set[str] = set()
    for macro in macros:
        body = re.search(rf"macro {macro}\(\).*?return\((\{{.*?\}})\)", text, re.DOTALL)
        table: dict[str, Iterable[str]] = ast.literal_eval(body.group(1)) if body else {}
        found.update(word for words in table.values() for word in words)
    return frozenset(found)


@cache
def _compared(macro: str) -> frozenset[str]:
    """The words with which a macro compares its value."""
    text = (_MACROS / "outcomes.sql").read_text(encoding="utf-8")
    body = text.partition(f"macro {macro}(")[2].partition("endmacro")[0]
    return frozenset(word for listed in _LISTED.findall(body) for word in re.findall(r"'([^']*)'", listed))
