"""A plan gives what ``dbt build`` gives, node by node: on a small project in which everything that can happen happens.

On the models of Salesgauge: ``tests/dbt/test_build.py``.
"""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest

from orchestration import transform
from orchestration.plan import Outcome, Plan
from salesgauge.warehouse import connect

FILES = {
    "dbt_project.yml": """
        name: small
        profile: salesgauge
        models:
          small:
            first: {+schema: first, +materialized: view}
            second: {+schema: second, +materialized: table}
    """,
    "macros/schemas.sql": "{% macro generate_schema_name(name, node) %}{{ name or 'main' }}{% endmacro %}",
    "models/first/numbers.sql": "select i, i % 3 as rest from range({{ var('rows') }}) as t(i)",
    "models/first/words.sql": "select 'a' as word union all select null",
    "models/first/models.yml": """
        models:
          - name: words
            data_tests:
              - not_null: {arguments: {column_name: word}, config: {severity: warn}}
    """,
    # its contract has types as people write them, and columns in another order than the query's
    "models/second/good.sql": "{{ config(tags=['told']) }} select rest, i, cast(i as double) as share from {{ ref('numbers') }}",
    # a view has the columns and types that its contract says
    "models/second/seen.sql": "{{ config(materialized='view') }} select rest, i from {{ ref('numbers') }}",
    "models/second/seen_wrong.sql": "{{ config(materialized='view') }} select i from {{ ref('numbers') }}",
    # cannot be computed
    "models/second/broken.sql": "select cast(word as integer) as n from {{ ref('words') }}",
    "models/second/after_broken.sql": "select n from {{ ref('broken') }}",
    # not what the contract says
    "models/second/other_type.sql": "select i from {{ ref('numbers') }}",
    "models/second/not_there.sql": "select i from {{ ref('numbers') }}",
    "models/second/is_null.sql": "select word from {{ ref('words') }}",
    # built, and found wrong: what is made of it is left out
    "models/second/wrong.sql": "select i from {{ ref('numbers') }}",
    "models/second/after_wrong.sql": "select i from {{ ref('wrong') }}",
    "models/second/after_warned.sql": "select word from {{ ref('words') }}",
    # a test over two models stops only what is made of both
    "models/second/of_one.sql": "select i from {{ ref('numbers') }}",
    "models/second/of_both.sql": "select i from {{ ref('good') }} cross join {{ ref('of_one') }} as other where false",
    "models/second/after_good.sql": "select i from {{ ref('good') }}",
    "models/second/models.yml": """
        models:
          - name: good
            config: {contract: {enforced: true}}
            columns:
              - {name: i, data_type: int64, constraints: [{type: not_null}]}
              - {name: rest, data_type: bigint}
              - {name: share, data_type: float8}
          - name: seen
            config: {contract: {enforced: true}}
            columns: [{name: rest, data_type: bigint}, {name: i, data_type: bigint}]
          - name: seen_wrong
            config: {contract: {enforced: true}}
            columns: [{name: i, data_type: varchar}]
          - name: other_type
            config: {contract: {enforced: true}}
            columns: [{name: i, data_type: varchar}]
          - name: not_there
            config: {contract: {enforced: true}}
            columns: [{name: i, data_type: bigint}, {name: j, data_type: bigint}]
          - name: is_null
            config: {contract: {enforced: true}}
            columns: [{name: word, data_type: text, constraints: [{type: not_null}]}]
          - name: wrong
            data_tests:
              - accepted_values: {arguments: {column_name: i, values: [0, 1, 2], quote: false}}
          - name: after_wrong
            data_tests:
              - not_null: {arguments: {column_name: i}}
          - name: of_one
            data_tests:
              - not_null: {arguments: {column_name: i}, config: {where: i < 5, error_if: "> 3", warn_if: "> 1", limit: 2}}
    """,
    "tests/no_rest.sql": "{{ config(error_if='> 5', warn_if='> 1', limit=4) }} select i from {{ ref('numbers') }} where rest = 0",
    "tests/sum.sql": "{{ config(fail_calc='sum(i)') }} select i from {{ ref('after_good') }} where i > 7",
    "tests/both.sql": "select good.i from {{ ref('good') }} as good join {{ ref('of_one') }} as one using (i)",
    "tests/no_sql.sql": "select nothing from {{ ref('after_good') }}",
}
VALUES = {"rows": 10}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), encoding="utf-8")
    (folder / "profiles.yml").write_bytes((transform.DBT_PROJECT / "profiles.yml").read_bytes())
    return folder


@pytest.fixture(scope="module")
def by_dbt(project: Path) -> Any:
    """What ``dbt build`` finds."""
    return _dbt(project, "dbt", "build")


@pytest.fixture(scope="module")
def plan(project: Path) -> Plan:
    return Plan.of(one.node for one in _dbt(project, "plan", "compile"))


@pytest.fixture(scope="module")
def by_plan(project: Path, plan: Plan) -> Outcome:
    (project / "salesgauge.duckdb").unlink(missing_ok=True)
    with connect(project / "salesgauge.duckdb") as con:
        return plan.run(con)


def _dbt(project: Path, name: str, *command: str) -> Any:
    file = project / name / "salesgauge.duckdb"
    connect(file).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform, "DBT_PROJECT", project)
        patch.setenv("SALESGAUGE_WAREHOUSE", str(file))
        result = transform.invoke([*command, "--vars", "{rows: 10}"], warehouse=file, target=project / "target")
        os.environ.pop("SALESGAUGE_WAREHOUSE", None)
    assert result.result is not None, result.exception
    return list(result.result)


def test_every_node_ends_as_in_dbt(by_dbt: Any, by_plan: Outcome) -> None:
    due = {one.node.unique_id: (one.status.value, one.failures or 0) for one in by_dbt}
    found = {model.unique_id: (str(model.status), 0) for model in by_plan.models}
    found |= {name: (test.status, test.failures) for name, test in by_plan.test_ids.items()}
    assert found == due
    assert {status for status, _ in due.values()} == {"success", "error", "skipped", "pass", "warn", "fail"}


def test_messages_of_tests_are_those_of_dbt(by_dbt: Any, by_plan: Outcome) -> None:
    due = {one.node.name: one.message for one in by_dbt if one.status.value in ("warn", "fail")}
    assert {test.name: test.message for test in by_plan.tests if test.status in ("warn", "fail")} == due
    assert len(due) > 3


def test_the_relations_are_those_of_dbt(project: Path, by_dbt: Any, by_plan: Outcome) -> None:
    due, found = _relations(project / "dbt" / "salesgauge.duckdb"), _relations(project / "salesgauge.duckdb")
    assert found == due
    assert ("second", "good", "i", "BIGINT", "NO", "BASE TABLE") in due


def _relations(file: Path) -> list[tuple[str, ...]]:
    with connect(file, read_only=True) as con:
        return con.execute(
            """
            select table_schema, table_name, column_name, data_type, is_nullable, table_type
            from information_schema.columns join information_schema.tables using (table_schema, table_name)
            where table_schema in ('first', 'second') order by table_schema, table_name, ordinal_position
            """
        ).fetchall()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("broken", "Could not convert string 'a' to INT32"),
        ("other_type", "i is BIGINT, its contract says VARCHAR"),
        ("not_there", "j is not there, its contract says BIGINT"),
        ("seen_wrong", "i is BIGINT, its contract says VARCHAR"),
        ("is_null", "NOT NULL constraint failed"),
    ],
)
def test_an_error_names_the_model_and_the_reason(by_plan: Outcome, model: str, words: str) -> None:
    (message,) = (one.message for one in by_plan.models if one.unique_id == f"model.small.{model}")
    assert message.startswith(f"model {model}: ") and words in message


def test_what_was_compiled_can_be_kept(plan: Plan) -> None:
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("select", "exclude", "models", "tests"),
    [
        ([], ["second"], {"numbers", "words"}, {"not_null_words_word", "no_rest"}),
        (["+after_good"], [], {"numbers", "good", "after_good"}, {"no_rest", "sum", "both", "no_sql"}),
        (["tag:told"], [], {"good"}, {"both"}),
        (["first"], ["words"], {"numbers"}, {"no_rest"}),
    ],
)
def test_a_part_is_selected_as_by_dbt(
    plan: Plan, select: list[str], exclude: list[str], models: set[str], tests: set[str]
) -> None:
    part = plan.select(select, exclude)
    assert {model.name for model in part.models} == models
    assert {test.name for test in part.tests} == tests


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("materialized='incremental'", "model.small.other: materialized as incremental"),
        ("post_hook='select 1'", "model.small.other: hooks"),
        ("materialized='view', contract={'enforced': true}", "model.small.other: a view with constraints"),
    ],
)
def test_what_only_dbt_can_do_is_refused(tmp_path: Path, project: Path, config: str, words: str) -> None:
    for name in ("dbt_project.yml", "profiles.yml"):
        (tmp_path / name).write_bytes((project / name).read_bytes())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "other.sql").write_text(f"{{{{ config({config}) }}}} select 1 as i", encoding="utf-8")
    (tmp_path / "models" / "other.yml").write_text(
        "models: [{name: other, columns: [{name: i, data_type: integer, constraints: [{type: not_null}]}]}]",
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match=words):
        Plan.of(one.node for one in _dbt(tmp_path, "plan", "compile"))


def test_a_name_that_nothing_has_is_an_error(plan: Plan) -> None:
    with pytest.raises(ValueError, match="no model, folder or tag is called 'nowhere'"):
        plan.select(["nowhere"])


def test_progress_ends_with_all(plan: Plan) -> None:
    seen = []
    with duckdb.connect(":memory:") as con:
        con.execute("attach ':memory:' as salesgauge")
        plan.select(["first"]).run(con, lambda done, total: seen.append((done, total)))
    assert seen == [(done, len(seen)) for done in range(1, len(seen) + 1)]
    assert len(seen) == 4
