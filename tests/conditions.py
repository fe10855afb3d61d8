"""Random conditions with their meaning: the text that a person would write, and what it says of a row (true, false or unknown).

The meaning is computed here, in three-valued logic, without a parser and without a database.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]
Truth = bool | None
Condition = tuple[str, Callable[[Row], Truth]]

TEXTS = ["a", "A", "ab", "b", "B%", "_", "", "it's", "{{ x }}", "é"]
ROWS = [
    {"name": name, "other": other, "size": size, "flag": flag}
    for name, other, size, flag in zip(
        [None, "a", "A", "ab", "b", "B%", "_", "", "it's", "{{ x }}", "é", "Ab"],
        ["a", None, "A", "b", None, "ab", "B%", "_", "it's", "é", "", "a"],
        [1, 2, None, -3, 0, 5, 2, 1, None, 7, 2, 3],
        [True, False, None, True, None, False, True, False, True, None, True, False],
        strict=True,
    )
]


def not_(value: Truth) -> Truth:
    return None if value is None else not value


def and_(left: Truth, right: Truth) -> Truth:
    return False if left is False or right is False else None if left is None or right is None else True


def or_(left: Truth, right: Truth) -> Truth:
    return not_(and_(not_(left), not_(right)))


def compare(word: str, left: Any, right: Any) -> Truth:
    if word == "is distinct from":
        return left != right
    if word == "is not distinct from":
        return left == right
    if left is None or right is None:
        return None
    if isinstance(left, str):  # by their bytes, as DuckDB does
        left, right = left.encode(), right.encode()
    return {"=": left == right, "==": left == right, "<>": left != right, "!=": left != right}.get(
        word, {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}.get(word)
    )


def like(value: str | None, pattern: str | None, *, ignores_case: bool) -> Truth:
    if value is None or pattern is None:
        return None
    if ignores_case:
        value, pattern = value.lower(), pattern.lower()
    regex = "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)
    return re.fullmatch(regex, value, re.DOTALL) is not None


def _literal(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _operand(column: str, values: list[Any]) -> st.SearchStrategy[tuple[str, Callable[[Row], Any]]]:
    columns = ["name", "other"] if column == "name" else [column]
    return st.one_of(
        st.sampled_from(columns).map(lambda name: (name, lambda row: row[name])),
        st.sampled_from(values).map(lambda value: (_literal(value), lambda row: value)),
    )


_TEXT = _operand("name", TEXTS)
_PATTERN = _operand("name", ["%", "a%", "%b", "_", "_b", "A%", "B%", "%'%", "{%", ""])
_NUMBER = _operand("size", [-3, 0, 1, 2, 2.5, 7])
_WORD = st.sampled_from(["=", "==", "<>", "!=", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"])
_NOT = st.sampled_from(["", "not "])


def _flip(word: str, value: Truth) -> Truth:
    return not_(value) if word else value


@st.composite
def _comparison(draw: st.DrawFn) -> Condition:
    side = draw(st.sampled_from([_TEXT, _NUMBER]))
    (left, left_of), word, (right, right_of) = draw(side), draw(_WORD), draw(side)
    return f"{left} {word} {right}", lambda row: compare(word, left_of(row), right_of(row))


@st.composite
def _like(draw: st.DrawFn) -> Condition:
    (left, left_of), word, negation, (right, right_of) = (
        draw(_TEXT),
        draw(st.sampled_from(["like", "ilike"])),
        draw(_NOT),
        draw(_PATTERN),
    )
    return f"{left} {negation}{word} {right}", lambda row: _flip(
        negation, like(left_of(row), right_of(row), ignores_case=word == "ilike")
    )


@st.composite
def _in(draw: st.DrawFn) -> Condition:
    side = draw(st.sampled_from([_TEXT, _NUMBER]))
    (left, left_of), negation, items = draw(side), draw(_NOT), draw(st.lists(side, min_size=1, max_size=3))

    def meaning(row: Row) -> Truth:
        found: Truth = False
        for _, item_of in items:
            found = or_(found, compare("=", left_of(row), item_of(row)))
        return _flip(negation, found)

    return f"{left} {negation}in ({', '.join(text for text, _ in items)})", meaning


@st.composite
def _between(draw: st.DrawFn) -> Condition:
    side = draw(st.sampled_from([_TEXT, _NUMBER]))
    (left, left_of), negation, (low, low_of), (high, high_of) = draw(side), draw(_NOT), draw(side), draw(side)
    return f"{left} {negation}between {low} and {high}", lambda row: _flip(
        negation, and_(compare(">=", left_of(row), low_of(row)), compare("<=", left_of(row), high_of(row)))
    )


@st.composite
def _is(draw: st.DrawFn) -> Condition:
    negation, word = draw(_NOT), draw(st.sampled_from(["null", "true", "false"]))
    column = "flag" if word != "null" else draw(st.sampled_from(["name", "other", "size", "flag"]))
    wanted = {"null": None, "true": True, "false": False}[word]
    return f"{column} is {negation}{word}", lambda row: _flip(negation, row[column] is wanted)


_FLAG = st.just(("flag", lambda row: row["flag"]))
_LEAF = st.one_of(_comparison(), _like(), _in(), _between(), _is(), _FLAG)


def _grown(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda one: (f"not ({one[0]})", lambda row: not_(one[1](row)))),
        pair.map(lambda two: (f"({two[0][0]}) and ({two[1][0]})", lambda row: and_(two[0][1](row), two[1][1](row)))),
        pair.map(lambda two: (f"({two[0][0]} or {two[1][0]})", lambda row: or_(two[0][1](row), two[1][1](row)))),
    )


# A leaf may follow `not`, `and` and `or` without brackets: what binds closer is part of the language.
_BARE = st.one_of(
    st.tuples(_LEAF, _LEAF, _LEAF).map(
        lambda three: (
            f"{three[0][0]} or {three[1][0]} and not {three[2][0]}",
            lambda row: or_(three[0][1](row), and_(three[1][1](row), not_(three[2][1](row)))),
        )
    ),
    _LEAF,
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(_BARE, _grown, max_leaves=6)
