"""What a run executes: the models and data tests of the project, compiled by dbt and kept.

What the models say belongs in ``dbt_project``; how dbt is called, and what is built when, in ``orchestration.transform``.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Literal

import duckdb

from quality.results import DbtTestResult
from quality.rules import rule_of
from salesgauge.warehouse import with_memory

Status = Literal["success", "error", "skipped"]


@dataclass(frozen=True)
class Column:
    """A column that the project describes: ``type`` as DuckDB calls it, empty where the project does not say."""

    name: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Model:
    """A model with its compiled SQL. Where it has a contract, ``columns`` are all of its columns.

    ``parents`` are models, by id, ``reads`` are tables that no model makes (``source.table``); ``folders`` are those of its file, outermost first.
    """

    unique_id: str
    database: str
    schema: str
    name: str
    description: str
    is_view: bool
    sql: str
    has_contract: bool
    columns: tuple[Column, ...]
    parents: tuple[str, ...]
    reads: tuple[str, ...]
    tags: tuple[str, ...]
    folders: tuple[str, ...]
    file: str

    @property
    def relation(self) -> str:
        return f'"{self.database}"."{self.schema}"."{self.name}"'


@dataclass(frozen=True)
class Test:
    """A data test with its compiled SQL, which finds the rows that break it. ``table`` is the model that it is attached to.

    ``failures`` is the expression that counts the rows; ``warn_if`` and ``error_if`` are conditions on it, such as ``!= 0``.
    """

    __test__ = False  # no test of pytest's

    unique_id: str
    name: str
    table: str
    sql: str
    severity: str
    failures: str
    warn_if: str
    error_if: str
    limit: int | None
    parents: tuple[str, ...]
    rule: str

    @property
    def statement(self) -> str:
        """One row: failures, should_warn, should_error."""
        limit = "" if self.limit is None else f"limit {self.limit}"
        return (
            f"select {self.failures}, {self.failures} {self.warn_if}, {self.failures} {self.error_if} "
            f"from (\n{self.sql}\n{limit}) as test"
        )


@dataclass(frozen=True)
class ModelResult:
    """One model that was to be built. ``rows``: of a table."""

    unique_id: str
    status: Status
    seconds: float
    message: str
    rows: int | None = None


@dataclass
class Outcome:
    """What was built and tested."""

    models: list[ModelResult] = field(default_factory=list)
    tests: list[DbtTestResult] = field(default_factory=list)
    test_ids: dict[str, DbtTestResult] = field(default_factory=dict)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.models + other.models, self.tests + other.tests, self.test_ids | other.test_ids)

    def __or__(self, newer: Outcome) -> Outcome:
        """What is known after ``newer``, which did a part of the same again."""
        models = {model.unique_id: model for model in [*self.models, *newer.models]}
        tests = self.test_ids | newer.test_ids
        return Outcome([*models.values()], [*tests.values()], tests)


@dataclass(frozen=True)
class Plan:
    """Models, parents first, and tests. Its SQL depends on the project and its variables only, not on data or on the moment."""

    models: tuple[Model, ...]
    tests: tuple[Test, ...]

    @classmethod
    def of(cls, nodes: Iterable[Any]) -> Plan:
        """The plan of dbt's compiled ``nodes``, models and data tests; other nodes are none of its.

        ValueError: a model or test needs something that only dbt does.
        """
        nodes = list(nodes)
        if wrong := [f"{node.unique_id}: {what}" for node in nodes for what in _not_here(node)]:
            raise ValueError(f"a run can't execute this: {'; '.join(wrong)} (docs/adr/0019 says what it can)")
        found = {node.unique_id: node for node in nodes if node.resource_type.value == "model"}
        parents = {name: [one for one in node.depends_on.nodes if one in found] for name, node in found.items()}
        ordered = TopologicalSorter({name: sorted(parents[name]) for name in sorted(parents)}).static_order()
        types = _Types()
        return cls(
            tuple(_model(found[name], parents[name], types) for name in ordered),
            tuple(
                _test(node, found)
                for node in sorted(nodes, key=lambda one: one.unique_id)
                if node.resource_type.value == "test"
            ),
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        content = json.loads(text)
        return cls(
            tuple(
                Model(**_tuples(model) | {"columns": tuple(Column(**column) for column in model["columns"])})
                for model in content["models"]
            ),
            tuple(Test(**_tuples(test)) for test in content["tests"]),
        )

    def select(self, select: Iterable[str] = (), exclude: Iterable[str] = ()) -> Plan:
        """The part that is named: by the name of a model or of a folder, by ``tag:name``, or by ``+name``, with all that it is made of.

        As in dbt, a test belongs to what is selected, or excluded, as soon as one of its models does. ValueError: nothing is called so.
        """
        named, left_out = list(select), self._named(exclude)
        chosen = (self._named(named) if named else {model.unique_id for model in self.models}) - left_out
        return Plan(
            tuple(model for model in self.models if model.unique_id in chosen),
            tuple(
                test
                for test in self.tests
                if (not named or chosen & {*test.parents}) and not left_out & {*test.parents}
            ),
        )

    def _named(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for written in names:
            name = written.removeprefix("+")
            mine = {
                model.unique_id
                for model in self.models
                if name in (model.name, *model.folders, *(f"tag:{tag}" for tag in model.tags))
            }
            if not mine:
                raise ValueError(f"no model, folder or tag is called '{written}'")
            found |= mine
            if name != written:
                found |= set().union(*(self.ancestors[one] for one in mine))
        return found

    @property
    def ancestors(self) -> dict[str, set[str]]:
        """All models that a model is made of, by its id."""
        found: dict[str, set[str]] = {}
        for model in self.models:
            known = [one for one in model.parents if one in found]
            found[model.unique_id] = {*known}.union(*(found[one] for one in known))
        return found

    def run(
        self, con: duckdb.DuckDBPyConnection, on_node: Callable[[int, int], None] = lambda done, total: None
    ) -> Outcome:
        """Build the models and run the tests in the warehouse ``con``; ``on_node`` is told how many of how many are done.

        As in dbt, a model waits for the tests of all that it is made of, and is left out where one of these failed (or a
        model that it needs). Failures are in the outcome, not raised.
        """
        outcome = Outcome()
        ancestors = self.ancestors
        due = defaultdict(list)  # model → the tests that can be run after it; None: at once
        for one in self.tests:
            due[
                max((model for model in ancestors if model in one.parents), key=[*ancestors].index, default=None)
            ].append(one)
        stopped: set[str] = set()  # models that were not built
        failed: list[Test] = []

        def count() -> None:
            on_node(len(outcome.models) + len(outcome.tests), len(self.models) + len(self.tests))

        def test(tests: Iterable[Test]) -> None:
            for one in tests:
                result = _run_test(con, one, is_skipped=not stopped.isdisjoint(one.parents))
                outcome.tests.append(result)
                outcome.test_ids[one.unique_id] = result
                if result.status in ("fail", "error"):
                    failed.append(one)
                count()

        for schema in sorted({f'"{model.database}"."{model.schema}"' for model in self.models}):
            con.execute(f"create schema if not exists {schema}")
        test(due[None])
        for model in self.models:
            mine = ancestors[model.unique_id]
            is_skipped = not stopped.isdisjoint(mine) or any(mine.issuperset(one.parents) for one in failed)
            outcome.models.append(result := _build_model(con, model, is_skipped=is_skipped))
            if result.status != "success":
                stopped.add(model.unique_id)
            count()
            test(due[model.unique_id])
        return outcome


def _build_model(con: duckdb.DuckDBPyConnection, model: Model, *, is_skipped: bool) -> ModelResult:
    if is_skipped:
        return ModelResult(model.unique_id, "skipped", 0.0, "")
    began = time.monotonic()
    try:
        counted = with_memory(con, lambda: _materialize(con, model))
    except (duckdb.Error, _ContractError) as error:
        message = f"model {model.name}: {error}"
        return ModelResult(model.unique_id, "error", time.monotonic() - began, message)
    rows = None if model.is_view or counted is None else int(counted[0])
    return ModelResult(model.unique_id, "success", time.monotonic() - began, "", rows)


def _materialize(con: duckdb.DuckDBPyConnection, model: Model) -> tuple[int, ...] | None:
    """What its last statement says. Where one fails, nothing of it is left."""
    counted: tuple[int, ...] | None = None
    con.begin()
    try:
        for statement in _statements(con, model):
            counted = con.execute(statement).fetchone()
        con.commit()
    except (duckdb.Error, _ContractError):
        con.rollback()
        raise
    return counted


class _ContractError(Exception):
    """What a model gives is not what its contract says."""


def _statements(con: duckdb.DuckDBPyConnection, model: Model) -> Iterator[str]:
    if not model.has_contract:
        yield f"create or replace {'view' if model.is_view else 'table'} {model.relation} as (\n{model.sql}\n)"
        return
    given = {name: kind for name, kind, *_ in con.execute(f"describe (\n{model.sql}\n)").fetchall()}
    due = {column.name: column.type for column in model.columns}
    if wrong := [
        f"{name} is {given.get(name, 'not there')}, its contract says {due.get(name, 'nothing of it')}"
        for name in {**due, **given}
        if given.get(name) != due.get(name)
    ]:
        raise _ContractError("; ".join(wrong))
    names = ", ".join(f'"{column.name}"' for column in model.columns)
    if model.is_view:
        yield f"create or replace view {model.relation} as (\nselect {names} from (\n{model.sql}\n) as model\n)"
        return
    columns = ", ".join(
        f'"{column.name}" {column.type}{" not null" if column.is_required else ""}' for column in model.columns
    )
    yield f"create or replace table {model.relation} ({columns})"
    yield f"insert into {model.relation} ({names}) select {names} from (\n{model.sql}\n) as model"


def _run_test(con: duckdb.DuckDBPyConnection, test: Test, *, is_skipped: bool) -> DbtTestResult:
    status, failures, message = "pass", 0, ""
    if is_skipped:
        status = "skipped"
    else:
        try:
            row = with_memory(con, lambda: con.execute(test.statement).fetchone()) or (0, False, False)
        except duckdb.Error as error:
            status, message = "error", f"test {test.name}: {error}"
        else:
            found = int(row[0] or 0)
            if row[2] and test.severity == "error":
                status, failures, condition = "fail", found, test.error_if
            elif row[1]:
                status, failures, condition = "warn", found, test.warn_if
            if failures:
                message = f"Got {failures} result{'s' if failures != 1 else ''}, configured to {status} if {condition}"
    return DbtTestResult(
        name=test.name,
        table=test.table,
        status=status,
        failures=failures,
        severity=test.severity,
        message=message,
        rule=test.rule,
        sql=test.sql if failures else "",
    )


def _not_here(node: Any) -> Iterator[str]:
    """What ``node`` needs of dbt that a run does not do."""
    kind, config = node.resource_type.value, node.config
    if kind == "model":
        if config.materialized not in ("table", "view"):
            yield f"materialized as {config.materialized}"
        if config.pre_hook or config.post_hook:
            yield "hooks"
        kinds = {one.type.value for column in node.columns.values() for one in column.constraints}
        kinds |= {one.type.value for one in node.constraints}
        if others := sorted(kinds - {"not_null"}):
            yield f"constraints: {', '.join(others)}"
        if config.materialized == "view" and "not_null" in kinds:
            yield "a view with constraints"
    if kind == "test" and config.store_failures:
        yield "failures to be stored"


def _model(node: Any, parents: list[str], types: _Types) -> Model:
    return Model(
        unique_id=node.unique_id,
        database=node.database,
        schema=node.schema,
        name=node.alias,
        description=node.description,
        is_view=node.config.materialized == "view",
        sql=node.compiled_code,
        has_contract=node.config.contract.enforced,
        columns=tuple(
            Column(
                name=column.name,
                type=types.of(column.data_type) if column.data_type else "",
                is_required=any(one.type.value == "not_null" for one in column.constraints),
                description=column.description,
            )
            for column in node.columns.values()
        ),
        parents=tuple(parents),
        reads=tuple(".".join(one.split(".")[2:]) for one in node.depends_on.nodes if one.startswith("source.")),
        tags=tuple(node.tags),
        folders=tuple(node.fqn[1:-1]),
        file=node.original_file_path,
    )


def _test(node: Any, models_by_id: Mapping[str, Any]) -> Test:
    generic = getattr(node, "test_metadata", None)
    models = [one for one in node.depends_on.nodes if one.startswith("model.")]
    attached = getattr(node, "attached_node", None) or (models[0] if models else node.unique_id)
    arguments = generic.kwargs if generic else {}
    if generic and generic.name == "grain":
        arguments = arguments | {"columns": models_by_id[attached].config.meta["grain"]}
    return Test(
        unique_id=node.unique_id,
        name=node.name.rstrip("_"),  # dbt puts arguments behind it, none too
        table=attached.split(".")[-1],
        sql=node.compiled_code,
        severity=node.config.severity.lower(),
        failures=node.config.fail_calc,
        warn_if=node.config.warn_if,
        error_if=node.config.error_if,
        limit=node.config.limit,
        parents=tuple(models),
        rule=rule_of(generic.name if generic else "", arguments, node.raw_code or ""),
    )


class _Types:
    """DuckDB's own names of types: a contract may say ``string`` or ``varchar``."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def of(self, written: str) -> str:
        if written not in self._names:
            with duckdb.connect(":memory:") as con:
                self._names[written] = con.execute(f"select typeof(cast(null as {written}))").fetchall()[0][0]
        return self._names[written]


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with tuples where JSON has lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
