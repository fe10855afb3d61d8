"""Conditions of ``process.yml`` over a lead, evaluated in Python with SQL's three values (true, false, unknown).

A reader of its own: the warehouse has another one. What is excluded by them is decided in ``records``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

Condition = Callable[[Mapping[str, Any]], bool | None]
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+(?:\.\d+)?)|([A-Za-z_][A-Za-z_0-9.]*)|(<>|!=|<=|>=|[=<>(),]))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def read_condition(text: str) -> Condition:
    """``text`` as a function of a record's columns. ValueError where it can't be read."""
    return _Reader(text).condition()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        place = 0
        while place < len(text.rstrip()):
            match = _TOKEN.match(text, place)
            if not match:
                raise ValueError(f"can't read the condition {text!r} at {place}")
            self._tokens.append(match[0].strip())
            place = match.end()
        self._place = 0

    def condition(self) -> Condition:
        found = self._any()
        if self._place != len(self._tokens):
            raise ValueError(f"unexpected {self._peek()!r}")
        return found

    def _peek(self) -> str:
        return self._tokens[self._place].lower() if self._place < len(self._tokens) else ""

    def _take(self, *words: str) -> bool:
        if self._peek() in words:
            self._place += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise ValueError(f"expected {word!r}, found {self._peek()!r}")

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda row: _or([part(row) for part in parts])

    def _all(self) -> Condition:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else lambda row: _not(_or([_not(part(row)) for part in parts]))

    def _not(self) -> Condition:
        if self._take("not"):
            inner = self._not()
            return lambda row: _not(inner(row))
        return self._predicate()

    def _predicate(self) -> Condition:
        if self._take("("):
            inner = self._any()
            self._need(")")
            return inner
        left = self._operand()
        if self._take("is"):
            negated = self._take("not")
            self._need("null")
            return lambda row: (left(row) is None) != negated
        negated = self._take("not")
        found = self._comparison(left)
        return (lambda row: _not(found(row))) if negated else found

    def _comparison(self, left: Callable[[Mapping[str, Any]], Any]) -> Condition:
        if self._take("in"):
            self._need("(")
            items = [self._operand()]
            while self._take(","):
                items.append(self._operand())
            self._need(")")
            return lambda row: _or([_known(_COMPARE["="], left(row), item(row)) for item in items])
        for word, flags in (("like", 0), ("ilike", re.IGNORECASE)):
            if self._take(word):
                pattern = self._operand()
                matches = partial(_matches, flags)
                return lambda row: _known(matches, left(row), pattern(row))
        if self._take("between"):
            low = self._operand()
            self._need("and")
            high = self._operand()
            return lambda row: _not(
                _or(
                    [
                        _not(_known(_COMPARE[">="], left(row), low(row))),
                        _not(_known(_COMPARE["<="], left(row), high(row))),
                    ]
                )
            )
        operator = self._peek()
        if operator in _COMPARE:
            self._place += 1
            right = self._operand()
            return lambda row: _known(_COMPARE[operator], left(row), right(row))
        return left

    def _operand(self) -> Callable[[Mapping[str, Any]], Any]:
        if self._place >= len(self._tokens):
            raise ValueError("the condition ends too early")
        token = self._tokens[self._place]
        self._place += 1
        if token.startswith("'"):
            text = token[1:-1].replace("''", "'")
            return lambda row: text
        if token[0].isdigit():
            return lambda row: float(token)
        constant = {"true": True, "false": False, "null": None}
        if token.lower() in constant:
            return lambda row: constant[token.lower()]
        name = token.rpartition(".")[2]
        return lambda row: row.get(name)


def _known(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool | None:
    return None if left is None or right is None else compare(left, right)


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _or(values: list[bool | None]) -> bool | None:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


def _matches(flags: int, value: str, pattern: str) -> bool:
    return re.fullmatch(_like(pattern), value, flags | re.DOTALL) is not None


def _like(pattern: str) -> str:
    return "".join(".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in pattern)
