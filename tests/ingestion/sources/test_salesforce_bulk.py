"""Bulk results as files: every row as REST would give it, line breaks and quotes inside; a file that is cut or short ends the load."""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path

import pytest

from ingestion import rawlog
from ingestion.catalogue import create_views
from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import TableCount
from ingestion.sources.salesforce import bulk
from ingestion.sources.salesforce.tables import SOBJECTS
from salesgauge.errors import SourceError
from salesgauge.settings import Company
from salesgauge.warehouse import connect

LEADS = next(one.table for one in SOBJECTS if one.name == "Lead")
HEADER = '"Id","CreatedDate","SystemModstamp","IsDeleted","Name","Note"\n'
ROWS = (
    '"1","2026-01-01T00:00:00.000+0000","2026-01-02T00:00:00.000+0000","false","Ann ""A"" Doe, jr.",""\n'
    '"2","2026-01-01T00:00:00.000+0000","2026-03-02T09:30:00.000+0000","true","Zoë","two\nlines"\n'
)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    return Company.open(tmp_path, {})


def _land(company: Company, text: str, announced: int) -> tuple[TableCount, datetime | None]:
    file = company.root / "result.csv"
    file.write_text(text, encoding="utf-8")
    with Landing(company, "salesforce", received_at=datetime(2026, 7, 1)) as landing:
        bulk.land(landing, LEADS, file, {"IsDeleted"}, announced)
        at = bulk.newest(landing, LEADS, "SystemModstamp")
        landing.commit()
        return landing.counts.get("leads", TableCount()), at


def test_rows_are_what_rest_gives(company: Company) -> None:
    bad = '"3","2026-01-01T00:00:00.000+0000","someday","false","Bob",""\n'
    count, newest = _land(company, HEADER + ROWS + bad, 3)
    assert (count, newest) == (TableCount(3, 2, 1, 0), datetime(2026, 3, 2, 9, 30))
    with connect(":memory:") as con:
        create_views(con, company, ["salesforce"])
        found = con.execute(
            "select id, is_deleted, modified_at, record from raw_salesforce.leads order by id"
        ).fetchall()
        assert [row[:3] for row in found] == [
            ("1", False, datetime(2026, 1, 2)),
            ("2", True, datetime(2026, 3, 2, 9, 30)),
        ]
        first, second = (json.loads(row[3]) for row in found)
        assert (first["Name"], first["Note"], first["IsDeleted"]) == ('Ann "A" Doe, jr.', None, False)
        assert (second["Name"], second["Note"], second["IsDeleted"]) == ("Zoë", "two\nlines", True)
        ((key, reason),) = con.execute("select record_key, reason from raw_log.quarantine").fetchall()
        assert key == "3" and reason.startswith("modified_at: 'someday' is not a time")


def test_a_result_without_rows_is_none(company: Company) -> None:
    assert _land(company, HEADER, 0) == (TableCount(), None)
    assert rawlog.table_files(company, "salesforce", "leads") == []


@pytest.mark.parametrize(
    ("text", "announced"),
    [("", 2), (HEADER + ROWS, 3), (HEADER + ROWS[:-30], 2), (HEADER + ROWS + '"3","2026', 3), (HEADER + ROWS + '"3","x"y","z"\n', 3)],
    ids=["empty", "rows are missing", "cut in a field", "cut in a row", "a stray quote"],
)  # fmt: skip
def test_a_result_that_is_not_whole_is_not_kept(company: Company, text: str, announced: int) -> None:
    with pytest.raises(SourceError, match="leads"):
        _land(company, text, announced)
    assert rawlog.committed(company, "salesforce") == []


def test_notes_of_many_lines_are_read_though_the_quick_reader_refuses_them(company: Company) -> None:
    """DuckDB's reader on several cores takes a line of a long note for the begin of a row; on two cores it does so with this file."""
    words = [
        "Customer",
        "asked",
        "about",
        "the",
        "roof,",
        "then",
        "said",
        "we",
        "will",
        "call",
        "back.",
        "Quote",
        "2x4",
        "lumber",
        '3"',
        "pipe;",
        "see",
        "notes",
    ]
    chance = random.Random(3)
    notes, size = [], 0
    while size < 27_000_000:
        lines = [" ".join(chance.choices(words, k=chance.randint(3, 40))) for _ in range(chance.choice([0, 1, 3, 10, 60]))]  # fmt: skip
        notes.append("\n".join(lines))
        size += len(notes[-1].replace('"', '""')) + 102 + len(str(len(notes)))
    at = "2026-01-01T00:00:00.000+0000"
    rows = [f'"{number}","{at}","{at}","false","Bo ""the"" Man, X","{note.replace(chr(34), chr(34) * 2)}"\n' for number, note in enumerate(notes)]  # fmt: skip
    count, _ = _land(company, HEADER + "".join(rows), len(notes))
    assert count == TableCount(len(notes), len(notes), 0, 0)
    with connect(":memory:") as con:
        create_views(con, company, ["salesforce"])
        found = dict(con.execute("select id::int, record->>'Note' from raw_salesforce.leads").fetchall())
    assert found == {number: note or None for number, note in enumerate(notes)}
