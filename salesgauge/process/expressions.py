"""Conditions that people write in ``process.yml`` (exclusions, exit criteria): parsed and rebuilt, never pasted into SQL.

Which columns a condition may name is the caller's; what happens with the result is the models'.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

ALLOWED = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Like, exp.ILike,
    exp.Between, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Lower, exp.Neg,
)  # fmt: skip


def parse_condition(text: str, columns: Mapping[str, frozenset[str]]) -> exp.Expression:
    """``text`` as a checked expression over ``object.column`` names.

    ``columns`` maps each object (``lead``, ``deal`` …) to its columns. Allowed: comparisons, ``in``, ``like``, ``between``, ``is null``,
    ``and``, ``or``, ``not``, ``lower()`` and literals. ValueError says what is wrong and what is allowed.
    """
    try:
        tree = sqlglot.parse_one(text, read="duckdb")
    except SqlglotError as error:
        raise ValueError(f"can't be read as a condition: {str(error).splitlines()[0]}") from error
    for node in tree.walk():
        if not isinstance(node, ALLOWED):
            raise ValueError(
                f"'{node.sql()}' is not allowed in a condition. Allowed: = <> < <= > >= in like between is null and or not lower() and literals"
            )
        if isinstance(node, exp.Column):
            _check_column(node, columns)
    return tree


def _check_column(node: exp.Column, columns: Mapping[str, frozenset[str]]) -> None:
    if not node.table or node.args.get("db"):
        raise ValueError(f"'{node.sql()}' must be written as object.column, for example lead.phone")
    if node.table not in columns:
        raise ValueError(f"'{node.table}' is no object here; expected one of: {', '.join(sorted(columns))}")
    if node.name not in columns[node.table]:
        raise ValueError(
            f"'{node.table}' has no column '{node.name}'; it has: {', '.join(sorted(columns[node.table]))}"
        )


def to_sql(tree: exp.Expression) -> str:
    """The expression as portable SQL with unqualified, quoted column names."""
    bare = tree.copy()
    for node in list(bare.find_all(exp.Column)):
        node.replace(exp.column(node.name, quoted=True))
    return bare.sql(dialect="duckdb")
