"""The shape of the dbt project: every model documented, contracts on what people query, each layer on top of the one below."""

from __future__ import annotations

import re
from typing import Any

from orchestration import transform
from quality.rules import rule_of
from tests.dbt.project import EVERY_SOURCE, PROJECT, variables

Model = dict[str, Any]
# Each with the beginning of its models' names; the one other name is MetricFlow's.
LAYERS = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_", "metricflow_time_spine"),
    "statistics": ("stat_",),
    "kpi": ("kpi_",),
}
# The raw log is staging's alone; the process file shapes every layer; what Python models wrote is read from the marts on.
SOURCES_OF = {
    "staging": {f"raw_{source}" for source in (*EVERY_SOURCE, "files", "log")} | {"process"},
    "intermediate": {"process"},
    "marts": {"process", "analysis"},
    "statistics": {"process"},
    "kpi": {"process", "raw_log"},
}
BELOW = {
    "staging": {"staging"},
    "intermediate": {"staging", "intermediate"},
    "marts": {"intermediate", "marts"},
    "statistics": {"marts", "statistics"},
    "kpi": {"intermediate", "marts", "statistics", "kpi"},
}
# Counts what was received where it came in, so that a record that gets lost on the way shows.
SEES_STAGING = {"kpi_accounting", "kpi_reconciliation"}
# Macros hold what differs between engines; a model that has one of these would not move to another engine.
FUNCTIONS = (
    r"json_\w+|list_\w+|array_\w+|unnest|generate_series|range|strptime|strftime|epoch\w*|date_diff|datediff|timezone|regexp_\w+|quantile\w*|"
    r"percentile_\w+|median|arg_max|arg_min|max_by|min_by|any_value|try_cast|split_part|string_split|md5|hash|to_minutes|to_days|isodow|"
    r"make_timestamp\w*|exclude|columns"
)
KEYWORDS = r"asof|qualify|(union|intersect|except)(\s+all)?\s+by\s+name|group\s+by\s+all|order\s+by\s+all|lambda"
ENGINE_SPECIFIC = re.compile(rf"\b(({FUNCTIONS})\s*\(|({KEYWORDS})\b)|::|->", re.IGNORECASE)


def layer(model: Model) -> str:
    return model["fqn"][1]


def test_every_layer_has_models(models: dict[str, Model]) -> None:
    found = {name: [model for model in models.values() if layer(model) == name] for name in LAYERS}
    assert all(found.values()), {name: len(group) for name, group in found.items()}
    assert {layer(model) for model in models.values()} == set(LAYERS)


def test_metrics_are_not_silently_empty(manifest: dict[str, Any]) -> None:
    assert manifest["semantic_models"] and manifest["metrics"]


def test_schema_and_name_are_the_folders(models: dict[str, Model]) -> None:
    assert {name: model["schema"] for name, model in models.items()} == {
        name: layer(model) for name, model in models.items()
    }
    assert [name for name, model in models.items() if not name.startswith(LAYERS[layer(model)])] == []


def test_every_model_says_its_grain(models: dict[str, Model]) -> None:
    silent = [name for name, model in models.items() if not model["description"].startswith("Grain - ")]
    assert silent == []


def test_every_model_has_a_twin_and_a_grain(models: dict[str, Model]) -> None:
    twins = {name: (model["patch_path"] or "").partition("://")[2] for name, model in models.items()}
    assert twins == {name: model["original_file_path"].replace(".sql", ".yml") for name, model in models.items()}
    assert [name for name, model in models.items() if "grain" not in model["config"]["meta"]] == []


def test_grains_are_tested(manifest: dict[str, Any], models: dict[str, Model]) -> None:
    """Each model says its grain once, in its meta: the test takes it from there."""
    tested = {
        node["attached_node"].split(".")[-1]: node["test_metadata"]["kwargs"].get("nullable", False)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "grain"
    }
    assert set(tested) == {name for name, model in models.items() if model["config"]["meta"]["grain"]}
    assert len(tested) > 200
    # A row about a KPI may lack a date, or a stage that it is not about; all other keys are never empty.
    assert [
        name for name, is_nullable in tested.items() if is_nullable and layer(models[name]) not in ("statistics", "kpi")
    ] == []


def test_contracts_are_enforced_on_what_people_query(models: dict[str, Model]) -> None:
    marts = {name: model for name, model in models.items() if name.startswith(("dim_", "fct_", "kpi_"))}
    assert len(marts) > 30
    assert [name for name, model in marts.items() if not model["config"]["contract"]["enforced"]] == []
    assert [
        f"{name}.{column['name']}"
        for name, model in marts.items()
        for column in model["columns"].values()
        if not column["data_type"]
    ] == []


def test_facts_carry_the_segments(models: dict[str, Model]) -> None:
    segments = {
        "branch", "rep", "rep_id", "team", "channel", "campaign", "service_line", "job_type", "customer_type", "process_version",
        "pipeline",
    }  # fmt: skip
    lacking = {name: segments - set(model["columns"]) for name, model in models.items() if name.startswith("fct_")}
    assert {name: missing for name, missing in lacking.items() if missing} == {}


def test_layers_stand_on_the_layer_below(manifest: dict[str, Any], models: dict[str, Model]) -> None:
    by_id = {model["unique_id"]: model for model in models.values()}
    wrong = []
    for name, model in models.items():
        for parent in model["depends_on"]["nodes"]:
            if parent.startswith("source."):
                source = manifest["sources"][parent]["source_name"]
                if source not in SOURCES_OF[layer(model)]:
                    wrong.append(f"{name} ({layer(model)}) selects from source {source}")
            elif name not in SEES_STAGING and layer(by_id[parent]) not in BELOW[layer(model)]:
                wrong.append(f"{name} ({layer(model)}) selects from {by_id[parent]['name']} ({layer(by_id[parent])})")
    assert wrong == []


def test_staging_knows_one_source_each(manifest: dict[str, Any], models: dict[str, Model]) -> None:
    for name, model in models.items():
        if layer(model) == "staging":
            own = name.removeprefix("stg_").split("__")[0]
            read = {parent.split(".")[2] for parent in model["depends_on"]["nodes"]} - {"process"}
            assert {table.removeprefix("stg_").split("__")[0] for table in read} <= {own, f"raw_{own}"}, name


def test_sources_are_those_of_the_settings(models: dict[str, Model]) -> None:
    """Macros tell files from sources by a list of their own; each source's models are built only where a company has it."""
    macros = (PROJECT / "macros" / "canonical.sql").read_text(encoding="utf-8")
    listed = re.search(r"macro api_sources\(\) %}\s*\{\{ return\(\[(.*?)\]\)", macros)
    assert listed is not None and re.findall(r"'(\w+)'", listed[1]) == list(EVERY_SOURCE)
    switched = re.findall(
        r"(?m)^      (\w+): \{\+enabled: \"\{\{ '\1' in var\('sources', \[\]\) \}\}\"\}$",
        (PROJECT / "dbt_project.yml").read_text(encoding="utf-8"),
    )
    assert sorted(switched) == sorted(EVERY_SOURCE)
    assert {model["fqn"][2] for model in models.values() if layer(model) == "staging"} == {*EVERY_SOURCE, "files"}


def test_what_three_tables_read_is_a_table() -> None:
    """A view is parsed, planned and read again for each."""
    models = {model.unique_id: model for model in transform.plan_of(variables(EVERY_SOURCE)).models}
    readers: dict[str, set[str]] = {name: set() for name, model in models.items() if model.is_view}

    def read(name: str, table: str) -> None:
        for parent in set(models[name].parents) & set(readers):
            readers[parent].add(table)
            read(parent, table)

    for name in set(models) - set(readers):
        read(name, name)
    assert len(readers) > 30
    assert {name: sorted(tables) for name, tables in readers.items() if len(tables) >= 3} == {}


def test_engine_specific_sql_is_in_macros_only() -> None:
    found = []
    for path in sorted((PROJECT / "models").rglob("*.sql")):
        sql = re.sub(r"\{[{%#].*?[}%#]\}|--[^\n]*|'[^'\n]*'", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [f"{path.name}: {match.group().strip()}" for match in ENGINE_SPECIFIC.finditer(sql)]
    assert found == []


def test_nothing_reads_the_clock() -> None:
    clock = re.compile(
        r"\b(now\(\)|current_date|current_timestamp|today\(\)|get_current_\w+|random\(\)|uuid\(\))", re.IGNORECASE
    )
    sql = [
        *(PROJECT / "models").rglob("*.sql"),
        *(PROJECT / "macros").rglob("*.sql"),
        *(PROJECT / "tests").rglob("*.sql"),
    ]
    assert len(sql) > 100
    assert [path.name for path in sql if clock.search(path.read_text(encoding="utf-8"))] == []


def test_every_test_of_the_models_says_its_rule_in_words(manifest: dict[str, Any]) -> None:
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert len(tests) > 100
    silent = []
    for node in tests:
        generic = node.get("test_metadata") or {"name": "", "kwargs": {}}
        if not rule_of(generic["name"], generic["kwargs"], node["raw_code"]):
            silent.append(node["name"])
    assert silent == []
