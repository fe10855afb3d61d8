"""What the documentation takes from the project: the pages of ``docs/kpis/``, one per family of KPIs, and ``docs/reference/marts.md``.

``python -m metrics.reference`` writes what is declared of each KPI into the pages, between two lines; what people wrote around it stays. The columns of
the marts are those of their contracts. What a declaration holds is read by ``salesgauge.kpis``; nothing is said of a KPI or a table here.
"""

from __future__ import annotations

from collections.abc import Iterable

from salesgauge.kpis import Kpi, kpis
from salesgauge.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "kpis"
MARTS = PROJECT_ROOT / "docs" / "reference" / "marts.md"
INDEX = PROJECT_ROOT / "docs" / "kpis.md"
BEGIN, END = (
    "<!-- declared: `make docs` writes what stands between these two lines -->",
    "<!-- end of what is declared -->",
)
_STATISTICS = {
    "count": "number of rows",
    "sum": "sum of {value}",
    "share": "share of the rows for which `{numerator}`, of those where it is known; Wilson interval",
    "odds": "rows for which `{numerator}` / the others; Wilson interval, as odds",
    "mean": "mean of `{value}`; normal approximation",
    "points": "mean of `{value}`; normal approximation, within −100 and 100",
    "median": "median of `{value}`; order-statistic interval",
    "p90": "90th percentile of `{value}`; no interval",
    "weighted": "sum of `{numerator}` / sum of `{denominator}`; interval of a ratio estimator",
    "quotient": "sum of `{numerator}` / sum of `{denominator}`; no interval",
    "per": "`{numerator}` / `{denominator}` of the same period; no interval",
}


def page(family: str) -> str:
    """The name of a family's page."""
    return f"{family.replace('_', '-')}.md"


def declared(family: Iterable[Kpi]) -> str:
    """What is declared of the KPIs of one family, as Markdown."""
    return "\n\n".join("\n".join(_lines(kpi)) for kpi in family)


def index() -> str:
    """A table of all KPIs."""
    rows = ["| KPI | metric | unit | better | page |", "| --- | --- | --- | --- | --- |"]
    for kpi in kpis().values():
        link = f"[{kpi.family.replace('_', ' ')}](kpis/{page(kpi.family)})"
        rows.append(f"| {kpi.label} | `{kpi.name}` | {kpi.unit} | {_better(kpi)} | {link} |")
    return "\n".join(rows)


def _lines(kpi: Kpi) -> Iterable[str]:
    mart = kpi.mart
    yield f"### {kpi.label}: `{kpi.name}`"
    yield ""
    yield kpi.definition
    yield ""
    yield f"- Unit: {kpi.unit}; {_better(kpi)} is better. Definition version {kpi.version}."
    statistic = _STATISTICS[kpi.kind].format(value=kpi.value, numerator=kpi.numerator, denominator=kpi.denominator)
    where = f" where `{kpi.condition}`" if kpi.condition != "true" else ""
    of = f", over `{kpi.fact}`{where}, by `{kpi.date}`" if kpi.fact else ""
    yield f"- Computed: {statistic}{of}."
    yield f"- Needs: {'; '.join(need.replace('|', ' or ').replace('_', ' ') for need in kpi.needs)}."
    columns = [f"{name} `{column}`" for name, column in (("n", mart.n), ("numerator", mart.numerator)) if column]
    rows = f" where `{mart.where}`" if mart.where else ""
    yield f"- Found in `kpi.{mart.table}`, column `{mart.value}`{' (' + ', '.join(columns) + ')' if columns else ''}{rows}."


def _better(kpi: Kpi) -> str:
    return "higher" if kpi.better == "up" else "lower"


def marts() -> str:
    """The page of the columns of ``marts`` and ``kpi``."""
    import yaml

    parts = [
        "# The columns of the marts",
        "Written by `make docs` from the contracts of the models (`dbt_project/models/marts`, `dbt_project/models/kpi`). What the tables are for: [tables](../tables.md).",
    ]
    for folder in ("marts", "kpi"):
        files = sorted((PROJECT_ROOT / "dbt_project" / "models" / folder).glob("*.yml"))
        models = [
            model for file in files for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])
        ]
        for model in sorted(models, key=lambda model: str(model["name"])):
            rows = [
                f"| `{one['name']}` | {one['data_type']} | {_cell(one.get('description', ''))} |"
                for one in model["columns"]
            ]
            table = "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows])
            parts += [f"## {model['name']}", str(model["description"]), table]
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def pages() -> dict[str, str]:
    """Every page that is written, or holds something that is, by its path in the project, as it should be. ValueError: a page has no place for it."""
    families: dict[str, list[Kpi]] = {}
    for kpi in kpis().values():
        families.setdefault(kpi.family, []).append(kpi)
    texts = {FOLDER / page(family): declared(members) for family, members in families.items()} | {INDEX: index()}
    found = {str(MARTS.relative_to(PROJECT_ROOT)): marts()}
    for path, text in texts.items():
        name = str(path.relative_to(PROJECT_ROOT))
        if not path.is_file():
            raise ValueError(
                f"{name} is missing: write what people must know of the family, and the lines\n{BEGIN}\n{END}"
            )
        before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"{name} needs the lines\n{BEGIN}\n{END}")
        found[name] = f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
    return found


if __name__ == "__main__":
    for name, text in pages().items():
        (PROJECT_ROOT / name).write_text(text, encoding="utf-8")
