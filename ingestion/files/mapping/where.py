"""The SQL of ``where``: which rows of a file are left out. Conditions of ``process.yml`` do not belong here."""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from ingestion.files.mapping.model import FileMapping
from salesgauge.process.expressions import read_condition

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)


def left_out(mapping: FileMapping, columns: Collection[str]) -> str:
    """SQL condition, never null, for the rows of a file that ``where`` leaves out; rows that can't be read are none of them."""
    tree = read_condition(mapping.where or "true")
    # the types of the literals with which a column is compared decide how its text is read
    kinds: dict[str, str] = {}
    for node in tree.walk():
        sides = [side.unnest() for side in node.iter_expressions()]
        if isinstance(node, (*_COMPARISONS, exp.In, exp.Between)) and isinstance(sides[0], exp.Column):
            kinds.update((sides[0].name, kind) for side in sides[1:] if (kind := _kind_of(side)))
    known = {name.casefold(): name for name in columns}

    def rendered(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        text = exp.column(f"s:{known.get(node.name.casefold(), node.name)}", quoted=True)
        is_alone = isinstance(node.parent, (exp.And, exp.Or, exp.Not, exp.Paren)) or node.parent is None
        is_boolean = is_alone or (isinstance(node.parent, exp.Is) and isinstance(node.parent.expression, exp.Boolean))
        if is_boolean:
            return exp.TryCast(this=text, to=exp.DataType.build("boolean"))
        if node.name in kinds:
            return exp.TryCast(this=text, to=exp.DataType.build(kinds[node.name]))
        words = [exp.Literal.string(word) for word in sorted({"", *mapping.nulls})]
        trimmed = exp.Trim(this=exp.cast(text, "varchar"))
        is_nothing = exp.or_(
            exp.In(this=trimmed, expressions=words), exp.Is(this=trimmed.copy(), expression=exp.Null())
        )
        # an empty cell is another than 'Spam'; that it is empty says only `is null`
        nothing = exp.Null() if isinstance(node.parent, exp.Is) else exp.Literal.string("")
        return exp.Case(ifs=[exp.If(this=is_nothing, true=nothing)], default=trimmed.copy())

    return (
        f"(_reject is null and not coalesce({tree.transform(rendered).sql(dialect='duckdb', comments=False)}, false))"
    )


def _kind_of(literal: exp.Expr) -> str:
    if isinstance(literal, exp.Neg) or (isinstance(literal, exp.Literal) and not literal.is_string):
        return "double"
    if isinstance(literal, exp.Boolean):
        return "boolean"
    return "timestamp" if isinstance(literal, exp.Cast) else ""
