"""The loads that ``torture_ingest`` kills: each way into the raw log, as a first load or as a load of new data into a company that has some.

How they are killed is not decided here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook

import ingestion
from ingestion import rawlog
from ingestion.catalogue import create_views
from ingestion.landing.changes import Changes, absences_table
from ingestion.landing.load import Landing
from ingestion.rawlog.declarations import RawColumn, RawTable
from ingestion.sources import ga4
from ingestion.sources.salesforce import bulk
from ingestion.sources.salesforce.tables import SOBJECTS
from salesgauge.process import Process
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect

FIRST, SECOND = datetime(2026, 7, 1), datetime(2026, 7, 2)

PROCESS = """
company: {name: Torture, currency: USD, timezone: UTC}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages: [{key: proposal}, {key: won, kind: won}]
"""
MAPPING = """files:
{entries}"""
ENTRY = """  - path: "*.{suffix}"
    entity: deals
    key: id
    columns: {{created_at: begun}}
    dates: {{format: "%Y-%m-%d", timezone: UTC}}
    stages: {{current: {{column: stage}}, entered: {{proposal: begun}}}}
"""
CALLS = RawTable(
    "callrail", "calls", (RawColumn("id", "varchar", "$.id"), RawColumn("n", "bigint", "$.n", required=True)), ("id",)
)
USERS = RawTable("callrail", "users", (RawColumn("id", "varchar", "$.id"),), ("id",))
TABLES = (CALLS, USERS, absences_table("callrail"))


@dataclass(frozen=True)
class Scenario:
    """``prepare`` makes a company with new data, and with a load before it where there is one; ``load`` loads the new data; ``seen`` tells what readers see."""

    name: str
    prepare: Callable[[Path], None]
    load: Callable[[Company, datetime], None]
    seen: Callable[[Company], dict[str, list[str]]]


# Files of every format.

_ROWS = [{"id": str(one), "begun": f"2026-01-{one:02d}", "stage": "won"} for one in range(1, 9)]
_LATER = [{**_ROWS[0], "stage": "proposal"}, *_ROWS[2:], {"id": "9", "begun": "2026-01-09", "stage": "won"}, {"id": "10", "begun": "bad", "stage": "won"}]  # fmt: skip


def _write_file(path: Path, rows: list[dict[str, str]]) -> None:
    names = list(rows[0])
    if path.suffix == ".csv":
        lines = [",".join(names), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        book = Workbook()
        for row in [names, *(list(row.values()) for row in rows)]:
            book.active.append(row)
        book.save(path)


def _files(suffix: str, *, is_refused: bool = False, is_first: bool = False) -> Scenario:
    def prepare(root: Path) -> None:
        _company(root, {"crm": MAPPING.format(entries=ENTRY.format(suffix=suffix))})
        if not is_first:
            _write_file(root / "data" / f"a.{suffix}", _ROWS)
            _load_files(Company.open(root, {}), FIRST)
        _write_file(root / "data" / f"a.{suffix}", _LATER)
        _write_file(root / "data" / f"b.{suffix}", [{"id": "20", "begun": "2026-02-01", "stage": "won"}])
        if is_refused:
            _write_file(root / "data" / f"c.{suffix}", [{"no": "1", "such": "2", "columns": "3"}])

    name = f"{suffix}{'-refused' if is_refused else ''}{'-first' if is_first else ''}"
    return Scenario(name, prepare, _load_files, _seen_files)


def _load_files(company: Company, at: datetime) -> None:
    ingestion.extract(company, Process.load(company.process_file), received_at=at)


def _seen_files(company: Company) -> dict[str, list[str]]:
    kept = "* exclude (_load_id, _loaded_at)"
    return _rows(
        company,
        {
            "deals": f"select {kept} from raw_files.deals",
            "stage_events": f"select {kept} from raw_files.stage_events",
            "loads": "select table_name, received, loaded, quarantined, duplicates from raw_log.loads",
            "quarantine": "select table_name, file, line, reason, record from raw_log.quarantine",
            "unbalanced": "from raw_log.loads where received <> loaded + quarantined + duplicates",
        },
    )


# Records of an API: overlaps, bad records, full listings.

_CALLS = [{"id": str(one), "n": one} for one in range(40)]


def _prepare_api(root: Path) -> None:
    _company(root, {})
    (root / ".dlt").mkdir()
    (root / ".dlt" / "config.toml").write_text("[sources.callrail]\n", encoding="utf-8")
    _sync(Company.open(root, {}), FIRST, _CALLS, [{"id": str(one)} for one in range(30)])


def _load_api(company: Company, at: datetime) -> None:
    changed: list[dict[str, Any]] = [{"id": "3", "n": 33}, {"id": "40", "n": 40}, {"id": "41", "n": "bad"}, {"n": 1}]
    _sync(company, at, [*_CALLS[:10], *changed], [{"id": str(one)} for one in range(2, 31)])


def _sync(company: Company, at: datetime, calls: list[dict[str, Any]], users: list[dict[str, Any]]) -> None:
    with Landing(company, "callrail", received_at=at) as landing, Changes(company, landing, received_at=at) as changes:
        changes.write(CALLS, calls)
        changes.write(USERS, users)
        changes.complete(USERS)
        changes.land()
        landing.cursor("calls", {"until": at.isoformat()})
        landing.commit()


def _seen_api(company: Company) -> dict[str, list[str]]:
    newest = {
        table.name: f"select {', '.join(one.name for one in table.columns)} from ({rawlog.relation(company, table)}) "
        f"qualify row_number() over (partition by {', '.join(table.key)} order by _load_id desc, _row desc) = 1"
        for table in TABLES
    }
    common = {
        "quarantine": "select table_name, record_key, reason, record from raw_log.quarantine where source = 'callrail'",
        "unbalanced": "from raw_log.loads where received <> loaded + quarantined + duplicates",
        "cursors": "select cursor from raw_log.loads where table_name = 'calls' qualify row_number() over (order by load_id desc) = 1",
    }
    return _rows(company, {**newest, **common})


# A first load in parts: each part is kept, the next run goes on after it.


def _prepare_first(root: Path) -> None:
    _company(root, {})
    (root / ".dlt").mkdir()
    (root / ".dlt" / "config.toml").write_text("[sources.callrail]\n", encoding="utf-8")


def _load_parts(company: Company, at: datetime) -> None:
    with Landing(company, "callrail", received_at=at) as landing:
        done = (rawlog.last_cursor(company, "callrail", "calls") or {"done": 0})["done"]
        for begin in range(done, len(_CALLS), 10):
            with Changes(company, landing, received_at=at) as changes:
                changes.write(CALLS, [*_CALLS[begin : begin + 10], {"id": f"bad {begin}", "n": "bad"}])
                changes.land()
            landing.cursor("calls", {"done": begin + 10})
            if begin + 10 < len(_CALLS):
                landing.keep()
        landing.commit()


# Days of the web's export, of which one comes again with late events; results of the Bulk API.


def _day(day: int, events: list[int]) -> str:
    lines = [
        {"event_date": f"202601{day:02d}", "event_timestamp": str(1_767_225_600_000_000 + one), "event_name": "page_view", "user_pseudo_id": str(one)}
        for one in events
    ]  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in lines)


def _prepare_web(root: Path) -> None:
    _company(root, {})
    (root / ".dlt").mkdir()
    (root / ".dlt" / "config.toml").write_text('[sources.ga4]\nfolder = "ga4"\n', encoding="utf-8")
    days = root / "data" / "ga4"
    days.mkdir()
    for day in (1, 2):
        (days / f"events_202601{day:02d}.jsonl").write_text(_day(day, [1, 2, 3]), encoding="utf-8")
    _load_web(Company.open(root, {}), FIRST)
    (days / "events_20260102.jsonl").write_text(_day(2, [1, 2, 2, 3, 4]), encoding="utf-8")
    (days / "events_20260103.jsonl").write_text(_day(3, [5]) + _day(4, [6]) + "no event\n", encoding="utf-8")


def _load_web(company: Company, at: datetime) -> None:
    with Landing(company, "ga4", received_at=at) as landing:
        ga4.extract(company, None, landing, received_at=at)
        landing.commit()


def _seen_web(company: Company) -> dict[str, list[str]]:
    newest = "_load_id = max(_load_id) over (partition by event_day)"
    return _rows(
        company,
        {
            "events": f"select * exclude (_load_id, _loaded_at) from raw_ga4.events qualify {newest}",
            "loads": "select table_name, received, loaded, quarantined, duplicates from raw_log.loads",
            "quarantine": "select file, line, reason, record from raw_log.quarantine",
            "unbalanced": "from raw_log.loads where received <> loaded + quarantined + duplicates",
        },
    )


OPPORTUNITIES = next(one.table for one in SOBJECTS if one.name == "Opportunity")
_HEADER = '"Id","Name","IsDeleted","CreatedDate","SystemModstamp"\n'


def _result(numbers: range, name: str) -> str:
    at = "2026-01-01T00:00:00.000+0000"
    return _HEADER + "".join(f'"{one}","{name} {one}","false","{at}","{at}"\n' for one in numbers)


def _prepare_bulk(root: Path) -> None:
    _company(root, {})
    (root / ".dlt").mkdir()
    (root / ".dlt" / "config.toml").write_text("[sources.salesforce]\n", encoding="utf-8")


def _load_bulk(company: Company, at: datetime) -> None:
    """As the connector does: in bulk where there is no cursor yet."""
    with Landing(company, "salesforce", received_at=at) as landing:
        if rawlog.last_cursor(company, "salesforce", "opportunities") is not None:
            return
        results = (
            _result(range(20), "Roof"),
            _result(range(20, 30), "Bath") + '"31","Sink","false","someday","someday"\n',
        )
        for number, text in enumerate(results):
            file = landing.folder / f"{number}.csv"
            file.write_text(text, encoding="utf-8")
            bulk.land(landing, OPPORTUNITIES, file, {"IsDeleted"}, text.count("\n") - 1)
        landing.cursor("opportunities", at.isoformat())
        landing.commit()


def _seen_bulk(company: Company) -> dict[str, list[str]]:
    relation = f"({rawlog.relation(company, OPPORTUNITIES)})"
    return _rows(
        company,
        {
            "newest": f"select id, modified_at, is_deleted, record from {relation} qualify row_number() over (partition by id order by _load_id desc, _row desc) = 1",
            "loads": "select table_name, received, loaded, quarantined, duplicates, cursor from raw_log.loads",
            "quarantine": "select record_key, reason, record from raw_log.quarantine",
            "unbalanced": "from raw_log.loads where received <> loaded + quarantined + duplicates",
        },
    )


def _company(root: Path, sources: dict[str, str]) -> None:
    for folder in ("sources", "data"):
        (root / folder).mkdir(parents=True)
    (root / "process.yml").write_text(PROCESS, encoding="utf-8")
    for name, text in sources.items():
        (root / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")


def _rows(company: Company, queries: dict[str, str]) -> dict[str, list[str]]:
    with connect(":memory:") as con:
        create_views(con, company, [name for name in rawlog.sources(company) if name in API_SOURCES])
        return {name: sorted(map(str, con.execute(sql).fetchall())) for name, sql in queries.items()}


SCENARIOS = (
    _files("csv"),
    _files("jsonl"),
    _files("parquet"),
    _files("xlsx"),
    _files("csv", is_refused=True),
    _files("csv", is_first=True),
    Scenario("api", _prepare_api, _load_api, _seen_api),
    Scenario("parts", _prepare_first, _load_parts, _seen_api),
    Scenario("ga4", _prepare_web, _load_web, _seen_web),
    Scenario("bulk", _prepare_bulk, _load_bulk, _seen_bulk),
)
