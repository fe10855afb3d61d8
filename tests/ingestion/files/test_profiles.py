"""What is found out of files without a mapping: their first rows, how dates and numbers are written, what words of stages mean."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from ingestion.files.profiles import forms_of, profiled
from ingestion.files.proposing.stage_words import proposed_stage
from ingestion.files.readers.heads import head
from ingestion.files.synonyms import FILE_WORDS, NAMES, NOUNS, OF_ENTITY, WEIGHTS, plain
from salesgauge.entities import ENTITIES
from salesgauge.warehouse import connect
from tests.ingestion.files.conftest import FileCompany


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_of_large_files_the_first_rows_are_looked_at(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "big.csv").write_text(
        'id,"a\nb"\n' + "".join(f'{n},"x\ny {n}"\n' for n in range(60_000)), encoding=encoding
    )
    first = head(tmp_path / "big.csv", "csv", 1000, tmp_path)
    text = first.path.read_text(encoding=encoding)
    assert not first.is_whole and text.startswith('id,"a\nb"\n0,"x\ny 0"\n') and text.count('"') % 2 == 0
    assert 1000 <= text.count("\n") <= 1001


def test_of_a_large_workbook_the_first_rows_are_looked_at(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for n in range(12_000):
        book.active.append([n, f"name {n}", "x" * 10])
    book.save(tmp_path / "big.xlsx")
    first = head(tmp_path / "big.xlsx", "excel", 500, tmp_path)
    rows = list(openpyxl.load_workbook(first.path).active.iter_rows(values_only=True))
    assert not first.is_whole and len(rows) == 500 and rows[-1] == (499, "name 499", "x" * 10)


@pytest.mark.parametrize(
    ("values", "formats", "is_open"),
    [
        (["13/02/2026", "01/03/2026"], ("%d/%m/%Y",), False),
        (["02/13/2026", "03/01/2026"], ("%m/%d/%Y",), False),
        (["01/02/2026", "03/04/2026"], ("%m/%d/%Y",), True),
        (["2026-01-02 08:00", "2026-01-02"], ("iso8601",), False),
        (["Jan 5, 2026", "Feb 13, 2026"], ("%b %d, %Y",), False),
        (["5-Jan-26", "13-Feb-26"], ("%d-%b-%y",), False),
        (["1/25/26 8:05 PM", "1/2/26 11:00 AM"], ("%m/%d/%y %I:%M %p",), False),
        (["01/25/2026 08:05", "01/26/2026", "01/27/2026"], ("%m/%d/%Y", "%m/%d/%Y %H:%M"), False),
        (["20260105", "20260213"], ("%Y%m%d",), False),
        (["25.01.2026 08:05:07", "02.02.2026 08:05:08"], ("%d.%m.%Y %H:%M:%S",), False),
    ],
)
def test_formats_of_dates_are_found(values: list[str], formats: tuple[str, ...], is_open: bool) -> None:
    with connect(":memory:") as con:
        con.execute('create table t as select unnest($1) as "s:d"', [values])
        (found,) = profiled(con, "t", [("d", "varchar")])
    assert found.dates is not None and found.dates.formats == formats and bool(found.dates.other) == is_open
    assert found.dates.misses == 0


@pytest.mark.parametrize("text", ["", "12", "hello", "10:30", "3.14", "2026", "1-2-3-4"])
def test_what_is_no_date_has_no_format(text: str) -> None:
    assert forms_of(text) == []


@pytest.mark.parametrize(
    ("values", "decimal", "group", "is_open"),
    [
        (["1,234.50", "7"], ".", ",", False),
        (["1.234,50 €", "7,5 €"], ",", ".", False),
        (["12 345,60"], ",", "", False),
        (["1'234.50"], ".", "'", False),
        (["1,234", "22,000"], ".", ",", False),
        (["1.234", "2.345"], ",", ".", True),
        (["1.2345"], ".", "", False),
        (["(1,200.00)", "$3.00-"], ".", ",", False),
    ],
)
def test_how_numbers_are_written_is_found(values: list[str], decimal: str, group: str, is_open: bool) -> None:
    with connect(":memory:") as con:
        con.execute('create table t as select unnest($1) as "s:n"', [values])
        (found,) = profiled(con, "t", [("n", "varchar")])
    assert found.numbers is not None
    assert (found.numbers.decimal, found.numbers.group.strip(), found.numbers.is_open) == (decimal, group, is_open)


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("Closed Won", "won"), ("SOLD", "won"), ("Closed - Lost", "lost"), ("Estimate declined", "lost"), ("Proposal/Price Quote", "proposal"), ("Estimate", "proposal"),
        ("New", "inquiry"), ("Junk lead", "lost"), ("Proposl", "proposal"), ("Not Sold", "lost"), ("Paid", "paid"), ("Zebra", None), ("", None),
    ],
)  # fmt: skip
def test_words_of_stages(crm: FileCompany, word: str, stage: str | None) -> None:
    assert proposed_stage(word, crm.process, "any") == stage


@pytest.mark.parametrize(
    ("word", "converts", "stage"),
    [
        ("Closed - Converted", True, "inquiry"),
        ("Converted", False, "won"),
        ("Closed - Not Converted", True, "lost"),
        ("Open", False, "inquiry"),
    ],
)
def test_words_of_the_status_of_leads(crm: FileCompany, word: str, converts: bool, stage: str) -> None:
    assert proposed_stage(word, crm.process, "lead", converts=converts) == stage


def test_a_word_for_open_means_the_only_open_stage(crm: FileCompany) -> None:
    assert proposed_stage("In progress", crm.process, "deal") == "proposal"


def test_the_words_are_those_of_the_entities() -> None:
    names = {column.name for entity in ENTITIES.values() for column in entity.columns}
    assert set(NAMES) <= names
    for name, table in OF_ENTITY.items():
        assert set(table) <= {column.name for column in ENTITIES[name].columns}
    for name, weights in WEIGHTS.items():
        assert set(weights) <= {column.name for column in ENTITIES[name].columns}
    assert set(WEIGHTS) == set(NOUNS) == set(FILE_WORDS) == set(ENTITIES)
    assert plain("OpportunityID") == plain("opportunity_id") == plain("Opp. Id") == "opportunity id"
