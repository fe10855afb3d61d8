"""``make faults``: every fault script against every source that the demo serves; nothing may be lost, doubled, or fail without a word.

A script is played during one sync. Where the sync failed it is run once more without the fault. Then every record of the server has to be the
newest version in the raw log, compared with what the server holds, not with what it served.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import click

import demo.company
from benchmarks.figures import publish
from demo.crms import hubspot, salesforce
from demo.log import CompanyLog
from demo.mutate import mutate
from demo.serve import DemoServers
from demo.servers.faults import (
    Fault,
    Faults,
    badly_packed,
    html,
    of_json,
    says,
    truncated,
    with_records,
)
from demo.servers.hubspot import HubSpotOptions
from demo.servers.salesforce import SalesforceOptions
from demo.servers.traffic import Limit, Loopback
from demo.servers.typeform import TypeformOptions
from demo.simulate import simulate
from ingestion import rawlog
from ingestion.run import extract
from salesgauge.settings import Company
from salesgauge.warehouse import connect

_PLENTY = Limit(10_000, 1.0, "SECONDLY", 0)
_MOST_SECONDS = 120.0
Versions = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Script:
    """``faults`` get a function that changes the company while it is read. ``paths``: of which requests, by source."""

    name: str
    faults: Callable[[str, Callable[[], None]], tuple[Fault, ...]]
    only: tuple[str, ...] = ("hubspot", "salesforce", "typeform")


def _retry_after(value: str, times: int = 1) -> Callable[[str, Callable[[], None]], tuple[Fault, ...]]:
    return lambda path, act: (Fault(path, 2, times, answer=says(429, {"errorType": "RATE_LIMIT"}, Retry_After=value)),)


def _answers(
    answer: Any, times: int | None = 1, first: int = 2
) -> Callable[[str, Callable[[], None]], tuple[Fault, ...]]:
    return lambda path, act: (Fault(path, first, times, answer=answer),)


def _changes(
    change: Any, times: int | None = 1, first: int = 1
) -> Callable[[str, Callable[[], None]], tuple[Fault, ...]]:
    return lambda path, act: (Fault(path, first, times, change=change),)


def _same_cursor(body: dict[str, Any], number: int) -> dict[str, Any]:
    """Every page names itself as the next one."""
    if "done" in body:
        return {**body, "done": False, "nextRecordsUrl": "/services/data/v62.0/query/01g000000000000AAA-1"}
    return {**body, "paging": {"next": {"after": "1", "link": "?after=1"}}} if "results" in body else body


def _cursor_on_last_page(body: dict[str, Any], number: int) -> dict[str, Any]:
    """The last page names a next one all the same."""
    if body.get("done") is True:
        return {**body, "nextRecordsUrl": "/services/data/v62.0/query/01g000000000099AAA-0"}
    return body


def _dropped(body: dict[str, Any], number: int) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("results", "records", "items")}


_DATE = format_datetime(datetime(2015, 10, 21, 7, 28, tzinfo=UTC), usegmt=True)
_SOON = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)

SCRIPTS = (
    Script("429 without Retry-After", _answers(says(429, {"errorType": "RATE_LIMIT", "policyName": "SECONDLY"}))),
    Script("429, Retry-After 0", _retry_after("0")),
    Script("429, Retry-After -1", _retry_after("-1")),
    Script("429, Retry-After 0.5", _retry_after("0.5")),
    Script("429, Retry-After a date in the past", _retry_after(_DATE)),
    Script("429, Retry-After a date to come", _retry_after(_SOON)),
    Script("429, Retry-After words", _retry_after("soon")),
    Script("429, Retry-After a day", _retry_after("86400")),
    Script("429 three times", _retry_after("0", 3)),
    Script("500 once", _answers(says(500, {"message": "Internal"}))),
    Script("502 with a page of a gateway", _answers(html(502))),
    Script("503 three times", _answers(says(503), 3)),
    Script("500 for ever", _answers(says(500), None)),
    Script("connection cut before the answer", lambda path, act: (Fault(path, 2, 2, is_cut=True),)),
    Script("connection cut in the body", lambda path, act: (Fault(path, 2, 2, cut_after=40),)),
    Script("truncated JSON", _changes(truncated, 2, 2)),
    Script("an HTML page with 200", _answers(html())),
    Script("an empty body with 200", _answers((200, {"content-type": "application/json"}, b""))),
    Script("broken gzip", _changes(badly_packed, 1, 2)),
    Script("JSON of another kind", _answers((200, {"content-type": "application/json"}, b"[1, 2]"))),
    Script("null for the records", _changes(with_records(lambda records: None), 1, 2)),
    Script("no records at all", _changes(of_json(_dropped), 1, 2)),
    Script("a page twice over", _changes(with_records(lambda records: [*records, *records]), None)),
    Script("a page in reverse", _changes(with_records(lambda records: records[::-1]), None), ("hubspot", "salesforce")),
    Script("the same cursor for ever", _changes(of_json(_same_cursor), None, 2), ("hubspot", "salesforce")),
    Script("a cursor on the last page", _changes(of_json(_cursor_on_last_page), None), ("salesforce",)),
    Script("401 midway, once", _answers(says(401, {"message": "expired"}), 1, 4)),
    Script("401 midway, for ever", _answers(says(401, {"message": "expired"}), None, 4)),
    Script("403 midway", _answers(says(403, {"message": "forbidden"}), 1, 4)),
    Script("slow answers", lambda path, act: (Fault(path, 2, 3, wait=0.7),)),
    Script(
        "people go on working meanwhile", lambda path, act: (Fault(path, 3, 1, act=act),), ("hubspot", "salesforce")
    ),
)
_PATHS = {"hubspot": "/crm/", "salesforce": "/queryAll", "typeform": "/responses"}


class Scene:
    """A company with a CRM and a Typeform that play fault scripts."""

    def __init__(self, crm: str, log: CompanyLog, root: Path) -> None:
        self.crm, self.log, self.root = crm, log, root
        server = (
            hubspot.server(log, HubSpotOptions(burst=_PLENTY, search=_PLENTY))
            if crm == "hubspot"
            else salesforce.server(log, SalesforceOptions(page=200))
        )
        self.servers = DemoServers(log, crm, crm_server=server, typeform=TypeformOptions(rate=_PLENTY))
        self.faults = {crm: Faults(server.app), "typeform": Faults(self.servers.typeform.app)}
        self._loops = {name: Loopback(app) for name, app in self.faults.items()}

    @contextmanager
    def up(self) -> Iterator[Scene]:
        """Serve."""
        self.urls = {name: loop.start() for name, loop in self._loops.items()}
        try:
            yield self
        finally:
            for loop in self._loops.values():
                loop.stop()

    def fresh(self, name: str) -> Path:
        """A new company directory, and a server that holds the log as it was."""
        self.servers.replace(self.log)
        root = self.root / name
        demo.company.write(
            root, self.log, crm_url=self.urls[self.crm], typeform_url=self.urls["typeform"], crm_name=self.crm
        )
        return root

    def act(self) -> None:
        """People change some deals."""
        self.servers.crm.replace(mutate(self.log, 5, seed=2))

    def held(self, source: str) -> Versions:
        """What the server holds: table → key → version."""
        if source == "typeform":
            state = self.servers.typeform.state
            return {
                "responses": {
                    f"{form}|{item['token']}": kind
                    for (form, kind), items in state.responses.items()
                    if kind in ("partial", "completed")
                    for _, item in items
                }
            }
        if source == "salesforce":
            rows = self.servers.crm.state.rows  # type: ignore[attr-defined]
            names = {"leads": "Lead", "opportunities": "Opportunity", "tasks": "Task", "opportunity_history": "OpportunityHistory"}  # fmt: skip
            return {
                table: {one: row["SystemModstamp"][:19] for one, row in rows[name].items()}
                for table, name in names.items()
            }
        records = self.servers.crm.state.records  # type: ignore[attr-defined]
        return {
            kind: {one.id: one.updated.isoformat()[:19] for one in found.values()} for kind, found in records.items()
        }


_LOADED = {
    "typeform": "select form_id || '|' || response_id, response_type",
    "salesforce": "select id, strftime(modified_at, '%Y-%m-%dT%H:%M:%S')",
    "hubspot": "select id, strftime(updated_at, '%Y-%m-%dT%H:%M:%S')",
}


def loaded(company: Company, source: str, tables: list[str]) -> Versions:
    """What the raw log holds as the newest version of every record."""
    key = "form_id, response_id" if source == "typeform" else "id"
    found: Versions = {}
    with connect(":memory:") as con:
        rawlog.create_views(con, company)
        for table in tables:
            rows = con.execute(
                f"{_LOADED[source]} from raw_{source}.{table} "
                f"qualify row_number() over (partition by {key} order by _load_id desc, _row desc) = 1"
            ).fetchall()
            found[table] = dict(rows)
    return found


@dataclass
class Outcome:
    """What came of one script on one source."""

    source: str
    script: str
    seconds: float
    requests: int
    faults: int
    failed: str | None
    reruns: int
    lost: int
    unbalanced: int

    @property
    def is_bad(self) -> bool:
        """Something is lost, uncounted, endless, or a second run could not mend it."""
        return bool(self.lost or self.unbalanced) or self.reruns > 1 or self.seconds > _MOST_SECONDS or not self.faults


def play(scene: Scene, source: str, script: Script) -> Outcome:
    """One script against one source of the scene."""
    root = scene.fresh(f"{source}-{SCRIPTS.index(script)}")
    faults = scene.faults[source]
    faults.play(*script.faults(_PATHS[source], scene.act))
    began = time.monotonic()
    company = Company.open(root, environ={})
    result = extract(company, None, received_at=scene.log.as_of, names=[source])[0]  # type: ignore[arg-type]
    seconds, requests, done = time.monotonic() - began, faults.asked, faults.done
    faults.play()
    failed, reruns = result.error, 0
    while (result.error or script.name.startswith("people")) and reruns < 2:
        reruns += 1
        result = extract(company, None, received_at=scene.log.as_of, names=[source])[0]  # type: ignore[arg-type]
        if not result.error:
            break
    held = scene.held(source)
    found = loaded(company, source, list(held))
    lost = sum(found[table].get(key) != version for table, rows in held.items() for key, version in rows.items())
    lost += sum(key not in held[table] for table, rows in found.items() for key in rows)
    with connect(":memory:") as con:
        rawlog.create_views(con, company)
        row = con.execute(
            "select count(*) from raw_log.loads where received <> loaded + quarantined + duplicates"
        ).fetchone()
    unbalanced = row[0] if row else 0
    return Outcome(source, script.name, seconds, requests, done, failed, reruns, lost, unbalanced)


def run_all(folder: Path, scripts: tuple[Script, ...] = SCRIPTS, *, is_shown: bool = True) -> list[Outcome]:
    """Every script on every source that it is for."""
    log, outcomes = simulate(3, 0.012), []
    for crm in ("hubspot", "salesforce"):
        with Scene(crm, log, folder / crm).up() as scene:
            for source in (crm, "typeform") if crm == "hubspot" else (crm,):
                for script in scripts:
                    if source in script.only:
                        outcomes.append(play(scene, source, script))
                        if is_shown:
                            _show(outcomes[-1])
    return outcomes


def _show(one: Outcome) -> None:
    end = "failed loudly, rerun fine" if one.failed else "went through"
    bad = f"  BAD: {one}" if one.is_bad else ""
    click.echo(f"  {one.source:<11}{one.script:<40}{one.seconds:6.1f} s{one.requests:5} requests  {end}{bad}")


@click.command()
def main() -> None:
    """Play all fault scripts; none may lose a record."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_all(Path(folder))
    publish(
        "faults",
        {
            "fault_scripts_run": len(outcomes),
            "fault_scripts_bad": sum(one.is_bad for one in outcomes),
            "fault_scripts_lost_rows": sum(one.lost for one in outcomes),
            "fault_scripts_unbalanced_loads": sum(one.unbalanced for one in outcomes),
            "fault_scripts_failed_loudly": sum(one.failed is not None for one in outcomes),
            "fault_scripts_seconds_max": max(one.seconds for one in outcomes),
            "fault_scripts_requests_max": max(one.requests for one in outcomes),
        },
    )
    sys.exit(1 if any(one.is_bad for one in outcomes) else 0)


if __name__ == "__main__":
    main()
