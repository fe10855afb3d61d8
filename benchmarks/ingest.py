"""Rows per second of the file paths beside DuckDB's own reader on the same files, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median

import duckdb

import ingestion
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company

REPEATS = 3
READERS = {"csv": "read_csv('{file}')", "jsonl": "read_json_auto('{file}')", "parquet": "read_parquet('{file}')"}
MAPPING = """\
files:
  - path: deals.{kind}
    entity: deals
    key: id
    columns: {{deal_id: id, name: name, stage: stage, amount: amount, owner_id: owner, created_at: created, service_line: line}}
    dates: {{format: "%Y-%m-%d %H:%M:%S", timezone: UTC}}
"""
ROWS = """
select
    i::varchar as id, 'Deal ' || i as name, ['new', 'proposal', 'won', 'lost'][1 + i % 4] as stage,
    round(200 + (i * 7919) % 900000 / 100, 2)::varchar as amount, 'rep ' || i % 40 as owner,
    strftime(timestamp '2024-01-01' + to_seconds(i * 37 % 63072000), '%Y-%m-%d %H:%M:%S') as created,
    ['hvac', 'plumbing', 'electrical'][1 + i % 3] as line
from range({rows}) t(i)
"""


def measure(work: Path, *, rows: int) -> dict[str, float]:
    """Figures per format: rows per second of the file source and of DuckDB's reader (into a table), and their ratio (median of the pairs)."""
    figures: dict[str, float] = {"rows": rows}
    for kind, reader in READERS.items():
        file = _write(work, kind, rows)
        ratios, ours = [], []
        for number in range(REPEATS):
            peer = _seconds(lambda reader=reader, file=file: _peer(reader.format(file=file)))
            own = _seconds(
                lambda number=number, kind=kind, file=file: _own(work / f"company_{kind}_{number}", kind, file, rows)
            )
            ratios.append(peer / own)
            ours.append(rows / own)
        figures[f"ingest_{kind}_rows_per_second"] = median(ours)
        figures[f"ingest_{kind}_ratio_to_duckdb"] = median(ratios)
    return figures


def _write(work: Path, kind: str, rows: int) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"deals.{kind}"
    form = {"csv": "format csv, header", "jsonl": "format json", "parquet": "format parquet, compression zstd"}[kind]
    duckdb.connect().execute(f"copy ({ROWS.format(rows=rows)}) to '{file}' ({form})")
    return file


def _peer(relation: str) -> None:
    con = duckdb.connect()
    con.execute(f"create table t as select * from {relation}")
    con.close()


def _own(root: Path, kind: str, file: Path, rows: int) -> None:
    (root / "sources").mkdir(parents=True)
    (root / "sources" / "bench.yml").write_text(MAPPING.format(kind=kind), encoding="utf-8")
    template = PROJECT_ROOT / "orchestration" / "template" / "process.yml"
    (root / "process.yml").write_bytes(template.read_bytes())
    company = Company.open(root, {"SALESGAUGE_DATA": str(file.parent)})
    (result,) = ingestion.extract(company, Process.load(company.process_file), received_at=datetime(2026, 1, 1))
    if result.total.loaded != rows:
        raise RuntimeError(f"{kind}: {result.total} of {rows} rows: {result.error}")


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
