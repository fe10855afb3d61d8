"""The command ``query``: questions to the published version. Added to ``salesgauge`` in ``cli``; what is asked is answered by ``metrics``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salesgauge.settings import Company

if TYPE_CHECKING:
    from metrics import Answer, MetricStore
    from metrics.answers import Explanation

# Of the rows behind a number a table shows so many, where nothing else is asked for.
_MOST_ROWS = 25


def _names(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """``a,b`` is the same as both given."""
    return tuple(name.strip() for item in value for name in item.split(",") if name.strip())


@click.command()
@click.argument("metrics", metavar="[METRIC]...", nargs=-1, callback=_names)
@click.option(
    "--by",
    multiple=True,
    callback=_names,
    help="A dimension (rep, branch, channel, from_stage …); may be given several times.",
)
@click.option("--grain", type=click.Choice(["day", "week", "month", "quarter", "year"]), help="A row per period.")
@click.option("--where", help="A condition over dimensions, for example \"service_line = 'hvac'\".")
@click.option(
    "--compare",
    type=click.Choice(["previous_period", "previous_year", "before", "target"]),
    help="Beside the period before, the same one a year before, the scorecard's baseline, or the target.",
)
@click.option("--trend", is_flag=True, help="The last 13 complete periods: weeks, or those of --grain.")
@click.option("--sort", multiple=True, callback=_names, help="A column to sort by; -COLUMN: the largest first.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many rows.")
@click.option("--plain", is_flag=True, help="Only the value, as a bare number: no n, no interval.")
@click.option("--explain", is_flag=True, help="Definition, version and SQL instead of the answer.")
@click.option("--drill", is_flag=True, help="The records behind the number, with links into their source.")
@click.option("--format", "style", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--list", "show_list", is_flag=True, help="List the metrics, or the dimensions of METRIC.")
@click.pass_obj
def query(
    root: Path,
    metrics: tuple[str, ...],
    by: tuple[str, ...],
    grain: str | None,
    where: str | None,
    compare: str | None,
    trend: bool,
    sort: tuple[str, ...],
    limit: int | None,
    plain: bool,
    explain: bool,
    drill: bool,
    style: str,
    show_list: bool,
) -> None:
    """Ask the published version for METRIC, or for several, or a question that process.yml has saved by its name.

    Beside each value stand its n and 95 % interval. Without --by and --grain the answer is one row. CSV and JSON have the columns METRIC, METRIC_n,
    METRIC_low, METRIC_high and METRIC_is_low_n (n below 20), in full precision.

    \b
    salesgauge query --list                                     which metrics there are
    salesgauge query --list win_rate                            what it can be asked by
    salesgauge query win_rate won_amount --by rep --sort -win_rate --limit 5
    salesgauge query win_rate --grain month --where "service_line = 'hvac' and metric_time >= '2026-01-01'"
    salesgauge query leads_created won_amount --grain month --compare previous_year
    salesgauge query win_rate --by branch --compare target
    salesgauge query win_rate --trend                           week by week, with n and interval
    salesgauge query leads_created --grain week --plain --format csv
    salesgauge query how_reps_do                                a question that process.yml has saved
    salesgauge query win_rate --explain
    salesgauge query win_rate --drill --where "rep = 'Ann Lee' and metric_time >= '2026-06-01'"
    """
    from metrics import MetricStore, asked, newest_periods, render

    if len([one for one in (compare, explain, drill) if one]) > 1:
        raise click.UsageError("--compare, --explain and --drill are three questions: ask one of them.")
    company = Company.open(root)
    # In the folder of which an erasure deletes what names the person.
    with MetricStore(company.pointer, company.work_dir / "questions") as store:
        if show_list or not metrics:
            _print_metrics(store, metrics)
            return
        told = {"by": list(by), "grain": grain, "where": where, "compare": compare, "sort": list(sort), "limit": limit}
        question = _question(store, metrics, told)
        if trend:
            question["grain"] = question.get("grain") or "week"
            question["where"] = newest_periods(store, question["grain"], question.get("where"))
        if explain:
            for metric in question["metrics"]:
                _print_explanation(store.explain(metric, *_how(question)), style)
            return
        if drill:
            most = limit or (_MOST_ROWS if style == "table" else None)
            answer = _rows_behind(company, store, question, sort, most)
        else:
            answer = asked(store, question)
        click.echo(render(answer.plain() if plain else answer, style, store.currency), nl=False)


def _question(store: MetricStore, metrics: Sequence[str], told: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked: of a saved question what it says, but for what the options say."""
    saved = store.saved().get(metrics[0], {}) if len(metrics) == 1 else {}
    return {"metrics": list(metrics), **saved, **{key: value for key, value in told.items() if value}}


def _how(question: Mapping[str, Any]) -> tuple[list[str], str | None, str | None]:
    return question.get("by", []), question.get("grain"), question.get("where")


def _rows_behind(
    company: Company, store: MetricStore, question: Mapping[str, Any], sort: Sequence[str], most: int | None
) -> Answer:
    from orchestration.links import with_links

    if len(question["metrics"]) > 1:
        raise click.UsageError("--drill shows the records behind one metric.")
    rows = store.drill(question["metrics"][0], *_how(question)).sorted_by(sort)
    return with_links(company, rows.first(most) if most else rows)


def _print_explanation(one: Explanation, style: str) -> None:
    from metrics import explained

    if style == "json":
        found = {**vars(one), "declared": dict(one.declared), "as_of_date": one.as_of_date.isoformat()}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(explained(one))


def _print_metrics(store: MetricStore, metrics: Sequence[str]) -> None:
    from rich.table import Table

    from orchestration.console import make_console

    console = make_console()
    table = Table(box=None)
    for header in ("metric", "what it is", "dimensions"):
        table.add_column(header, overflow="fold")
    entries = [store.describe(metric) for metric in metrics] or store.list()
    for entry in entries:
        table.add_row(entry.name, entry.description, ", ".join(entry.dimensions))
    console.print(table)
    if (saved := store.saved()) and not metrics:
        table = Table(box=None)
        for header in ("saved question", "what it asks"):
            table.add_column(header, overflow="fold")
        for name, question in saved.items():
            table.add_row(name, question.get("description") or ", ".join(question["metrics"]))
        console.print(table)
