"""``salesgauge sources preview`` and ``check``: what a mapping would make of its files, judged by the code that loads them."""

from __future__ import annotations

import gzip
import io
import zipfile

import openpyxl
import pytest

from ingestion.files import previewing
from ingestion.files.looking import FilePreview
from ingestion.files.previewing import Preview, findings
from tests.ingestion.files.conftest import FileCompany

DEALS = """
files:
  - path: deals*.csv
    entity: deals
    key: id
    columns: {amount: Amount, created_at: Created, owner: Owner, branch: Office}
    dates: {format: "%Y-%m-%d", timezone: America/Chicago}
    stages: {current: {column: Stage, map: {Won: won}}}
"""
GOOD = "id,Amount,Created,Owner,Office,Stage\nD1,10.50,2026-01-05,Ann,x,Won\nD2,20,2026-01-06,Bob,x,Frozen\n"


def _workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["id", "Amount"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def look(crm: FileCompany, mapping: str = DEALS) -> Preview:
    crm.mapping(mapping)
    return previewing.preview(crm.company, crm.process, "crm")


def only(found: Preview) -> FilePreview:
    (one,) = found.files
    return one


def test_rows_are_shown_as_they_would_be_loaded(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD)
    one = only(look(crm))
    shown = {column.name: (column.given_by, column.values, column.empty) for column in one.columns}
    assert shown["deal_id"] == ("id", ("D1", "D2"), 0)
    assert shown["amount"] == ("Amount", ("10.50", "20.00"), 0)
    assert shown["created_at"] == ("Created", ("2026-01-05", "2026-01-06"), 0), "on the company's clock"
    assert shown["stage"] == ("Stage", ("won", "Frozen"), 0)
    assert (one.rows, one.is_whole, one.bad, one.refused, one.is_mistaken) == (2, True, [], "", False)
    assert one.stages == {"Frozen": 1} and one.words["branch"] == {"x": 2} and one.owners == {"Ann": 1, "Bob": 1}
    assert not (crm.company.root / "var").exists(), "nothing is written"


def test_what_would_be_quarantined_is_what_the_load_quarantines(crm: FileCompany) -> None:
    crm.data(
        "deals.csv",
        GOOD + "D3,abc,05.01.2026,Ann,x,Won\nD4,x,2026-13-40,Ann,x,Won\nD5,1,2026-01-09,Ann\n,5,2026-01-09,Ann,x,Won\n",
    )
    one = only(look(crm))
    assert one.bad_rows == 4 and one.is_mistaken
    reasons = {bad.reason: (bad.rows, bad.examples) for bad in one.bad}
    (amounts,) = [value for reason, value in reasons.items() if reason.startswith("amount is not an amount")]
    assert amounts == (2, ((4, "abc"), (5, "x")))
    assert reasons["it has 4 columns; the header has 6"] == (1, ((6, ""),)) and reasons["deal_id: is missing"][0] == 1
    assert any('look like "%d.%m.%Y"' in note for note in one.notes) is False, "two odd dates are no format"
    assert crm.run().tables["deals"].quarantined == 4


def test_dates_of_another_format_are_recognised(crm: FileCompany) -> None:
    crm.data(
        "deals.csv",
        "id,Amount,Created,Owner,Office,Stage\n" + "".join(f"D{n},1,{n}.02.2026,Ann,x,Won\n" for n in range(1, 25)),
    )
    one = only(look(crm))
    assert one.is_mistaken and any("""'created_at'""" in note and '"%d.%m.%Y"' in note for note in one.notes)


def test_all_mistakes_are_told_at_once(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD.replace(",", ";"))
    crm.data("leads.csv", "id,created\n1,2026-01-01\n")
    found = look(
        crm,
        """
files:
  - path: deals.csv
    entity: deals
    key: id
    colour: red
    columns: {amount: Amout, created_at: Created, wrong_name: Owner}
    dates: {format: "%Y-%m-%d", timezone: America/Chicago}
    stages: {current: {column: Stage, map: {Won: wonn, Frozen: ignore}}}
  - path: leads.csv
    entity: leads
    key: id
    columns: {created_at: creatd}
    dates: {format: iso8601, timezone: UTC}
  - path: gone.csv
    entity: users
    key: id
""",
    )
    assert len(found.mistakes) == 3 and all(text.startswith("crm.yml:") for text in found.mistakes)
    assert ["colour" in text or "wrong_name" in text or "wonn" in text for text in found.mistakes] == [True] * 3
    deals, leads = found.files
    assert "delimiter: ';'" in deals.refused and "Is 'Amount' meant by 'Amout'?" in deals.refused
    assert "Is 'created' meant by 'creatd'?" in leads.refused
    assert any("no file matches 'gone.csv'" in text for text in found.unread)


@pytest.mark.parametrize(
    "options", ["entity: users\n    table: x", "entity: nothing", "entity: deals\n    key: id\n    stages: 5"]
)
def test_whatever_is_wrong_with_an_entry_is_told(crm: FileCompany, options: str) -> None:
    crm.data("deals.csv", GOOD)
    assert look(crm, f"files:\n  - path: deals.csv\n    {options}\n").mistakes


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("deals.csv", _workbook(), "an Excel file"),
        ("deals.csv", b"Report\n\n" + GOOD.encode(), "skip: 2"),
        ("deals.csv", GOOD.replace(",", "\t").encode(), "delimiter: tab"),
        ("deals.csv", b"", "has no header"),
        ("deals.csv", b"<html><body>login</body></html>", "a web page"),
    ],
)
def test_a_file_that_would_be_refused(crm: FileCompany, name: str, content: bytes, words: str) -> None:
    crm.data(name, content)
    assert words in only(look(crm)).refused


def test_utf_16_is_read_and_said(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD.encode("utf-16"))
    one = only(look(crm))
    assert one.encoding == "utf-16" and one.rows == 2 and one.refused == ""
    assert (
        "begins like utf-16"
        in only(look(crm, DEALS.replace("entity: deals", "entity: deals\n    encoding: utf-8"))).refused
    )


def test_a_key_that_is_none_is_found(crm: FileCompany) -> None:
    crm.data(
        "deals.csv",
        "id,Amount,Created,Owner,Office,Stage\n" + "".join(f"D{n % 7},{n},2026-01-05,Ann,x,Won\n" for n in range(60)),
    )
    assert "its key is none" in only(look(crm)).refused


def test_rows_that_are_left_out_are_counted(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD)
    one = only(look(crm, DEALS.replace("    key: id", "    key: id\n    where: Owner = 'Ann'")))
    assert one.left_out == 1 and one.stages == {}


def test_of_a_large_file_the_first_rows_are_read(crm: FileCompany) -> None:
    rows = "".join(f"D{n},{n},2026-01-05,Ann,a branch with a long name,Won\n" for n in range(60_000))
    crm.data("deals.csv", "id,Amount,Created,Owner,Office,Stage\n" + rows)
    one = only(look(crm))
    assert not one.is_whole and one.size == f"the first {one.rows:,} rows" and 19_000 < one.rows <= 20_000


@pytest.mark.parametrize("name", ["deals.csv.gz", "deals.csv.zip"])
def test_a_packed_file_is_unpacked_as_far_as_it_is_looked_at(crm: FileCompany, name: str) -> None:
    text = "id,Amount,Created,Owner,Office,Stage\n" + "".join(f"D{n},{n},2026-01-05,Ann,x,Won\n" for n in range(30_000))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("deals.csv", text)
    crm.data(name, gzip.compress(text.encode()) if name.endswith(".gz") else content.getvalue())
    one = only(look(crm, DEALS.replace("deals*.csv", name)))
    assert not one.is_whole and one.rows == 19_999 and one.bad == [] and one.columns[0].values[0] == "D0"
    packed = (crm.company.data_dir / name).read_bytes()
    crm.data(name, packed[: len(packed) // 50])
    assert "it can't be unpacked" in only(look(crm, DEALS.replace("deals*.csv", name))).refused


def test_of_many_files_the_newest_come_first_and_the_rest_is_said(crm: FileCompany) -> None:
    for number in range(1, 26):
        crm.data(f"deals_{number}.csv", GOOD)
    found = look(crm)
    assert [one.file for one in found.files][:2] == ["deals_25.csv", "deals_24.csv"]
    assert any("there are 5 more" in text for text in found.unread)
    quick = previewing.preview(crm.company, crm.process, "crm", seconds=0)
    assert [one.file for one in quick.files] == ["deals_25.csv"] and any(
        "19 files were not looked at" in text for text in quick.unread
    )


def test_owners_without_users_branches_and_leads_without_dates(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD)
    crm.data("users.csv", "id\nAnn\nCy\n")
    crm.data("leads.csv", "id,status\n1,New\n")
    more = """
  - {path: users.csv, entity: users, key: id}
  - {path: leads.csv, entity: leads, key: id, columns: {status: status}}
"""
    texts = [text for text, _ in findings(look(crm, DEALS.rstrip() + more), crm.process)]
    assert any("owners are none of the mapped users: 'Bob' (1)" in text for text in texts)
    assert any("branches that process.yml does not have: 'x' (2)" in text for text in texts)
    assert any("leads without a date" in text for text in texts)
    assert any("stages that nothing maps: 'Frozen' (1)" in text for text in texts)
    checked = list(previewing.checked(crm.company, crm.process, "crm"))
    assert all(one.is_ok for one in checked) and sum(bool(one.advice) for one in checked) == len(texts)


def test_a_check_tells_what_would_be_refused(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD)
    crm.mapping(DEALS.replace("Amount", "Amuont"))
    (finding,) = [one for one in previewing.checked(crm.company, crm.process, "crm") if not one.is_ok]
    assert "Is 'Amount' meant by 'Amuont'?" in finding.advice


def test_a_day_in_another_zone_is_shown_as_that_day(crm: FileCompany) -> None:
    crm.data("deals.csv", GOOD)
    one = only(look(crm, DEALS.replace("timezone: America/Chicago", "timezone: UTC")))
    assert [column.values for column in one.columns if column.name == "created_at"] == [("2026-01-05", "2026-01-06")]
