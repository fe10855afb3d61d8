"""Conditions as people write them, parsed and written anew: what is not understood is refused, nothing is pasted.

The language is that of ``salesgauge.process.expressions``, over the metric's dimensions, ``metric_time`` (the day) and literals. Which dimensions
a metric has belongs to ``engine``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import expressions as exp

from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest
from salesgauge.process.expressions import WORDS, read_condition

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.NullSafeEQ: "is not distinct from",
    exp.NullSafeNEQ: "is distinct from",
}
_LIKE: dict[type[exp.Expr], str] = {exp.Like: "like", exp.ILike: "ilike"}


def render_where(condition: str, columns: Mapping[str, str], metric: str) -> str:
    """``condition`` with what ``columns`` has in the place of each dimension (``metric_time`` among them): SQL, or MetricFlow's template language.

    ConfigurationError names what is wrong, and what is allowed for ``metric``.
    """
    try:
        tree = read_condition(condition)
    except ValueError as error:
        raise _refused(condition, str(error)) from error
    return _Renderer(condition, columns, metric).boolean(tree)


def names_in(condition: str) -> set[str]:
    """The columns that ``condition`` names, in lower case. ConfigurationError as of ``render_where``."""
    try:
        return {column.name.lower() for column in read_condition(condition).find_all(exp.Column)}
    except ValueError as error:
        raise _refused(condition, str(error)) from error


def _refused(condition: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The condition {condition!r} can't be used: {reason}. For example: service_line = 'hvac'"
    )


class _Renderer:
    """Writes every part of the nodes that ``read_condition`` lets through (``PARTS`` there is the list)."""

    def __init__(self, condition: str, columns: Mapping[str, str], metric: str) -> None:
        self._condition = condition
        self._columns = columns
        self._metric = metric

    def boolean(self, node: exp.Expr) -> str:
        """A node that is true or false, in brackets where its neighbours could take it apart."""
        if isinstance(node, exp.Paren):
            return f"({self.boolean(node.this)})"
        if isinstance(node, (exp.And, exp.Or)):
            word = "and" if isinstance(node, exp.And) else "or"
            return f"({self.boolean(node.this)} {word} {self.boolean(node.expression)})"
        if isinstance(node, exp.Not):
            return f"(not {self.boolean(node.this)})"
        if type(node) in _COMPARISONS:
            return f"({self._value(node.this)} {_COMPARISONS[type(node)]} {self._value(node.expression)})"
        if type(node) in _LIKE:
            word = f"not {_LIKE[type(node)]}" if node.args.get("negate") else _LIKE[type(node)]
            return f"({self._value(node.this)} {word} {self._value(node.expression)})"
        if isinstance(node, exp.In):
            return f"({self._value(node.this)} in ({', '.join(self._value(item) for item in node.expressions)}))"
        if isinstance(node, exp.Between):
            low, high = self._value(node.args["low"]), self._value(node.args["high"])
            return f"({self._value(node.this)} between {low} and {high})"
        if isinstance(node, exp.Is):
            return f"({self._value(node.this)} is {node.expression.sql()})"
        return self._value(node)

    def _value(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Literal):
            return _text(node.this) if node.is_string else _number(node.this, self._condition)
        if isinstance(node, exp.Boolean):
            return "true" if node.this else "false"
        if isinstance(node, exp.Neg):
            return f"-{_number(node.this.this, self._condition)}"
        if isinstance(node, exp.Paren):
            return self._value(node.this)
        if isinstance(node, exp.Cast):
            return f"cast({_text(node.this.this)} as date)"
        raise _refused(
            self._condition, f"{node.sql(dialect='duckdb')!r} is not allowed in a condition. Allowed: {WORDS}"
        )

    def _column(self, node: exp.Column) -> str:
        name = node.name.lower()
        if node.table:
            raise _refused(self._condition, f"{node.sql(dialect='duckdb')!r} is not a dimension")
        if name not in self._columns:
            hint = suggest(name, self._columns)
            raise ConfigurationError(
                f"The condition {self._condition!r} can't be asked of {self._metric}, which has no dimension {name!r}{hint}"
            )
        return self._columns[name]


def _number(text: str, condition: str) -> str:
    try:
        float(text)
    except ValueError as error:
        raise _refused(condition, f"{text!r} is not a number") from error
    return text


def _text(value: str) -> str:
    """A string literal. A ``{`` would begin a template of MetricFlow's if another bracket followed: the literal is cut behind each one."""
    pieces = value.replace("'", "''").split("{")
    return (
        "(" + " || ".join(f"'{piece}'" for piece in _with_brackets(pieces)) + ")"
        if len(pieces) > 1
        else f"'{pieces[0]}'"
    )


def _with_brackets(pieces: list[str]) -> list[str]:
    return [piece + ("{" if place < len(pieces) - 1 else "") for place, piece in enumerate(pieces)]
