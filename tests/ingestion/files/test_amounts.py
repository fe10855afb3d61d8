"""Amounts as people and programs write them: what could mean two things is refused unless the mapping says how to read it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from salesgauge.process import Process

MAPPING = (
    "files:\n  - {path: '*.*', format: csv, delimiter: ';', entity: deals, key: no, columns: {amount: value}OPTIONS}\n"
)
US, GERMAN = "{decimal: '.', group: ',', signs: ['$']}", "{decimal: ',', group: '.', signs: ['€']}"


def _amounts(crm: Any) -> dict[str, Any]:
    return {str(key): amount for key, amount in crm.rows("select deal_id, amount from raw_files.deals")}


def _load(crm: Any, values: list[str], options: str = "") -> dict[str, Any]:
    crm.mapping(MAPPING.replace("OPTIONS", options))
    crm.data("a.csv", "no;value\n" + "".join(f"{value};{value}\n" for value in values))
    result = crm.run()
    assert result.total.received == len(values)
    return _amounts(crm)


def test_without_a_word_an_amount_has_two_decimals(crm: Any) -> None:
    good = ["99.90", "5", "-5", "5.5", "0.07", "1234567.89", "+3.10", ".5"]
    bad = [
        "1.234",
        "12.500",
        "100.005",
        "1.234,50",
        "1,234.50",
        "1,234",
        "1 234.50",
        "(5.00)",
        "$5",
        "-0.001",
        "2.0000",
    ]
    assert _load(crm, [*good, *bad]) == {value: Decimal(value).quantize(Decimal("0.01")) for value in good}
    said = {record.split('"')[3]: reason for _, _, reason, record in crm.quarantine()}
    assert sorted(said) == sorted(bad)
    assert said["1.234"] == (
        "amount: '1.234' is not an amount with '.' before at most two decimals; say how amounts are written, for example "
        "numbers: {decimal: ',', group: '.'} or numbers: {decimal: '.', group: ','}"
    )


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        (
            US,
            {
                "1,234.50": "1234.50", "$1,234": "1234", "($1,234.50)": "-1234.50", "-$5": "-5", "$-5": "-5", "5-": "-5", "1 234.50": "1234.50",
                "( 5.00 )": "-5.00", "1.234": "1.23", "$ 1,234,567.8": "1234567.80", "\u22125": "-5", "1\u00a0234.50": "1234.50",
            },
        ),
        (GERMAN, {"1.234,50": "1234.50", "1.234": "1234", "-5": "-5", "1.234.567,89 €": "1234567.89", "€ 5": "5", "(5,00)": "-5", "1 234,5": "1234.50"}),
        ("{decimal: '.', group: \"'\"}", {"1'234.50": "1234.50", "1\u2019234": "1234"}),
        ("{decimal: ',', group: ' '}", {"1 234,50": "1234.50", "1\u202f234,50": "1234.50", "12": "12"}),
        ("{decimal: '.'}", {"1.234": "1.23", "100.005": "100.01", "2.0000": "2.00"}),
    ],
)  # fmt: skip
def test_numbers_says_how_to_read(crm: Any, numbers: str, written: dict[str, str]) -> None:
    found = _load(crm, list(written), f", numbers: {numbers}")
    assert found == {text: Decimal(value).quantize(Decimal("0.01")) for text, value in written.items()}


def test_what_numbers_does_not_say_is_refused(crm: Any) -> None:
    bad = ["1.234,50", "12 34", "1,23", "(5", "5)", "--5", "(-5)", "€5", "1,234 567", "$"]
    assert _load(crm, [*bad, "7"], f", numbers: {US}") == {"7": Decimal(7)}


def test_a_number_is_no_text(crm: Any) -> None:
    """In Parquet, JSON and cells of Excel a number says what it is."""
    crm.mapping(
        "files:\n"
        + "".join(
            f"  - {{path: a.{kind}, entity: deals, key: no, columns: {{amount: value}}}}\n"
            for kind in ("parquet", "jsonl", "xlsx")
        )
    )
    duckdb.sql(f"copy (select 'parquet' as no, 1.2345::double as value) to '{crm.company.data_dir / 'a.parquet'}'")
    crm.data(
        "a.jsonl",
        '{"no": "json", "value": 1.2345}\n{"no": "json2", "value": "1.234"}\n{"no": "json3", "value": "1.20"}\n',
    )
    _excel(
        crm.company.data_dir / "a.xlsx", [["no", "value"], ["excel", 1.2345], ["excel2", "1.234"], ["excel3", "1.20"]]
    )
    crm.run()
    assert _amounts(crm) == {
        "parquet": Decimal("1.23"), "json": Decimal("1.23"), "json3": Decimal("1.20"), "excel": Decimal("1.23"), "excel3": Decimal("1.20"),
    }  # fmt: skip
    assert sorted(str(record) for *_, record in crm.quarantine()) == [
        '{"no": "json2", "value": "1.234"}',
        '{"no":"excel2","value":"1.234"}',
    ]


def _excel(path: Path, rows: list[list[Any]]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def test_a_formula_that_was_never_calculated_is_quarantined_with_its_cell(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: a.xlsx, entity: deals, key: no, columns: {amount: value, name: title}, nulls: ['', '#N/A']}\n"
    )
    rows: list[list[Any]] = [
        ["no", "note", "value", "title"],
        ["A", None, 5, "x"],
        ["B", None, "=1+1", "x"],
        ["C", "=1+1", 6, "x"],  # a column that nobody maps
        [None, None, None, None],
        ["D", None, "=2", "=UPPER(\"x\")"],
        ["E", None, 7, "#REF!"],
        ["F", None, 8, "#N/A"],
    ]  # fmt: skip
    _excel(crm.company.data_dir / "a.xlsx", rows)
    result = crm.run()
    assert (result.total.received, result.total.loaded, result.total.quarantined) == (6, 3, 3)
    assert _amounts(crm) == {"A": 5, "C": 6, "F": 8}
    never = "a formula that was never calculated; open the file in a spreadsheet program, and save it"
    assert [(line, reason) for _, line, reason, _ in crm.quarantine()] == [
        (3, f"cell C3: {never}"),
        (6, f"cell C6: {never}; cell D6: {never}"),
        (7, "cell D7: the error #REF!"),
    ]


def test_a_formula_with_a_value_loads(crm: Any) -> None:
    """As a spreadsheet program saves it; an empty text is a value too."""
    from zipfile import ZipFile

    crm.mapping("files:\n  - {path: a.xlsx, entity: deals, key: no, columns: {amount: value, name: title}}\n")
    path = crm.company.data_dir / "a.xlsx"
    _excel(path, [["no", "value", "title"], ["A", "=1+1", '=""'], ["B", "=1+2", '="x"']])
    with ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    for cell, kind, value in (("B2", "", "2"), ("C2", ' t="str"', ""), ("B3", "", "3"), ("C3", ' t="str"', "x")):
        before, _, after = sheet.partition(f'<c r="{cell}"')
        _, _, rest = after.partition(">")
        formula, _, rest = rest.partition("</f>")
        sheet = f'{before}<c r="{cell}"{kind}>{formula}</f><v>{value}</v></c>{rest.partition("</c>")[2]}'
    parts["xl/worksheets/sheet1.xml"] = sheet.encode()
    with ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    assert crm.run().error is None
    assert crm.rows("select deal_id, amount, name from raw_files.deals order by 1") == [("A", 2, None), ("B", 3, "x")]


def _move(crm: Any, zone: str) -> None:
    """The company is in ``zone``."""
    path = crm.company.root / "process.yml"
    path.write_text(path.read_text().replace("America/Chicago", zone))
    crm.process = Process.load(path)


DAYS = {"America/Sao_Paulo": "2017-10-15", "America/Havana": "2019-03-10", "Asia/Beirut": "2022-03-27"}


@pytest.mark.parametrize("zone", DAYS)
def test_a_day_whose_midnight_the_clock_skips_is_a_day(crm: Any, zone: str) -> None:
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    day = DAYS[zone]
    _move(crm, zone)
    forms = {"iso8601": day, "%d/%m/%Y": "/".join(reversed(day.split("-"))), "%Y-%m-%d %H:%M:%S": f"{day} 00:00:00"}
    crm.mapping(
        "files:\n"
        + "".join(
            f'  - {{path: {number}.csv, entity: leads, key: id, columns: {{created_at: at}}, dates: {{format: "{form}", timezone: {zone}}}}}\n'
            for number, form in enumerate(forms)
        )
        + f"  - {{path: x.xlsx, entity: leads, key: id, columns: {{created_at: at}}, dates: {{format: iso8601, timezone: {zone}}}}}\n"
        + f"  - {{path: x.parquet, entity: leads, key: id, columns: {{created_at: at}}, dates: {{timezone: {zone}}}}}\n"
    )
    for number, text in enumerate(forms.values()):
        crm.data(f"{number}.csv", f"id,at\n{number},{text}\n")
    _excel(crm.company.data_dir / "x.xlsx", [["id", "at"], ["x", date.fromisoformat(day)]])
    duckdb.sql(f"copy (select 'p' as id, date '{day}' as at) to '{crm.company.data_dir / 'x.parquet'}'")
    result = crm.run()
    assert (result.error, result.total.loaded) == (None, 5)
    # the first moment of the day
    first = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)  # fmt: skip
    assert {row[0] for row in crm.rows("select created_at from raw_files.leads")} == {first}
    # a time that the clock skips is still none
    crm.data("2.csv", f"id,at\n2,{day} 00:30:00\n")
    assert crm.run().total.quarantined == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Chicago"])
@pytest.mark.parametrize("form", ["iso8601", "%Y-%m-%d"])
def test_a_day_is_a_day_of_the_company_whatever_zone_times_are_in(crm: Any, zone: str, form: str) -> None:
    """Else it would be the day before, or after, in a zone to the west or the east."""
    from datetime import datetime

    crm.mapping(
        "files:\n"
        f"  - {{path: a.csv, entity: leads, key: id, columns: {{created_at: at}}, dates: {{format: ['{form}', '%Y-%m-%d %H:%M'], timezone: {zone}}}}}\n"
        f"  - {{path: a.parquet, entity: leads, key: id, columns: {{created_at: at}}, dates: {{timezone: {zone}}}}}\n"
        f"  - {{path: a.xlsx, entity: leads, key: id, columns: {{created_at: at}}, dates: {{format: '{form}', timezone: {zone}}}}}\n"
    )
    crm.data("a.csv", "id,at\ncsv,2026-02-03\ntime,2026-02-03 00:00\n")
    duckdb.sql(f"copy (select 'parquet' as id, date '2026-02-03' as at) to '{crm.company.data_dir / 'a.parquet'}'")
    _excel(crm.company.data_dir / "a.xlsx", [["id", "at"], ["excel", datetime(2026, 2, 3)], ["text", "2026-02-03"]])
    assert crm.run().error is None
    found = dict(crm.rows("select lead_id, created_at from raw_files.leads"))
    midnight = {
        "UTC": datetime(2026, 2, 3),
        "Asia/Tokyo": datetime(2026, 2, 2, 15),
        "America/Chicago": datetime(2026, 2, 3, 6),
    }
    assert found.pop("time") == midnight[zone]
    assert found == dict.fromkeys(["csv", "parquet", "excel", "text"], datetime(2026, 2, 3, 6))


CURRENCIES = "{decimal: '.', group: ',', signs: ['$', US$, '€', EUR, Kč, h]}"


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("€1,200.50", "1200.50", "€"),
        ("1,200.50 EUR", "1200.50", "EUR"),
        ("EUR € 7", "7", "EUR"),
        ("US$ 7", "7", "US$"),
        ("$7", "7", "$"),
        ("7 kč", None, None),
        ("7 Kč", "7", "Kč"),
        ("7 h", "7", None),
        ("7", "7", None),
    ],
)
def test_the_sign_beside_an_amount_is_its_currency(
    crm: Any, written: str, amount: str | None, currency: str | None
) -> None:
    _load(crm, [written], f", numbers: {CURRENCIES}")
    assert crm.rows("select amount, currency from raw_files.deals") == ([(Decimal(amount), currency)] if amount else [])


def test_a_column_that_names_the_currency_comes_before_the_sign(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: '*.*', format: csv, entity: deals, key: no, columns: {amount: value, currency: money}, "
        "numbers: {signs: ['$', '€']}}\n"
    )
    crm.data("a.csv", "no,value,money\n1,$5,CAD\n2,€5,\n3,5,EUR\n4,5,\n")
    crm.run()
    assert crm.rows("select deal_id, currency from raw_files.deals order by _row") == [
        ("1", "CAD"), ("2", "€"), ("3", "EUR"), ("4", None)
    ]  # fmt: skip
    received = crm.rows("select _line, record->>'money' from raw_files.deals order by _row")
    assert [money for _, money in received] == ["CAD", None, "EUR", None], "the record is kept as it came"
