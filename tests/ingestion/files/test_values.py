"""What values of mapped files become: typed, quarantined with their place, moments, stage events, event logs, keys."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ingestion import TableCount
from tests.ingestion.files.mappings import DEALS, HEADER, STAGES


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
