"""``make bench-ingest``: rows per second of the bulk paths beside their peers on the same bytes, in one run.

The limit is DuckDB's own reader: ``create table as select * from read_…`` with all columns, into memory, no record kept, nothing counted, nothing
refused. What DuckDB itself needs to write the same rows to Parquet, as a raw log must, stands beside it. The common peer is dlt as it comes: a
resource of dictionaries into a DuckDB file, on a slice of the rows, as it takes too long for all. Rows are those of a CRM's export: 15 fields, some
370 bytes as JSON; ``narrow`` ones have 7 fields and 130 bytes. Bulk results are CSV as Salesforce's Bulk API gives it, web exports the demo
company's events of GA4, a file a day, as JSON lines and as Parquet.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import duckdb

import ingestion
from benchmarks.figures import publish
from demo.ga4 import write_events
from demo.simulation.simulate import simulate
from ingestion.landing.load import Landing
from ingestion.rawlog.declarations import RawColumn, RawTable
from ingestion.sources import ga4
from ingestion.sources.salesforce import bulk
from ingestion.sources.salesforce.tables import SOBJECTS
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company

REPEATS = 3
READERS = {"csv": "read_csv('{file}')", "jsonl": "read_json_auto('{file}')", "parquet": "read_parquet('{file}')"}
MAPPING = """\
files:
  - path: {file}
    entity: deals
    key: id
    columns: {{deal_id: id, name: name, stage: stage, amount: amount, owner_id: owner, created_at: created, service_line: line}}
    dates: {{format: "%Y-%m-%d %H:%M:%S", timezone: UTC}}
"""
_SHARED = """
    ['new', 'proposal', 'won', 'lost'][1 + i % 4] as stage, round(200 + (i * 7919) % 900000 / 100, 2)::varchar as amount,
    'rep ' || i % 40 as owner, strftime(timestamp '2024-01-01' + to_seconds(i * 37 % 63072000), '%Y-%m-%d %H:%M:%S') as created,
    ['hvac', 'plumbing', 'electrical'][1 + i % 3] as line
"""
ROWS = {
    "narrow": "select i::varchar as id, 'Deal ' || i as name," + _SHARED,
    "deals": "select (100000000 + i)::varchar as id, 'Heat pump ' || i % 977 || ' for ' || md5(i::varchar)[:10] as name,"
    + _SHARED
    + """,
    ['Service', 'Installation'][1 + i % 2] as pipeline, 'USD' as currency, 'account ' || i % 300000 as account,
    ['Google Ads', 'Referral', 'Website', 'Yard sign'][1 + i % 4] as lead_source, 'spring-' || i % 12 as campaign,
    strftime(timestamp '2024-02-01' + to_seconds(i * 41 % 63072000), '%Y-%m-%d %H:%M:%S') as modified,
    case when i % 4 > 1 then strftime(timestamp '2024-03-01' + to_seconds(i * 43 % 63072000), '%Y-%m-%d') end as closed,
    'Customer asked about ' || ['rebates', 'financing', 'a second bath', 'warranty'][1 + i % 4] || '; call back ' || i % 28 as note
""",
}


ROWS_OF_BULK = f"""
select id as "Id", name as "Name", stage as "StageName", amount as "Amount", owner as "OwnerId", lead_source as "LeadSource", campaign as "Campaign__c",
    note as "Description", closed as "CloseDate", stage = 'lost' as "IsDeleted", replace(created, ' ', 'T') || '.000+0000' as "CreatedDate",
    replace(modified, ' ', 'T') || '.000+0000' as "SystemModstamp"
from ({ROWS["deals"]} from range({{rows}}) t(i))
"""
OPPORTUNITIES = next(one.table for one in SOBJECTS if one.name == "Opportunity")


DEALS = RawTable(
    "callrail",
    "deals",
    (
        RawColumn("id", "varchar", "$.id"),
        RawColumn("created_at", "timestamp", "$.created", required=True),
        RawColumn("amount", "decimal(18, 2)", "$.amount"),
    ),
    ("id",),
)
_SLICE = 20_000


def measure(work: Path, *, rows: int) -> dict[str, float]:
    """Rows per second of each bulk path, their ratio to DuckDB's reader (median of the pairs) and to dlt's default, and peak memory."""
    figures: dict[str, float] = {"ingest_rows": rows}
    for shape, kind in [(shape, kind) for shape in ROWS for kind in READERS]:
        file, relation = _write(work, shape, kind, rows), READERS[kind].format(file=work / f"{shape}.{kind}")
        name = f"ingest_files_{kind}" if shape == "deals" else f"ingest_files_{shape}_{kind}"
        figures |= _beside_duckdb(name, work, rows, relation, partial(_own, file=file, rows=rows))
        if shape == "deals":
            copy = _beside_duckdb("", work, rows, relation, partial(_copy, relation))
            figures[f"ingest_duckdb_copy_{kind}_ratio_to_duckdb"] = copy["_ratio_to_duckdb"]
    result = _write(work, "bulk", "csv", rows)
    figures |= _beside_duckdb(
        "ingest_bulk_api", work, rows, READERS["csv"].format(file=result), lambda root: _bulk(root, result, rows)
    )
    write_events(work / "web_jsonl" / "ga4", simulate(3), compress=False)
    _as_parquet(work / "web_jsonl" / "ga4", work / "web_parquet" / "ga4")
    for kind, relation in (
        ("jsonl", "read_json_auto('{days}')"),
        ("parquet", "read_parquet('{days}', union_by_name = true)"),
    ):
        data = work / f"web_{kind}"
        events = relation.format(days=data / "ga4" / f"*.{kind}")
        (count,) = duckdb.sql(f"select count(*) from {events}").fetchone() or (0,)
        figures["ingest_ga4_rows"] = count
        figures |= _beside_duckdb(f"ingest_ga4_{kind}", work, count, events, partial(_web, data=data, rows=count))
    lines = work / "deals.jsonl"
    figures |= _beside_duckdb(
        "ingest_api_records", work, rows, READERS["jsonl"].format(file=lines), lambda root: _records(root, lines, rows)
    )
    with_dlt = _SLICE / _seconds(lambda: _dlt_default(work / "dlt", lines))
    figures["ingest_dlt_default_rows_per_second"] = with_dlt
    figures["ingest_api_records_ratio_to_dlt_default"] = figures["ingest_api_records_rows_per_second"] / with_dlt
    for factor in (1, 4):
        file = _write(work / f"x{factor}", "deals", "csv", rows * factor)
        root = work / f"company_memory_{factor}"
        figures[f"ingest_files_csv_peak_mb_{factor}x"] = _peak_mb(partial(_own, root, file, rows * factor))
    return figures


def _beside_duckdb(name: str, work: Path, rows: int, relation: str, own: Callable[[Path], None]) -> dict[str, float]:
    """Rows per second of ``own``, which gets a new path each time, and its ratio to DuckDB's reader of ``relation``, one after the other in pairs."""
    pairs = []
    for number in range(REPEATS):
        root = work / f"own_{name}_{number}"
        pairs.append((_seconds(lambda: _peer(relation)), _seconds(partial(own, root))))
        shutil.rmtree(root, ignore_errors=True)
    return {
        f"{name}_rows_per_second": median(rows / mine for _, mine in pairs),
        f"{name}_ratio_to_duckdb": median(peer / mine for peer, mine in pairs),
    }


def _bulk(root: Path, file: Path, rows: int) -> None:
    """A result of Salesforce's Bulk API, as it was fetched."""
    with Landing(_company(root), "salesforce", received_at=datetime(2026, 1, 1)) as landing:
        bulk.land(landing, OPPORTUNITIES, file, {"IsDeleted"}, rows)
        landing.commit()
        _expect(landing, OPPORTUNITIES.name, rows)


def _web(root: Path, data: Path, rows: int) -> None:
    """The files of GA4's export."""
    company = _company(root, {"SALESGAUGE_DATA": str(data)})
    with Landing(company, "ga4", received_at=datetime(2026, 1, 1)) as landing:
        ga4.extract(company, None, landing, received_at=datetime(2026, 1, 1))
        landing.commit()
        count = landing.total["events"]
        if count.received != rows or count.quarantined:
            raise RuntimeError(f"ga4: {count} of {rows} rows")


def _as_parquet(days: Path, target: Path) -> None:
    """The same days as Parquet files, as BigQuery can export them too."""
    target.mkdir(parents=True)
    for day in sorted(days.glob("*.jsonl")):
        if day.stat().st_size:
            file = target / f"{day.stem}.parquet"
            duckdb.sql(f"copy (select * from read_json_auto('{day}')) to '{file}' (format parquet, compression zstd)")


def _company(root: Path, environment: dict[str, str] | None = None) -> Company:
    root.mkdir(parents=True)
    (root / "process.yml").write_text("company: {}\n", encoding="utf-8")
    return Company.open(root, environment or {})


def _expect(landing: Landing, table: str, rows: int) -> None:
    if landing.total[table].loaded != rows:
        raise RuntimeError(f"{table}: {landing.total[table]} of {rows} rows")


def _records(root: Path, file: Path, rows: int) -> None:
    """The path of API pages: lines → typed columns and the record, quarantine, accounting, commit."""
    with Landing(_company(root), "callrail", received_at=datetime(2026, 1, 1)) as landing:
        landing.records(DEALS, [file])
        landing.commit()
        _expect(landing, DEALS.name, rows)


def _dlt_default(work: Path, file: Path) -> None:
    """dlt as it comes: dictionaries, normalised, inserted into a DuckDB file."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt

    def deals() -> Any:
        with file.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in islice(lines, _SLICE))

    destination = dlt.destinations.duckdb(str(work / "peer.duckdb"))
    work.mkdir(parents=True)
    pipeline = dlt.pipeline("peer", pipelines_dir=str(work), destination=destination, dataset_name="by_default")
    pipeline.run(dlt.resource(deals, name="deals"))


def _peak_mb(work: Callable[[], None]) -> float:
    """Peak memory of ``work`` in a process of its own, without what that process had before."""
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()

    def run() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        work()
        said.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

    process = context.Process(target=run)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("the measured load failed")
    peak: float = said.get()
    return peak


def _write(work: Path, shape: str, kind: str, rows: int) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{shape}.{kind}"
    form = {"csv": "format csv, header", "jsonl": "format json", "parquet": "format parquet, compression zstd"}[kind]
    query = ROWS_OF_BULK.format(rows=rows) if shape == "bulk" else f"{ROWS[shape]} from range({rows}) t(i)"
    duckdb.connect().execute(f"copy ({query}) to '{file}' ({form})")
    return file


def _copy(relation: str, target: Path) -> None:
    con = duckdb.connect()
    con.execute(f"copy (select * from {relation}) to '{target}' (format parquet, compression zstd)")
    con.close()


def _peer(relation: str) -> None:
    con = duckdb.connect()
    con.execute(f"create table t as select * from {relation}")
    con.close()


def _own(root: Path, file: Path, rows: int) -> None:
    (root / "sources").mkdir(parents=True)
    (root / "sources" / "bench.yml").write_text(MAPPING.format(file=file.name), encoding="utf-8")
    template = PROJECT_ROOT / "orchestration" / "template" / "process.yml"
    (root / "process.yml").write_bytes(template.read_bytes())
    company = Company.open(root, {"SALESGAUGE_DATA": str(file.parent)})
    (result,) = ingestion.extract(company, Process.load(company.process_file), received_at=datetime(2026, 1, 1))
    if result.total.loaded != rows:
        raise RuntimeError(f"{file.name}: {result.total} of {rows} rows: {result.error}")


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
def main(rows: int) -> None:
    """Measure the bulk paths of ingestion against their peers."""
    with tempfile.TemporaryDirectory() as folder:
        publish("ingest", measure(Path(folder), rows=rows))
    sys.exit(0)


if __name__ == "__main__":
    main()
