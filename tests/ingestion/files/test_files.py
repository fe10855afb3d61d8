"""What mapped files become: values, moments, numbers, stages, event logs, and what is read again."""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import TableCount
from ingestion.files.land import land
from ingestion.files.run import check

DEALS = """files:
  - path: deals_*.csv
    entity: deals
    key: id
    columns: {amount: value, created_at: created, expected_close_date: planned, product: product, is_deleted: gone}
    constants: {currency: EUR}
    values: {product: {GTXPro: GTX Pro, "1": One}, gone: {}}
    nulls: ["", "n/a", "Select"]
    dates: {format: "%d/%m/%Y %H:%M", timezone: America/Chicago, columns: {planned: {format: "%Y%m%d"}}}
    numbers: {decimal: ",", group: ".", signs: ["€", EUR]}
""".replace(", gone: {}", "")
HEADER = "id,value,created,planned,product,gone\n"


def test_values_are_mapped_and_typed(crm: Any) -> None:
    crm.mapping(DEALS)
    crm.data(
        "deals_1.csv",
        HEADER
        + '1,"1.234.567,89 €",31/01/2026 09:30,20260301, GTXPro ,true\n2,n/a,Select,,1,0\n3,-5,01/07/2026 00:00,,MG,\n',
    )
    assert crm.run().total == TableCount(3, 3, 0, 0)
    got = crm.rows(
        "select deal_id, amount, created_at, expected_close_date, product_id, is_deleted, currency, source, _file from raw_files.deals order by _row"
    )
    place = ("EUR", "crm", "deals_1.csv")
    assert got == [
        ("1", Decimal("1234567.89"), datetime(2026, 1, 31, 15, 30), date(2026, 3, 1), "GTX Pro", True, *place),
        ("2", None, None, None, "One", False, *place),
        ("3", Decimal("-5.00"), datetime(2026, 7, 1, 5), None, "MG", None, *place),
    ]
    assert crm.rows("select record->>'$.product' from raw_files.deals where deal_id = '1'") == [(" GTXPro ",)]


def test_values_that_do_not_fit_are_quarantined_with_their_place(crm: Any) -> None:
    moment = "is not a time written as %d/%m/%Y %H:%M that exists in America/Chicago, between 1900 and 2200"
    misfits = [
        (
            '"1,5.0",,,,',
            "amount: '1,5.0' is not a number with ',' as decimal mark and '.' between groups of three digits",
        ),
        ('"1.23,5",,,,', "amount: '1.23,5' is not a number"),
        ("12 USD,,,,", "amount: '12 USD' is not a number"),
        (",2026-01-31,,,", f"created_at: '2026-01-31' {moment}"),
        (",08/03/2026 02:30,,,", f"created_at: '08/03/2026 02:30' {moment}"),
        (",,20260230,,", "expected_close_date: '20260230' is not a date written as %Y%m%d"),
        (",,,,perhaps", "is_deleted: 'perhaps' is not true or false"),
        (
            "x,y,,,",
            f"amount: 'x' is not a number with ',' as decimal mark and '.' between groups of three digits; created_at: 'y' {moment}",
        ),
    ]
    crm.mapping(DEALS)
    crm.data("deals_1.csv", HEADER + "1,5,,,,\n" + "".join(f"bad,{cells}\n" for cells, _ in misfits))
    assert crm.run().total == TableCount(1 + len(misfits), 1, len(misfits), 0)
    for (file, line, said, record), (number, (_, reason)) in zip(crm.quarantine(), enumerate(misfits, 3), strict=True):
        assert (file, line) == ("deals_1.csv", number)
        assert said[: len(reason)] == reason
        assert '"id":"bad"' in record


def test_local_times_become_utc(crm: Any) -> None:
    times = [
        ("America/Chicago", "2026-11-01 01:30:00", datetime(2026, 11, 1, 6, 30)),  # shown twice: the first
        ("America/Chicago", "2026-11-01 02:00:00", datetime(2026, 11, 1, 8, 0)),
        ("America/Chicago", "2026-03-08 02:00:00", None),  # skipped
        ("America/Chicago", "2026-03-08 03:00:00", datetime(2026, 3, 8, 8, 0)),
        ("Australia/Lord_Howe", "2026-04-05 01:45:00", datetime(2026, 4, 4, 14, 45)),
        ("Australia/Lord_Howe", "2026-10-04 02:15:00", None),
        ("Europe/Berlin", "2026-10-25 02:30:00", datetime(2026, 10, 25, 0, 30)),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30)),
        ("Europe/Berlin", "2026-10-25T02:30:00Z", datetime(2026, 10, 25, 2, 30)),
        ("UTC", "2026-03-08 02:30:00", datetime(2026, 3, 8, 2, 30)),
        ("UTC", "infinity", None),
        ("America/Chicago", "infinity", None),
        ("America/Chicago", "-infinity", None),
        ("America/Chicago", "294246-12-31 23:59:59", None),
        ("America/Chicago", "0001-01-01", None),
        ("America/Chicago", "epoch", None),
    ]
    zones = sorted({zone for zone, _, _ in times})
    crm.mapping(
        "files:\n"
        + "".join(
            f"  - {{path: {number}.csv, entity: leads, key: id, columns: {{created_at: at}}, dates: {{format: iso8601, timezone: {zone}}}}}\n"
            for number, zone in enumerate(zones)
        )
    )
    for number, zone in enumerate(zones):
        rows = [f"{key},{local}\n" for key, (its_zone, local, _) in enumerate(times) if its_zone == zone]
        crm.data(f"{number}.csv", "id,at\n" + "".join(rows))
    missing = sum(utc is None for _, _, utc in times)
    assert crm.run().total == TableCount(len(times), len(times) - missing, missing, 0)
    got = dict(crm.rows("select cast(lead_id as integer), created_at from raw_files.leads"))
    assert got == {key: utc for key, (_, _, utc) in enumerate(times) if utc is not None}


def test_several_formats_and_offsets(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: a.csv\n    entity: leads\n    key: id\n    columns: {created_at: at}\n"
        '    dates: {format: ["%m/%d/%y %I:%M %p", "%Y-%m-%d %H:%M:%S.%f%z", "%d.%m.%Y"], timezone: Europe/Berlin}\n'
    )
    crm.data(
        "a.csv", "id,at\n1,01/31/26 3:05 PM\n2,2026-01-31 15:05:00.250+05:00\n3,31.01.2026\n4,2026-01-31 15:05:00.5Z\n"
    )
    assert crm.run().error is None
    assert crm.rows("select created_at from raw_files.leads order by _row") == [
        (datetime(2026, 1, 31, 14, 5),),
        (datetime(2026, 1, 31, 10, 5, 0, 250000),),
        (datetime(2026, 1, 31, 6, 0),),  # a day is one of the company, which is in Chicago
        (datetime(2026, 1, 31, 15, 5, 0, 500000),),
    ]


STAGES = """files:
  - path: deals.csv
    entity: deals
    key: id
    columns: {created_at: begun, pipeline: pipe}
    dates: {format: "%Y-%m-%d", timezone: UTC}
    stages:
      current: {column: stage, map: {Open: proposal, Won: won, Lost: lost, Paid: paid}}
      entered: {proposal: begun, won: closed, lost: closed, paid: paid}
"""


def test_stage_events_come_from_dates_and_from_nothing_else(crm: Any) -> None:
    crm.mapping(STAGES)
    crm.data(
        "deals.csv",
        "id,stage,begun,closed,paid,pipe\n"
        "a,Won,2026-01-01,2026-01-01,,x\n"
        "b,Lost,2026-01-02,2026-01-09,,\n"
        "c,Open,2026-01-03,2026-12-31,,\n"  # a planned close is no close
        "d,Prospecting,,,,\n"
        "e,Paid,2026-01-04,2026-01-05,2026-01-06,\n"
        "f,Won,soon,2026-01-05,,\n",
    )
    result = crm.run()
    assert result.tables == {"deals": TableCount(6, 5, 1, 0), "stage_events": TableCount(8, 8, 0, 0)}
    assert crm.rows("select deal_id, stage from raw_files.deals order by 1") == [
        ("a", "won"), ("b", "lost"), ("c", "proposal"), ("d", "Prospecting"), ("e", "paid"),
    ]  # fmt: skip
    events = crm.rows(
        'select subject_id, subject_type, stage, pipeline, "at", source_order, event_id, _line from raw_files.stage_events order by _row'
    )
    assert events == [
        ("a", "deal", "proposal", "x", datetime(2026, 1, 1, 6), 2, "a:proposal", 2),
        ("a", "deal", "won", "x", datetime(2026, 1, 1, 6), 3, "a:won", 2),
        ("b", "deal", "proposal", None, datetime(2026, 1, 2, 6), 2, "b:proposal", 3),
        ("b", "deal", "lost", None, datetime(2026, 1, 9, 6), 4, "b:lost", 3),
        ("c", "deal", "proposal", None, datetime(2026, 1, 3, 6), 2, "c:proposal", 4),
        ("e", "deal", "proposal", None, datetime(2026, 1, 4, 6), 2, "e:proposal", 6),
        ("e", "deal", "won", None, datetime(2026, 1, 5, 6), 3, "e:won", 6),
        ("e", "deal", "paid", None, datetime(2026, 1, 6, 6), 5, "e:paid", 6),
    ]
    ((_, line, reason, _),) = crm.quarantine()
    assert (line, str(reason)[:32]) == (7, "created_at: 'soon' is not a time")
    assert "proposal: 'soon'" in str(reason)


def test_an_event_log(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: log.csv\n    entity: stage_events\n    order: file\n"
        '    columns: {deal: "case:id", stage: what, at: when, owner: who}\n    dates: {format: iso8601, timezone: UTC}\n'
        "  - path: log.csv\n    entity: field_history\n    order: nr\n"
        '    columns: {lead: "case:id", value: what, at: when}\n    constants: {field: owner_id}\n    dates: {format: iso8601, timezone: UTC}\n'
    )
    crm.data(
        "log.csv", "case:id,what,when,who,nr\n7,start,2026-01-01,ann,2\n7,end,2026-01-01,,1\n7,mid,2026-01-01,,last\n"
    )
    assert crm.run().total == TableCount(6, 5, 1, 0)
    assert [row[1:3] for row in crm.quarantine()] == [(4, "source_order: 'last' is not a whole number")]
    assert crm.rows(
        "select event_id, subject_type, subject_id, stage, owner_id, source_order from raw_files.stage_events order by _row"
    ) == [
        ("log.csv:2", "deal", "7", "start", "ann", 2),
        ("log.csv:3", "deal", "7", "end", None, 3),
        ("log.csv:4", "deal", "7", "mid", None, 4),
    ]
    assert crm.rows(
        "select subject_type, subject_id, field, value, source_order from raw_files.field_history order by _row"
    ) == [
        ("lead", "7", "owner_id", "start", 2),
        ("lead", "7", "owner_id", "end", 1),
    ]


def test_order_and_lines_of_a_file_without_a_bad_row(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: log.csv, entity: stage_events, order: file, key: id, columns: {deal: d, stage: s, at: t}, "
        "dates: {format: iso8601, timezone: UTC}}\n"
        "  - {path: more.csv, entity: stage_events, key: id, columns: {deal: d, stage: s, at: t}, "
        "dates: {format: iso8601, timezone: UTC}}\n"
    )
    for name in ("log", "more"):
        crm.data(f"{name}.csv", f"id,d,s,t\n{name}1,7,a,2026-01-01\n{name}2,7,b,2026-01-01\n")
    assert crm.run().error is None
    assert crm.rows("select event_id, source_order, _line, _row from raw_files.stage_events order by _row") == [
        ("log1", 2, 2, 1),
        ("log2", 3, 3, 2),
        ("more1", None, 2, 3),
        ("more2", None, 3, 4),
    ]


def test_keys_of_several_columns_and_derived_keys(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: a.csv, entity: accounts, key: [country, number], columns: {name: name}}\n"
        '  - {path: spend.tsv, entity: spend, columns: {date: day, amount: cost, channel: channel}, dates: {format: "%Y-%m-%d"}}\n'
    )
    crm.data("a.csv", "country,number,name\nus,1,A\nus,,B\nde,1,C\n")
    crm.data("spend.tsv", "day\tcost\tchannel\n2026-01-01\t10.5\tsearch\n2026-01-01\t10.5\tsearch\n")
    assert crm.run().total == TableCount(5, 4, 1, 0)
    assert crm.rows("select account_id, name from raw_files.accounts order by _row") == [("us|1", "A"), ("de|1", "C")]
    assert crm.rows("select spend_id, date, amount from raw_files.spend order by _row") == [
        ("spend.tsv:2", date(2026, 1, 1), Decimal("10.50")),
        ("spend.tsv:3", date(2026, 1, 1), Decimal("10.50")),
    ]


def test_excel(crm: Any) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Deals 2026")
    for row in (
        ["Exported today"],
        [],
        ["id", "value", "created", "won", "score", None],
        [1001, 1234.5, datetime(2026, 1, 31, 9, 30), True, None],
        [],
        ["A-2", "1.000,25", "31/01/2026", "no", "x"],
        [3, "much", date(2026, 2, 1), None, None],
        [4, 5, None, None, None, "beyond", "the header"],
    ):
        sheet.append(row)
    path = crm.data("deals.xlsx", b"")
    book.save(path)
    mapping = (
        "files:\n  - path: deals.xlsx\n    entity: deals\n    sheet: Deals 2026\n    skip: 2\n    key: id\n"
        "    columns: {amount: value, created_at: created, is_test: won, need: score}\n"
        '    dates: {format: "%d/%m/%Y", timezone: America/Chicago}\n    numbers: {decimal: ",", group: "."}\n'
    )
    crm.mapping(mapping)
    assert crm.run().total == TableCount(4, 2, 2, 0)
    assert crm.rows("select deal_id, amount, created_at, is_test, need, _line from raw_files.deals order by _row") == [
        ("1001", Decimal("1234.50"), datetime(2026, 1, 31, 15, 30), True, None, 4),
        ("A-2", Decimal("1000.25"), datetime(2026, 1, 31, 6, 0), False, "x", 6),
    ]
    assert [(line, str(reason)[:30]) for _, line, reason, _ in crm.quarantine()] == [
        (7, "amount: 'much' is not a number"),
        (8, "it has 7 cells; the header has"),
    ]
    crm.mapping(mapping.replace("Deals 2026", "Deals 2027"))
    assert "it has no sheet 'Deals 2027'; it has: Notes, Deals 2026." in str(crm.run().error)


def test_parquet(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: e.parquet\n    entity: calls\n    key: id\n"
        "    columns: {at: at, duration_seconds: seconds, is_answered: answered, direction: way, from_number: note}\n"
        "    values: {direction: {'1': inbound}}\n    dates: {timezone: America/Chicago}\n"
    )
    path = crm.company.data_dir / "e.parquet"
    duckdb.execute("set timezone = 'Asia/Tokyo'")
    duckdb.execute(
        "copy (select * from (values (1, timestamp '2026-01-31 09:30:00', 61.5, true, 1, ['x']), (2, null, 1, null, 2, null), "
        "(null, timestamp '2026-01-31 09:30:00', 1, true, 1, null), (4, timestamp '2026-03-08 02:30:00', 1, true, 1, null)) "
        f"t(id, \"at\", seconds, answered, way, note)) to '{path}'"
    )
    duckdb.execute("reset timezone")
    assert crm.run().total == TableCount(4, 1, 3, 0)
    assert crm.rows(
        'select call_id, "at", duration_seconds, is_answered, direction, from_number, _line from raw_files.calls'
    ) == [
        ("1", datetime(2026, 1, 31, 15, 30), 61.5, True, "inbound", "[x]", 1),
    ]
    assert [(line, str(reason)[:20]) for _, line, reason, _ in crm.quarantine()] == [
        (2, "at: is missing"),
        (3, "call_id: is missing"),
        (4, "at: '2026-03-08 02:3"),
    ]


def test_parquet_instants(crm: Any) -> None:
    crm.mapping("files:\n  - {path: e.parquet, entity: calls, key: id, columns: {at: at}}\n")
    path = crm.company.data_dir / "e.parquet"
    duckdb.execute(f"copy (select 1 as id, timestamptz '2026-01-31 09:30:00-06' as \"at\") to '{path}'")
    assert crm.run().error is None
    assert crm.rows('select "at" from raw_files.calls') == [(datetime(2026, 1, 31, 15, 30),)]


def test_json_lines(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: a.jsonl\n    entity: survey_answers\n    key: response_id\n"
        "    columns: {form_id: form, submitted_at: at, nps_score: $.answers.nps, comment: it's said}\n    dates: {format: iso8601, timezone: UTC}\n"
    )
    crm.data(
        "a.jsonl",
        '{"response_id": 1, "form": "f", "at": "2026-01-01T00:00:00+01:00", "answers": {"nps": 9}, "it\'s said": "ok"}\r\n\r\n'
        '{"response_id": "2", "answers": {"nps": 9.5}}\r\n{broken\r\n[1]\r\n{"response_id": "3", "answers": {"nps": "x"}}\r\n{"response_id": "4"}',
    )
    assert crm.run().total == TableCount(6, 2, 4, 0)
    assert crm.rows(
        "select response_id, form_id, submitted_at, nps_score, comment, _line from raw_files.survey_answers order by _row"
    ) == [
        ("1", "f", datetime(2025, 12, 31, 23), 9, "ok", 1),
        ("4", None, None, None, None, 7),
    ]
    assert [(line, reason) for _, line, reason, _ in crm.quarantine()] == [
        (3, "nps_score: '9.5' is not a whole number"),
        (4, "it is no valid JSON"),
        (5, "response_id: is missing"),
        (6, "nps_score: 'x' is not a whole number"),
    ]


def test_only_what_changed_is_read_again(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion.files import state as file_state

    crm.mapping(DEALS)
    crm.data("deals_1.csv", HEADER + "1,5,,,,\n")
    second = crm.data("deals_2.csv", HEADER + "2,6,,,,\n")
    first = crm.run()
    assert (first.state, first.requests) == ("loaded", 2)

    monkeypatch.setattr(file_state.hashlib, "file_digest", lambda file, _: pytest.fail(f"{file.name} was read"))
    again = crm.run()
    assert (again.state, again.requests, again.tables, again.load_id) == ("unchanged", 0, {}, None)
    monkeypatch.undo()

    os.utime(second, (1, 1))  # touched, not changed
    assert crm.run().state == "unchanged"

    crm.data("deals_2.csv", HEADER + "2,7,,,,\n3,8,,,,\n")
    changed = crm.run()
    assert (changed.state, changed.requests, changed.total) == ("loaded", 1, TableCount(2, 2, 0, 0))
    crm.data("deals_3.csv", HEADER + "4,8,,,,\n")
    assert crm.run().total == TableCount(1, 1, 0, 0)

    newest = "select deal_id, amount from raw_files.deals order by 1"
    assert crm.rows(newest) == [("1", 5), ("2", 7), ("3", 8), ("4", 8)]

    crm.mapping(DEALS.replace("currency: EUR", "currency: USD"))  # the mapping says something else now
    assert crm.run().requests == 3
    assert crm.run().state == "unchanged"


def test_a_refused_file_is_taken_once_it_is_mended(crm: Any) -> None:
    crm.mapping(DEALS)
    crm.data("deals_1.csv", HEADER + "1,5,,,,\n")
    crm.data("deals_2.csv", "id,value\n2,6\n")
    result = crm.run()
    assert (result.state, result.total) == ("failed", TableCount(2, 1, 1, 0))
    assert crm.rows("select deal_id from raw_files.deals") == [("1",)]
    crm.data("deals_2.csv", HEADER + "2,6,,,,\n")
    result = crm.run()
    assert (result.state, result.error) == ("loaded", None)
    assert crm.rows("select deal_id from raw_files.deals order by 1") == [("1",), ("2",)]


def test_a_path_without_files_is_told_unless_it_is_optional(crm: Any) -> None:
    crm.mapping(DEALS)
    assert (
        crm.run().error
        == "no file matches 'deals_*.csv' in the data directory (set `optional: true` if that is no mistake)"
    )
    crm.mapping(DEALS + "    optional: true\n")
    assert (crm.run().state, crm.run().error) == ("unchanged", None)


def test_two_sources_show_in_one_view_and_a_removed_one_in_none(crm: Any) -> None:
    import ingestion

    for name in ("crm", "old"):
        crm.mapping(
            f"files:\n  - {{path: {name}.csv, entity: products, key: id, columns: {{name: name}}}}\n", name=name
        )
        crm.data(f"{name}.csv", f"id,name\n1,{name}\n")
    ingestion.extract(crm.company, crm.process, received_at=datetime(2026, 7, 1))
    before = ingestion.rawlog.fingerprint(crm.company)
    assert crm.rows("select source, product_id, name from raw_files.products order by 1") == [
        ("crm", "1", "crm"),
        ("old", "1", "old"),
    ]
    (crm.company.sources_dir / "old.yml").unlink()
    assert crm.rows("select source, name from raw_files.products") == [("crm", "crm")]
    assert ingestion.rawlog.fingerprint(crm.company) != before


def test_names_and_values_cannot_break_the_sql(crm: Any) -> None:
    nasty = """x'); drop table a; --"""
    crm.mapping(
        f"""files:\n  - path: "*.csv"\n    entity: products\n    key: "a\\"b"\n    columns: {{name: "{nasty}"}}\n"""
        f"""    constants: {{series: "{nasty}"}}\n    values: {{name: {{"it's": "{nasty}"}}}}\n    nulls: ["{nasty}"]\n"""
    )
    crm.data("it's [a] {{value}}.csv", f'"a""b","{nasty}"\n1,it\'s\n2,"{nasty}"\n3,{{value}}\n')
    result = crm.run()
    assert result.error is None
    assert crm.rows("select product_id, name, series, _file from raw_files.products order by 1") == [
        ("1", nasty, nasty, "it's [a] {{value}}.csv"),
        ("2", None, nasty, "it's [a] {{value}}.csv"),
        ("3", "{value}", nasty, "it's [a] {{value}}.csv"),
    ]


def test_an_unreadable_file_does_not_stop_the_others(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    path = crm.data("deals_1.csv", HEADER)
    opened = Path.open

    def refuse(self: Path, *arguments: object, **options: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    crm.data("deals_2.csv", HEADER + "2,6,,,,\n")
    result = crm.run()
    assert (result.state, result.error) == ("failed", "deals_1.csv: can't be read: Permission denied")
    assert crm.rows("select deal_id from raw_files.deals") == [("2",)]


def test_a_changed_file_or_mapping_replaces_what_came_from_it(crm: Any) -> None:
    rows = "select deal_id, _file from raw_files.deals order by 1"
    events = "select subject_id, stage from raw_files.stage_events order by 1, 2"
    mapping = STAGES.replace("path: deals.csv", 'path: "deals*.csv"')
    header = "id,stage,begun,closed,paid,pipe\n"
    crm.mapping(mapping)
    crm.data("deals1.csv", header + "a,Won,2026-01-01,2026-01-02,,\nb,Open,2026-01-01,,,\n")
    moved = crm.data("deals2.csv", header + "c,Open,2026-01-01,,,\n")
    crm.run()
    assert crm.rows(rows) == [("a", "deals1.csv"), ("b", "deals1.csv"), ("c", "deals2.csv")]
    assert crm.rows(events) == [("a", "proposal"), ("a", "won"), ("b", "proposal"), ("c", "proposal")]

    crm.data("deals1.csv", header + "a,Open,2026-01-01,2026-01-02,,\n")
    moved.unlink()  # a file that is moved away keeps its rows
    crm.run()
    assert crm.rows(rows) == [("a", "deals1.csv"), ("c", "deals2.csv")]
    assert crm.rows(events) == [("a", "proposal"), ("c", "proposal")]

    crm.mapping(mapping.replace("proposal: begun, ", ""))  # for files that are there the mapping of today holds
    crm.run()
    assert crm.rows(rows) == [("a", "deals1.csv"), ("c", "deals2.csv")]
    assert crm.rows(events) == [("c", "proposal")]

    crm.data("deals1.csv", "id,stage\nx,Won\n")  # refused: the version before stays
    assert "deals1.csv: refused: it lacks" in str(crm.run().error)
    assert crm.rows(rows) == [("a", "deals1.csv"), ("c", "deals2.csv")]

    crm.data("deals1.csv", header)  # no rows any more
    crm.run()
    assert crm.rows(rows) == [("c", "deals2.csv")]

    crm.data("deals2.csv", header + "c,Open,2026-01-01,,,\n")  # back again, and no longer named
    crm.mapping(mapping.replace('path: "deals*.csv"', "path: deals1.csv"))
    crm.run()
    assert crm.rows(rows) == []
    assert crm.run().state == "unchanged"


def test_a_check_tells_what_is_there(crm: Any) -> None:
    crm.mapping(DEALS + "  - {path: users.csv, entity: users, key: id, optional: true}\n")
    found = check(crm.company, crm.process, "crm")
    assert [(one.what, one.is_ok) for one in found] == [
        ("sources/crm.yml", True),
        ("deals_*.csv in the data directory: 0 files for deals", False),
        ("users.csv in the data directory: 0 files for users", True),
    ]
    path = crm.data("deals_1.csv", HEADER)
    assert all(one.is_ok for one in check(crm.company, crm.process, "crm"))
    crm.mapping(DEALS.replace("entity: deals", "entity: deal"))
    (finding,) = check(crm.company, crm.process, "crm")
    assert not finding.is_ok and "is no entity" in finding.advice
    path.unlink()


def test_a_file_that_can_not_be_read_keeps_its_rows(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    path = crm.data("deals_1.csv", HEADER + "1,5,,,,\n")
    crm.run()
    path.write_text(HEADER + "1,6,,,,\n2,7,,,,\n")
    with monkeypatch.context() as patch:
        patch.setattr("ingestion.files.run.state_of_read", _no_permission)
        result = crm.run()
    assert result.state == "failed" and "deals_1.csv: can't be read: Permission denied" in result.error
    assert crm.rows("select amount from raw_files.deals") == [(Decimal("5.00"),)]
    assert crm.run().state == "loaded"
    assert crm.rows("select count(*) from raw_files.deals") == [(2,)]


def _no_permission(*_: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_grows_while_it_is_read_is_read_again(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    path = crm.data("deals_1.csv", HEADER + "1,5,,,,\n")

    def land_and_grow(*given: Any) -> str | None:
        refused = land(*given)
        path.write_text(path.read_text() + "2,7,,,,\n")
        return refused

    with monkeypatch.context() as patch:
        patch.setattr("ingestion.files.run.land", land_and_grow)
        result = crm.run()
    assert result.state == "failed" and "deals_1.csv: changed while it was read" in result.error
    assert crm.run().state == "loaded"
    assert crm.rows("select count(*) from raw_files.deals") == [(2,)]
    assert crm.run().state == "unchanged"


def test_a_name_with_brackets_is_a_name_and_no_pattern(crm: Any) -> None:
    crm.mapping("files:\n  - path: '*.csv'\n    entity: deals\n    key: id\n    columns: {name: name}\n")
    for name in ("e[1].csv", "e1.csv", "a*b.csv", "a1b.csv", "what?.csv"):
        crm.data(name, f"id,name\n{name},{name}\n")
    assert crm.run().total == TableCount(5, 5, 0, 0)
    assert crm.rows("select deal_id = _file and name = _file, count(*) from raw_files.deals group by 1") == [(True, 5)]


def test_a_name_with_brackets_of_a_parquet_file(crm: Any) -> None:
    crm.mapping("files:\n  - path: '*.parquet'\n    entity: deals\n    key: id\n    columns: {name: name}\n")
    for name in ("e[1].parquet", "e1.parquet"):
        pq.write_table(pa.table({"id": [name], "name": [name]}), crm.company.data_dir / name)
    assert crm.run().total.loaded == 2
    assert crm.rows("select deal_id from raw_files.deals order by 1") == [("e1.parquet",), ("e[1].parquet",)]


def test_a_damaged_file_is_refused_and_the_others_load(crm: Any) -> None:
    crm.mapping("files:\n  - path: '*.parquet'\n    entity: deals\n    key: id\n    columns: {name: name}\n")
    for name in ("bad.parquet", "good.parquet"):
        table = pa.table(
            {"id": [str(number) for number in range(50_000)], "name": [f"{name} {number}" for number in range(50_000)]}
        )
        pq.write_table(table, crm.company.data_dir / name, use_dictionary=False)
    path = crm.company.data_dir / "bad.parquet"
    content = bytearray(path.read_bytes())
    content[100:200_000] = bytes(199_900)  # the footer is whole, its pages are not
    path.write_bytes(content)
    result = crm.run()
    assert "bad.parquet: refused: it is damaged" in result.error
    assert crm.rows("select _file, count(*) from raw_files.deals group by 1") == [("good.parquet", 50_000)]
    assert crm.rows("select table_name, received, loaded, quarantined from raw_log.loads") == [
        ("deals", 50_001, 50_000, 1)
    ]
    again = crm.run()
    assert again.load_id is None and "refused" in again.error


def test_a_file_that_was_away_while_its_mapping_changed_is_mapped_anew(crm: Any) -> None:
    mapping = "files:\n  - path: '*.csv'\n    entity: deals\n    key: id\n    columns: {name: %s}\n"
    crm.mapping(mapping % "name")
    path = crm.data("a.csv", "id,name,title\n1,Roof,Attic\n")
    crm.data("b.csv", "id,name,title\n2,Bath,Sauna\n")
    crm.run()
    away = path.rename(crm.company.root / "a.csv")
    crm.mapping(mapping % "title")
    crm.run()
    assert crm.rows("select name from raw_files.deals order by deal_id") == [("Roof",), ("Sauna",)]
    away.rename(path)
    crm.run()
    assert crm.rows("select name from raw_files.deals order by deal_id") == [("Attic",), ("Sauna",)]


def test_a_time_that_names_utc_is_in_utc(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: '*.csv'\n    entity: deals\n    key: id\n    columns: {created_at: at}\n"
        "    dates: {format: iso8601, timezone: America/Chicago}\n"
    )
    crm.data("a.csv", "id,at\n1,2026-02-01T09:00:00 UTC\n2,2026-02-01T09:00:00\n")
    assert crm.run().total.loaded == 2
    assert crm.rows("select created_at from raw_files.deals order by deal_id") == [
        (datetime(2026, 2, 1, 9),),
        (datetime(2026, 2, 1, 15),),
    ]


def test_a_row_of_totals_is_no_record(crm: Any) -> None:
    crm.mapping("files:\n  - path: d.csv\n    entity: deals\n    key: id\n    columns: {amount: amount}\n")
    crm.data("d.csv", "id,amount\n1,5\nTotal Home,6\nsummer,7\nGrand Total (3 records),18\nGesamtsumme:,18\n")
    crm.run()
    assert crm.rows("select deal_id from raw_files.deals order by 1") == [("1",), ("Total Home",), ("summer",)]
    assert [(line, reason) for _, line, reason, _ in crm.quarantine()] == [
        (5, "id: Grand Total (3 records) is no id: a row of totals"),
        (6, "id: Gesamtsumme: is no id: a row of totals"),
    ]
