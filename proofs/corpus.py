"""``make corpus``: records and files that nobody should send; all of them are accounted for, with their reason, and can be had back.

Each value is put into every typed column of a table in turn, as an API would answer it; each file is read by the file source as an export would be.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

import ingestion
from benchmarks.figures import publish
from ingestion import rawlog
from ingestion.landing.load import Landing
from ingestion.landing.spool import dumps
from ingestion.rawlog.declarations import RawColumn, RawTable
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

AT = datetime(2026, 7, 1)
TABLE = RawTable(
    "callrail",
    "calls",
    (
        RawColumn("id", "varchar", "$.id"),
        RawColumn("at", "timestamp", "$.at", required=True),
        RawColumn("day", "date", "$.day"),
        RawColumn("amount", "decimal(18, 2)", "$.amount"),
        RawColumn("n", "bigint", "$.n"),
        RawColumn("rate", "double", "$.rate"),
        RawColumn("flag", "boolean", "$.flag"),
        RawColumn("tags", "varchar[]", "$.tags"),
    ),
    ("id",),
)
GOOD: dict[str, Any] = {
    "id": "1", "at": "2026-01-31T09:30:00Z", "day": "2026-01-31", "amount": "12.50", "n": 7, "rate": 0.5, "flag": True, "tags": ["a"],
}  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, "", " ", "null", "N/A", "-", 0, -1, 1.5, 1e308, 10**40, -(10**40), True, False, "true", "FALSE", "yes", "0x1F", "1e5", "1,234.56", "1.234,56",
    "12.5.6", "٣", "½", "NaN", "Infinity", "-inf", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30", "2026-13-01", "31/12/2026",
    "2026-03-08T02:30:00", "2026-11-01T01:30:00-05:00", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+26:00", "1767225600000", "yesterday", "epoch",
    "\x00", "a\x00b", "\ud800", "x\udfffy", "\u202e", "\ufeff1", "é" * 300, "x" * 1_000_000, "'; drop table raw; --", "=cmd()", "<script>", "${jndi}",
    [], [1, "2", None], [[1]], {}, {"a": {"b": [1]}}, {"id": "2"}, "[1", "{", '"', "\\", "\t\n\r", "%s", "𝔘", "\u2028",
)  # fmt: skip
RAW_LINES: tuple[str, ...] = (
    "{", "}", "[", "null", "true", "1", '"text"', "[]", "[{}]", "{}", "{'id': '1'}", '{"id": "1",}', '{"id" "1"}', '{"id": "1"} x', '{"id": NaN}',
    '{"id": "1", "id": "2"}', '{"id": "1", "at": "2026-01-01T00:00:00Z", "at": "bad"}', "\ufeff{}", "{" * 500, '{"a":' * 300 + "1" + "}" * 300,
    '{"id": "\\ud800"}', '{"id": "\\u0000"}', '{"id": "1", "at": "2026-01-01T00:00:00Z", "n": 1e999}', '{"ID": "1", "AT": "2026-01-01T00:00:00Z"}',
    '{"id": 1, "at": 20260101}', "not json at all", "<html></html>", "id,at\n", "é",
)  # fmt: skip

PROCESS = """
company: {name: Corpus, currency: USD, timezone: UTC}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages: [{key: proposal}, {key: won, kind: won}]
"""
MAPPING = """files:
  - path: "{path}"
    entity: deals
    key: id
    columns: {{created_at: begun, amount: price}}
    dates: {{format: "%Y-%m-%d", timezone: America/Chicago}}
    stages: {{current: {{column: stage}}, entered: {{proposal: begun}}}}
"""
HEAD, ROW = "id,begun,price,stage", "1,2026-01-02,5.00,won"
FILES: dict[str, bytes] = {
    "empty.csv": b"",
    "blank.csv": b"\n\n\n",
    "header.csv": f"{HEAD}\n".encode(),
    "good.csv": f"{HEAD}\n{ROW}\n".encode(),
    "no-newline.csv": f"{HEAD}\n{ROW}".encode(),
    "crlf.csv": f"{HEAD}\r\n{ROW}\r\n".encode(),
    "cr.csv": f"{HEAD}\r{ROW}\r".encode(),
    "bom.csv": b"\xef\xbb\xbf" + f"{HEAD}\n{ROW}\n".encode(),
    "utf16.csv": f"{HEAD}\n{ROW}\n".encode("utf-16"),
    "latin1.csv": f"{HEAD}\n1,2026-01-02,5,w\xf6n\n2,2026-01-02,5,won\n".encode("latin-1"),
    "ragged.csv": f"{HEAD}\n1,2026-01-02\n{ROW}\n2,2026-01-02,5,won,more,still\n".encode(),
    "quote-open.csv": f'{HEAD}\n1,"2026-01-02,5,won\n2,2026-01-02,5,won\n'.encode(),
    "quote-inside.csv": f'{HEAD}\n1,2026-01-02,5,w"o"n\n'.encode(),
    "quoted-newline.csv": f'{HEAD}\n1,2026-01-02,5,"wo\nn"\n{ROW}\n'.encode(),
    "nul.csv": f"{HEAD}\n1,2026-01-02,5,w\x00n\n{ROW}\n".encode(),
    "nul-only.csv": b"\x00" * 64,
    "binary.csv": bytes(range(256)) * 4,
    "header-twice.csv": f"id,begun,begun,price,stage\n{ROW}\n".encode(),
    "header-lacks.csv": b"id,begun\n1,2026-01-02\n",
    "header-renamed.csv": f"ID,Begun,Price,Stage\n{ROW}\n".encode(),
    "semicolon.csv": f"{HEAD}\n{ROW}\n".replace(",", ";").encode(),
    "megabyte.csv": f"{HEAD}\n1,2026-01-02,5,{'x' * 1_000_000}\n{ROW}\n".encode(),
    "wide.csv": ",".join(f"c{n}" for n in range(3000)).encode() + b"\n",
    "duplicates.csv": f"{HEAD}\n{ROW}\n{ROW}\n1,2026-01-03,6,won\n".encode(),
    "gap.csv": f"{HEAD}\n1,2026-03-08,5,won\n2,0001-01-01,5,won\n3,9999-12-31,5,won\n4,2026-02-30,5,won\n".encode(),
    "money.csv": f"{HEAD}\n1,2026-01-02,NaN,won\n2,2026-01-02,1e999,won\n3,2026-01-02,$5,won\n4,2026-01-02,-0,won\n".encode(),
    "surrogate.csv": f"{HEAD}\n".encode() + b"1,2026-01-02,5,\xed\xa0\x80\n",
    "injected.csv": f"{HEAD}\n=1+1,2026-01-02,5,won\n'; drop table x; --,2026-01-02,5,won\n".encode(),
    "good.jsonl": b'{"id": "1", "begun": "2026-01-02", "price": 5, "stage": "won"}\n',
    "mixed.jsonl": b'{"id": "1", "begun": "2026-01-02", "price": 5, "stage": "won"}\n{bad\n[1]\nnull\n\n{"id": {"a": 1}, "begun": 1, "price": [], "stage": null}\n',
    "array.jsonl": b'[{"id": "1"}]\n',
    "control.jsonl": b'\x01\n{"id": "1", "begun": "2026-01-02", "price": 5, "stage": "won"}\x01\n\x02\n',
    "bytes.jsonl": b'{"id": "1", "begun": "2026-01-02", "price": 5, "stage": "\xff\xfe"}\n',
    "long.jsonl": b'{"id": "1", "begun": "2026-01-02", "price": 5, "stage": "' + b"x" * 3_000_000 + b'"}\n',
    "deep.jsonl": b'{"id": ' + b"[" * 2000 + b"]" * 2000 + b"}\n",
    "empty.jsonl": b"",
    "text.parquet": b"this is no parquet file",
    "cut.parquet": b"PAR1\x15\x04\x15\x10",
    "empty.parquet": b"",
    "text.xlsx": b"this is no workbook",
    "cut.xlsx": b"PK\x03\x04\x14\x00",
    "packed.csv": gzip.compress(f"{HEAD}\n{ROW}\n".encode())[:30],
}


@dataclass
class Figures:
    """``unaccounted``: records that are neither loaded, quarantined nor duplicates; ``lost``: quarantined ones that can't be had back."""

    records: int = 0
    files: int = 0
    loaded: int = 0
    quarantined: int = 0
    refused: int = 0
    unaccounted: int = 0
    lost: int = 0
    without_reason: int = 0
    crashes: int = 0

    def note(self, text: str) -> None:
        """Say what went wrong."""
        click.echo(f"  {text}", err=True)


def records() -> Iterator[str]:
    """The lines that an API's answers become."""
    for name in GOOD:
        for value in VALUES:
            yield dumps({**GOOD, "id": "1", name: value})
    yield from (line.rstrip("\n") for line in RAW_LINES)


def play_records(folder: Path, figures: Figures) -> None:
    """Land all records at once, as one page of an answer."""
    company = _company(folder, {})
    (folder / ".dlt" / "config.toml").write_text("[sources.callrail]\n", encoding="utf-8")
    lines = list(records())
    page = folder / "page.jsonl"
    page.write_bytes(b"".join(line.encode("utf-8", "surrogatepass") + b"\n" for line in lines))
    figures.records += len(lines)
    try:
        with Landing(company, "callrail", received_at=AT) as landing:
            landing.records(TABLE, [page])
            landing.commit()
            count = landing.counts["calls"]
    except Exception as error:  # a crash is what is counted
        figures.crashes += 1
        figures.note(f"records: {type(error).__name__}: {str(error)[:200]}")
        return
    figures.loaded += count.loaded
    figures.quarantined += count.quarantined
    figures.unaccounted += abs(len(lines) - count.loaded - count.quarantined - count.duplicates)
    with connect(":memory:") as con:
        kept = con.execute(
            f"select cast(record as varchar) from ({rawlog.relation(company, TABLE)}) union all "
            f"select record from ({rawlog.quarantined(company, 'callrail')})"
        ).fetchall()
        reasons = con.execute(
            f"select count(*) from ({rawlog.quarantined(company, 'callrail')}) where coalesce(trim(reason), '') = ''"
        ).fetchone()
    figures.without_reason += reasons[0] if reasons else 0
    found = sorted(row[0] or "" for row in kept)
    for line in lines:
        if line not in found and _escaped(line) not in found:
            figures.lost += 1
            figures.note(f"records: can't be had back: {line[:80]!r}")


def _escaped(line: str) -> str:
    """A line with what no text may hold written out, as the quarantine keeps it."""
    text = line.encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace")
    return "".join(one if one >= " " or one == "\t" else f"\\x{ord(one):02x}" for one in text)


def play_files(folder: Path, figures: Figures) -> None:
    """Read every file with one mapping, each in a company of its own."""
    for name, content in FILES.items():
        root = folder / name
        company = _company(root, {"crm": MAPPING.format(path=name)})
        (root / "data" / name).write_bytes(content)
        figures.files += 1
        (result,) = ingestion.extract(company, Process.load(company.process_file), received_at=AT)
        if result.error and "unexpected" in result.error:
            figures.crashes += 1
            figures.note(f"{name}: {result.error[:200]}")
        figures.refused += bool(result.error and "refused" in result.error)
        for table, count in result.tables.items():
            figures.loaded += count.loaded
            figures.quarantined += count.quarantined
            gone = count.received - count.loaded - count.quarantined - count.duplicates
            figures.unaccounted += abs(gone)
            if gone:
                figures.note(f"{name}: {table}: {count}")
        with connect(":memory:") as con:
            row = con.execute(
                f"select count(*) from ({rawlog.quarantined(company, 'crm')}) where coalesce(trim(reason), '') = ''"
            ).fetchone()
        figures.without_reason += row[0] if row else 0


def _company(root: Path, sources: dict[str, str]) -> Company:
    for folder in ("sources", "data", ".dlt"):
        (root / folder).mkdir(parents=True)
    (root / "process.yml").write_text(PROCESS, encoding="utf-8")
    for name, text in sources.items():
        (root / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")
    return Company.open(root, {})


def play(folder: Path) -> Figures:
    """The whole corpus."""
    figures = Figures()
    play_records(folder / "records", figures)
    play_files(folder / "files", figures)
    return figures


@click.command()
def main() -> None:
    """Load the corpus; all of it has to be accounted for."""
    with tempfile.TemporaryDirectory() as folder:
        figures = play(Path(folder))
    publish("corpus", {f"corpus_{name}": value for name, value in vars(figures).items()})
    sys.exit(1 if figures.unaccounted or figures.lost or figures.crashes or figures.without_reason else 0)


if __name__ == "__main__":
    main()
