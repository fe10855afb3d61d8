"""The ``salesgauge`` command. Each command is a call into the package that does the work; heavy imports wait until they are needed."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import click

from orchestration.cli_data import erase, quarantine, show
from orchestration.cli_query import query
from orchestration.cli_sources import sources
from salesgauge.errors import SalesgaugeError
from salesgauge.settings import PROJECT_ROOT, Company

DEMO_ROOT = PROJECT_ROOT / "var" / "demo"
# Looking for cycles among a million objects of Dagster, dbt and Great Expectations was a tenth of what a run costs. Hardly any are garbage.
COLLECTING_RARELY = (100_000, 50, 1_000)


class _Group(click.Group):
    """Our own errors end the program with their message and exit code, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SalesgaugeError as error:
            from rich.console import Console

            Console(stderr=True).print(
                f"salesgauge: {error}", style="red", markup=False, highlight=False, soft_wrap=True
            )
            sys.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--company", "root", type=click.Path(path_type=Path), default=Path(), help="The company directory (default: here)."
)
@click.version_option(package_name="salesgauge")
@click.pass_context
def main(ctx: click.Context, root: Path) -> None:
    """The sales process of a contractor, measured: from the first call to the paid invoice.

    \b
    Begin:     salesgauge init mycompany         a commented company directory
               salesgauge --company mycompany run
    Ask:       salesgauge --company mycompany query --list
               salesgauge --company mycompany query win_rate --by rep --grain month
    Look:      salesgauge --company mycompany report
               salesgauge --company mycompany checks   what could not be judged, worst first
    Try it:    salesgauge demo run               a simulated company, with everything
    """
    gc.set_threshold(*COLLECTING_RARELY)
    ctx.obj = root


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Write a commented company directory to DIRECTORY. Files that are there stay as they are."""
    from rich.console import Console

    from orchestration.template import write_template

    written = write_template(directory)
    console = Console()
    for path in written:
        console.print(f"  wrote {path}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"Next: edit {directory / 'process.yml'}. Put exports into {directory / 'data'} and write their mapping with: salesgauge --company {directory} "
        f"sources init (or configure a source with an API: salesgauge --company {directory} sources). Then: salesgauge --company {directory} run",
        highlight=False,
        soft_wrap=True,
    )


@main.command()
@click.option("--as-of", help="See the company as of this moment (ISO 8601, UTC), for example 2026-01-01T06:00:00Z.")
@click.option(
    "--source", "sources", multiple=True, help="Load only this source (may be given several times); models see all."
)
@click.option("--full", is_flag=True, help="Build, audit and report even where nothing is new.")
@click.pass_obj
def run(root: Path, as_of: str | None, sources: tuple[str, ...], full: bool) -> None:
    """Load what is new, build, audit, publish, report. Where nothing is new, the served version stands, and that is all.

    Exit codes: 0 published; 2 configuration; 3 a source failed (the rest is published); 4 the audit failed (a version served before is still
    served); 5 published, but something after it failed, such as the report.
    """
    sys.exit(_run(Company.open(root), as_of=as_of, sources=list(sources) or None, is_full=full))


def _run(company: Company, *, as_of: str | None = None, sources: list[str] | None = None, is_full: bool = False) -> int:
    from orchestration import pipeline
    from orchestration.console import ConsoleReporter, make_console, print_summary

    console = make_console()
    with ConsoleReporter(console) as reporter:
        outcome = pipeline.run(company, reporter=reporter, as_of=as_of, sources=sources, is_full=is_full)
    print_summary(console, company, outcome)
    return outcome.exit_code


@main.command()
@click.pass_obj
def status(root: Path) -> None:
    """What is published, how fresh each source is, what came of the last run, and what is in quarantine."""
    from rich.console import Console

    from orchestration import last_run
    from orchestration.console import newest_remarks, print_remarks, status_table
    from salesgauge.warehouse import open_published

    company = Company.open(root)
    console = Console()
    if line := last_run.in_words(company):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    served = company.pointer.resolve()
    if not served.exists():
        following = "salesgauge checks says why" if company.warehouse_file.exists() else "salesgauge run"
        console.print(f"Nothing is published yet. Next: {following}", highlight=False)
        return
    with open_published(served) as con:
        ((as_of,),) = con.execute("select as_of from process.run").fetchall()
        console.print(f"Version {served.parent.name}, as of {as_of:%Y-%m-%d %H:%M} UTC", highlight=False)
        console.print(status_table(con))
        _, found = newest_remarks(company, con)
    print_remarks(console, found)


@main.command()
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def checks(root: Path, style: str) -> None:
    """Everything that the newest run could not judge, worst first: findings of the audit, what nothing maps, values that can't be true."""
    from orchestration.console import make_console, newest_remarks
    from salesgauge.process.checks import unread
    from salesgauge.remarks import TITLES
    from salesgauge.yaml_file import load_yaml

    company = Company.open(root)
    of, found = newest_remarks(company)
    if style == "json":
        click.echo(json.dumps([vars(one) for one in found], indent=1, ensure_ascii=False))
        return
    console = make_console()
    console.print(
        f"What could not be judged in {of}:" if found else f"Nothing is left to say of {of}.", highlight=False
    )
    for kind, title in TITLES.items():
        mine = [one for one in found if one.kind == kind]
        if mine:
            console.print(f"{title} ({len(mine):,})", style="bold yellow", highlight=False)
        for one in mine:
            console.print(f"  - {one}", highlight=False, markup=False, soft_wrap=True)
    document = load_yaml(company.process_file)
    if keys := unread(document):
        console.print(
            f"Of process.yml these describe the process, no KPI reads them: {', '.join(keys)}", highlight=False
        )
    if absent := [name for name in document.get("stage_mapping") or {} if name not in company.configured_sources()]:
        console.print(f"Stages are mapped of sources that are not configured: {', '.join(absent)}", highlight=False)


@main.command()
@click.pass_obj
def report(root: Path) -> None:
    """Write the leadership report of the published version."""
    from reporting import leadership_report

    company = Company.open(root)
    files = leadership_report(company.pointer, company.reports_dir)
    for path in (files.html, files.pdf):
        if path:
            click.echo(str(path))
    if files.note:
        click.echo(files.note, err=True)


@main.command("versions")
@click.pass_obj
def versions_command(root: Path) -> None:
    """List the published versions, newest first."""
    from rich.console import Console
    from rich.table import Table

    from quality import versions

    table = Table(box=None)
    for header in ("", "version", "as of (UTC)", "created (UTC)"):
        table.add_column(header)
    for version in versions(Company.open(root)):
        mark = "→" if version.is_current else ""
        table.add_row(mark, version.name, f"{version.as_of:%Y-%m-%d %H:%M}", f"{version.created_at:%Y-%m-%d %H:%M}")
    Console().print(table)


@main.command()
@click.argument("version", required=False)
@click.pass_obj
def rollback(root: Path, version: str | None) -> None:
    """Serve VERSION again (default: the one before the current one)."""
    from quality import rollback as move_back

    moved = move_back(Company.open(root), version)
    click.echo(f"Version {moved.name} is served now.")


@main.command("dev")
@click.option("--port", default=3000, show_default=True, help="Port of the page on 127.0.0.1.")
@click.pass_obj
def dev_command(root: Path, port: int) -> None:
    """Dagster's page and daemon for this company on this machine, until Ctrl-C. Changed code is read anew."""
    from orchestration.serving import dev

    company = Company.open(root)
    click.echo(f"Dagster: http://127.0.0.1:{port}  ·  company directory: {company.root}  ·  Ctrl-C ends it.")
    sys.exit(dev(company, port=port))


@main.command("serve")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where the page listens. It asks nobody who they are: put a proxy before it.",
)
@click.option("--port", default=3000, show_default=True, help="Port of the page.")
@click.pass_obj
def serve_command(root: Path, host: str, port: int) -> None:
    """Dagster's page and daemon for this company as a service: the schedules run for as long as this command does."""
    from orchestration.serving import serve

    company = Company.open(root)
    click.echo(f"Dagster: http://{host}:{port}  ·  company directory: {company.root}  ·  Ctrl-C ends it.")
    sys.exit(serve(company, host=host, port=port))


def _demo_options(command: Any) -> Any:
    """What all demo commands take."""
    from demo.crms import CRMS

    for option in (
        click.option(
            "--directory",
            type=click.Path(path_type=Path),
            help="Where it lives (default: var/demo; with another CRM var/demo-NAME).",
        ),
        click.option(
            "--crm", type=click.Choice(CRMS), default="hubspot", show_default=True, help="What the company runs."
        ),
        click.option("--seed", default=1, show_default=True, help="Another seed is another company."),
    ):
        command = option(command)
    return command


def _demo_directory(directory: Path | None, crm: str) -> Path:
    return directory or (DEMO_ROOT if crm == "hubspot" else DEMO_ROOT.with_name(f"demo-{crm}"))


@main.group()
def demo() -> None:
    """The simulated company: the whole path on data that you may show to anybody."""


@demo.command("run")
@_demo_options
def demo_run(seed: int, crm: str, directory: Path | None) -> None:
    """Simulate, serve the APIs on loopback, and run everything against them."""
    from orchestration.demo import demo_company

    with demo_company(_demo_directory(directory, crm), seed=seed, crm=crm) as company:
        sys.exit(_run(company))


@demo.command("serve")
@_demo_options
def demo_serve(seed: int, crm: str, directory: Path | None) -> None:
    """Write the demo company and serve its APIs until Ctrl-C."""
    from orchestration.demo import demo_company, wait

    with demo_company(_demo_directory(directory, crm), seed=seed, crm=crm) as company:
        click.echo(f"The demo's APIs are up; the company directory is {company.root}. Ctrl-C ends it.")
        wait()


@demo.command("dev")
@_demo_options
@click.option("--port", default=3000, show_default=True, help="Port of Dagster's page on 127.0.0.1.")
def demo_dev(seed: int, crm: str, directory: Path | None, port: int) -> None:
    """The demo's APIs with Dagster's page and daemon, until Ctrl-C."""
    from orchestration.demo import demo_company
    from orchestration.serving import dev

    with demo_company(_demo_directory(directory, crm), seed=seed, crm=crm) as company:
        click.echo(f"Dagster: http://127.0.0.1:{port}  ·  company directory: {company.root}  ·  Ctrl-C ends it.")
        sys.exit(dev(company, port=port))


main.add_command(query)
main.add_command(sources)
main.add_command(quarantine)
main.add_command(erase)
main.add_command(show)


if __name__ == "__main__":
    main()
