"""What files say between records: link tables, lists of merged ids, calls with their parts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import ingestion
from ingestion.catalogue import create_views
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from tests.dbt.project import PROCESS_FILE, build

MAPPING = """
files:
  - {path: leads.csv, entity: leads, key: id, columns: {created_at: at, merged_ids: merged}, dates: {format: iso8601, timezone: UTC}}
  - {path: deals.csv, entity: deals, key: id, columns: {created_at: at, lead: lead, merged_ids: merged}, dates: {format: iso8601, timezone: UTC}}
  - {path: links.csv, entity: deal_leads, columns: {deal: deal_no, lead: person, is_primary: main}}
  - path: calls.csv
    entity: calls
    key: id
    columns: {at: at, wait_seconds: wait, talk_seconds: talk, queue: line, agent: who, outcome: result}
    dates: {format: iso8601, timezone: UTC}
"""
FILES = {
    "leads": "id,at,merged\nL1,2026-01-01,\nL2,2026-02-01,\"L8, L9\"\nL3,2026-03-01,\"[\"\"L7\"\",\"\"L6\"\"]\"\nL4,,x|y\n",
    "deals": "id,at,lead,merged\nD1,2026-02-15,,\nD2,2026-02-15,L9,\nD3,2026-02-15,,D9\nD4,2025-01-01,,\nD5,2026-02-15,,\nD6,2026-02-15,,\n",
    "links": "deal_no,person,main\nD1,L1,\nD1,L2,\nD1,L3,\nD2,L1,\nD3,L1,true\nD3,L2,\nD4,L3,\nD4,L2,\nD5,gone,\nD6,L4,\nD6,L3,\n",
    "calls": "id,at,wait,talk,line,who,result\n1,2026-01-01,0:00:10,0:02:00,Sales,ann@x.co,\n2,2026-01-01,20,0,Sales,Ann,\n3,2026-01-01,5,60,,Ann,Left voicemail\n"
    "4,2026-01-01,,,,,\n",
}  # fmt: skip


def test_what_files_say_between_records(company: Company, bench: Path) -> None:
    (company.sources_dir / "crm.yml").write_text(MAPPING, encoding="utf-8")
    company.data_dir.mkdir()
    for name, content in FILES.items():
        (company.data_dir / f"{name}.csv").write_text(content, encoding="utf-8")
    process = Process.load(PROCESS_FILE)
    (result,) = ingestion.extract(company, process, received_at=datetime(2026, 7, 1))
    assert (result.error, result.total.quarantined) == (None, 0)
    path = bench / "salesgauge.duckdb"
    path.unlink(missing_ok=True)
    with connect(path) as con:
        process.write_tables(con, datetime(2026, 7, 1))
        create_views(con, company)
    build(bench, *(f"stg_files__{name}" for name in ("leads", "deals", "deal_leads", "calls")))
    with connect(path) as con:
        # of several leads the primary one, else the newest created at or before the deal, else the first; the deal's own comes first
        assert con.execute("select deal_id, lead_id from staging.stg_files__deals order by 1").fetchall() == [
            ("crm:D1", "crm:L2"),
            ("crm:D2", "crm:L9"),
            ("crm:D3", "crm:L1"),
            ("crm:D4", "crm:L2"),
            ("crm:D5", None),
            ("crm:D6", "crm:L3"),
        ]
        merged = "select lead_id, merged_ids from staging.stg_files__leads where merged_ids is not null union all select deal_id, merged_ids from staging.stg_files__deals where merged_ids is not null order by 1"  # fmt: skip
        assert con.execute(merged).fetchall() == [("crm:D3", "D9"), ("crm:L2", "L8;L9"), ("crm:L3", "L7;L6"), ("crm:L4", "x;y")]  # fmt: skip
        assert con.execute("select count(*), count(distinct link_id) from staging.stg_files__deal_leads").fetchone() == (11, 11)  # fmt: skip
        assert con.execute(
            "select is_answered, duration_seconds, wait_seconds, talk_seconds, queue, agent, user_email, outcome from staging.stg_files__calls order by call_id"
        ).fetchall() == [
            (True, 130, 10, 120, "Sales", "ann@x.co", "ann@x.co", None),
            (False, 20, 20, 0, "Sales", "Ann", None, None),
            (False, 65, 5, 60, None, "Ann", None, "no_answer"),
            (None, None, None, None, None, None, None, None),
        ]
        # a file that never says that a caller gave up can't tell
        assert con.execute("select distinct is_abandoned from staging.stg_files__calls").fetchall() == [(None,)]
