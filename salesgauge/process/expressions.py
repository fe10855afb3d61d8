"""Conditions that people write (exclusions, exit criteria, ``--where``): parsed and checked part by part, never pasted into SQL.

``read_condition`` knows the language; ``parse_condition`` adds the columns that a condition may name, with their types. What happens with the
result is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

WORDS = "= <> < <= > >=, in (...), like, ilike, between, is null, is true, is distinct from, and, or, not, over names and literals"
_TWO = ("this", "expression")
# Every part of a node that is understood. sqlglot keeps `not like` as a flag of `like`: whoever overlooks a part turns a condition round.
PARTS: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.And: _TWO, exp.Or: _TWO, exp.Not: ("this",), exp.Paren: ("this",),
    exp.EQ: _TWO, exp.NEQ: _TWO, exp.GT: _TWO, exp.GTE: _TWO, exp.LT: _TWO, exp.LTE: _TWO,
    exp.NullSafeEQ: _TWO, exp.NullSafeNEQ: _TWO, exp.Is: _TWO,
    exp.Like: (*_TWO, "negate"), exp.ILike: (*_TWO, "negate"),
    exp.In: ("this", "expressions"), exp.Between: ("this", "low", "high"),
    exp.Column: ("this", "table"), exp.Identifier: ("this", "quoted"),
    exp.Literal: ("this", "is_string"), exp.Boolean: ("this",), exp.Null: (), exp.Neg: ("this",), exp.Lower: ("this",),
    exp.Cast: ("this", "to"), exp.DataType: ("this",),
}  # fmt: skip
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_LIKE = (exp.Like, exp.ILike)
_CONDITIONS = (exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, *_COMPARED, *_LIKE)
_NUMBERS = ("decimal", "integer", "float", "number")
_TIMES = ("timestamp", "date")
_MAX_DEPTH = 200

Columns = Mapping[str, Mapping[str, str] | frozenset[str]]


def read_condition(text: str) -> exp.Expr:
    """``text`` as one condition of which every part is understood. ValueError says what is not, and what is allowed."""
    try:
        parsed = sqlglot.parse(text, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise ValueError(f"can't be read as a condition: {str(error).splitlines()[0]}. Allowed: {WORDS}") from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ValueError(f"is not one condition. Allowed: {WORDS}")
    tree = parsed[0]
    if _depth(tree) > _MAX_DEPTH:
        raise ValueError(f"has more than {_MAX_DEPTH} levels: join many values with 'in (...)'. Allowed: {WORDS}")
    for check in (_unknown, _misplaced):
        for node in tree.walk():
            if reason := check(node):
                raise ValueError(f"{reason}. Allowed: {WORDS}")
    if not _is_condition(tree):
        raise ValueError(f"'{_shown(tree)}' is a value, not a condition. Allowed: {WORDS}")
    return tree


def parse_condition(text: str, columns: Columns) -> exp.Expr:
    """``text`` as a checked expression over ``object.column`` names.

    ``columns`` maps each object (``lead``, ``deal`` …) to its columns; where it knows their types (those of ``salesgauge.entities``),
    comparing a column with what it can't hold is refused too. Allowed: what ``WORDS`` says and ``lower()``.
    """
    tree = read_condition(text)
    for column in tree.find_all(exp.Column):
        _check_column(column, columns)
    for node in tree.walk():
        _check_types(node, columns)
    return tree


def to_sql(tree: exp.Expr, *, with_objects: bool = False) -> str:
    """The expression as portable SQL with quoted column names, qualified by their object only ``with_objects``."""

    def named(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        return exp.column(node.name, table=node.table if with_objects else None, quoted=True)

    return tree.transform(named, copy=True).sql(dialect="duckdb", comments=False)


def alternatives(tree: exp.Expr) -> list[exp.Expr]:
    """The conditions that ``or`` joins at the top of ``tree``; ``tree`` itself where there is none."""
    bare = tree.unnest()
    return [*alternatives(bare.this), *alternatives(bare.expression)] if isinstance(bare, exp.Or) else [tree]


def columns_of(tree: exp.Expr) -> set[tuple[str, str]]:
    """The columns that ``tree`` names, each as object and name."""
    return {(node.table, node.name) for node in tree.find_all(exp.Column)}


def objects_of(tree: exp.Expr) -> set[str]:
    """The objects whose columns ``tree`` names."""
    return {node.table for node in tree.find_all(exp.Column)}


def _depth(tree: exp.Expr) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest, level = deepest + 1, [child for node in level for child in node.iter_expressions()]
    return deepest


def _unknown(node: exp.Expr) -> str:
    """What of ``node`` is not part of the language; empty where all is."""
    if type(node) not in PARTS:
        return f"'{_shown(node)}' is not allowed in a condition"
    extra = [part for part, value in node.args.items() if value and part not in PARTS[type(node)]]
    return f"'{_shown(node)}' is not allowed in a condition ({', '.join(extra)})" if extra else ""


def _misplaced(node: exp.Expr) -> str:
    """Why ``node`` can't stand where it does; empty where it can."""
    if isinstance(node, exp.In) and not node.expressions:
        return f"'{_shown(node)}' is not allowed in a condition: in needs a list of values in brackets"
    if isinstance(node, exp.Null) and not (isinstance(node.parent, exp.Is) and node.arg_key == "expression"):
        return "nothing is equal to null: write 'is null' or 'is not null'"
    if isinstance(node, exp.Is) and not isinstance(node.expression, (exp.Null, exp.Boolean)):
        return f"'{_shown(node)}' is not allowed in a condition: after 'is' comes null, true or false"
    if isinstance(node, exp.Cast) and not _is_date(node):
        return f"'{_shown(node)}' is not allowed in a condition: the only cast is date 'YYYY-MM-DD'"
    if isinstance(node, exp.Neg) and not (isinstance(node.this, exp.Literal) and not node.this.is_string):
        return f"'{_shown(node)}' is not allowed in a condition"
    if isinstance(node, (exp.And, exp.Or, exp.Not)):
        wrong = next((side for side in node.iter_expressions() if not _is_condition(side)), None)
        return f"'{_shown(wrong)}' is a value, not a condition" if wrong is not None else ""
    if isinstance(node, (*_CONDITIONS, exp.Lower, exp.Neg)) and any(map(_is_nested, node.iter_expressions())):
        return f"'{_shown(node)}' compares a condition: join conditions with and, or, not"
    return ""


def _shown(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")


def _is_condition(node: exp.Expr) -> bool:
    bare = node.unnest()
    return isinstance(bare, (*_CONDITIONS, exp.Column, exp.Boolean))


def _is_nested(node: exp.Expr) -> bool:
    return isinstance(node.unnest(), _CONDITIONS)


def _is_date(node: exp.Expr) -> bool:
    is_text = isinstance(node.this, exp.Literal) and node.this.is_string
    return node.args["to"].this == exp.DataType.Type.DATE and is_text and is_day(node.this.this)


def is_day(text: str) -> bool:
    """Whether ``text`` is a day that exists, as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    """A day, or a day and a time, as DuckDB reads it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return is_day(text[:10])


def _check_column(node: exp.Column, columns: Columns) -> None:
    if not node.table:
        raise ValueError(f"'{node.sql()}' must be written as object.column, for example lead.phone")
    if node.table not in columns:
        raise ValueError(f"'{node.table}' is no object here; expected one of: {', '.join(sorted(columns))}")
    if node.name not in columns[node.table]:
        raise ValueError(
            f"'{node.table}' has no column '{node.name}'; it has: {', '.join(sorted(columns[node.table]))}"
        )


def _check_types(node: exp.Expr, columns: Columns) -> None:
    """A comparison of a column with a literal that it can never hold is a mistake: it is never true, or stops the models."""
    side: exp.Expr
    if isinstance(node, (exp.And, exp.Or, exp.Not)):
        for side in node.iter_expressions():
            if _type(side, columns) not in ("boolean", ""):
                raise ValueError(f"'{_shown(side)}' is no condition: only a boolean column stands alone")
    elif node.parent is None and isinstance(node.unnest(), exp.Column) and _type(node, columns) not in ("boolean", ""):
        raise ValueError(f"'{_shown(node)}' is no condition: only a boolean column stands alone")
    elif isinstance(node, (*_LIKE, exp.Lower)):
        for side in node.iter_expressions():
            if _type(side, columns) not in ("text", ""):
                raise ValueError(f"'{_shown(node)}' is not possible: like and lower() are for text")
    elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean):
        if _type(node.this, columns) not in ("boolean", ""):
            raise ValueError(f"'{_shown(node)}' is not possible: only a boolean is true or false")
    elif isinstance(node, (*_COMPARED, exp.In, exp.Between)):
        first, *others = list(node.iter_expressions())
        for other in others:
            _check_pair(node, first, other, columns)


def _check_pair(node: exp.Expr, left: exp.Expr, right: exp.Expr, columns: Columns) -> None:
    kinds = {_type(left, columns): left, _type(right, columns): right}
    if (
        len(kinds) == 1
        or "" in kinds
        or all(kind in _NUMBERS for kind in kinds)
        or all(kind in _TIMES for kind in kinds)
    ):
        return
    literal = next((side.unnest() for side in (left, right) if isinstance(side.unnest(), exp.Literal)), None)
    if literal is not None and literal.is_string and any(kind in _TIMES for kind in kinds):
        if not _is_moment(literal.this):
            raise ValueError(f"'{literal.this}' is no date; expected for example '2026-01-31'")
        return
    words = " with ".join(kind if kind not in _NUMBERS else "number" for kind in kinds)
    hint = ". A boolean is true or false" if "boolean" in kinds else ". Text stands in single quotes, numbers without"
    raise ValueError(f"'{_shown(node)}' compares {words}{hint}")


def _type(node: exp.Expr, columns: Columns) -> str:
    """``boolean``, ``text``, ``timestamp`` …; empty where it is not known."""
    node = node.unnest()
    if isinstance(node, exp.Column):
        known: Any = columns[node.table]
        return known[node.name] if isinstance(known, Mapping) else ""
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "number"
    if isinstance(node, exp.Cast):
        return "date"
    if isinstance(node, exp.Lower):
        return "text"
    return "number" if isinstance(node, exp.Neg) else "boolean"
