"""What the mapping language can say beyond one column for another."""

from __future__ import annotations

import gzip
import io
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import duckdb
import pytest

from ingestion import TableCount
from ingestion.files.mapping.loading import load
from salesgauge.errors import ConfigurationError

HEAD = "files:\n  - path: {path}\n    entity: {entity}\n    key: id\n"


def _map(crm: Any, text: str, *, path: str = "a.csv", entity: str = "deals") -> None:
    crm.mapping(HEAD.format(path=path, entity=entity) + text)


def test_a_column_of_several_names_is_the_first_that_a_file_has(crm: Any) -> None:
    _map(crm, "    columns: {amount: [Amount, Deal Value], name: {column: Title, optional: true}}\n", path="'*.csv'")
    crm.data("a.csv", "id,Amount,Title\n1,5,A\n")
    crm.data("b.csv", "id,Deal Value\n2,6\n")
    crm.data("c.csv", "id,Deal Value,Amount\n3,7,8\n")
    crm.data("d.csv", "id,Value\n4,9\n")
    result = crm.run()
    assert result.error == ("d.csv: refused: it lacks the columns 'Amount', 'Deal Value'; it has: id, Value.")
    assert crm.rows("select deal_id, amount, name from raw_files.deals order by 1") == [
        ("1", 5, "A"),
        ("2", 6, None),
        ("3", 8, None),
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "xlsx"])
def test_columns_of_every_format(crm: Any, kind: str) -> None:
    """Names that a file may have, names and times in two columns, values in cells of JSON."""
    entity = (
        "    columns:\n      created_at: {join: [day, hour]}\n      last_name: {join: [first, last]}\n"
        "      phone: [mobile, telephone]\n      email: {column: mail, optional: true}\n      campaign: {column: origin, json: $.utm.campaign}\n"
        "      channel: {column: origin, json: source}\n"
        '    dates: {format: ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"], timezone: America/Chicago}\n'
    )
    _map(crm, entity, path=f"a.{kind}", entity="leads")
    header = ["id", "day", "hour", "first", "last", "telephone", "origin"]
    rows: list[list[Any]] = [
        ["1", date(2026, 1, 31), time(9, 30), "Ann", "Lee", "555", '{"source": "web", "utm": {"campaign": "spring"}}'],
        ["2", date(2026, 1, 31), None, None, "Lee", None, None],
    ]
    path = crm.company.data_dir / f"a.{kind}"
    if kind == "xlsx":
        from openpyxl import Workbook

        book = Workbook()
        for row in [header, *rows]:
            book.active.append(row)
        book.save(path)
    else:
        kinds = ["varchar", "date", "time", *["varchar"] * 4]
        table = ", ".join(
            "(" + ", ".join("null" if cell is None else f"'{cell}'::{kind}" for cell, kind in zip(row, kinds, strict=True)) + ")"
            for row in rows
        )  # fmt: skip
        form = {"jsonl": "json"}.get(kind, kind)
        duckdb.sql(f"copy (from (values {table}) t({', '.join(header)})) to '{path}' (format {form})")
    assert crm.run().error is None
    assert crm.rows(
        "select lead_id, created_at, last_name, phone, email, campaign, channel from raw_files.leads order by 1"
    ) == [
        ("1", datetime(2026, 1, 31, 15, 30), "Ann Lee", "555", None, "spring", "web"),
        ("2", datetime(2026, 1, 31, 6, 0), "Lee", None, None, None, None),
    ]


def test_a_cell_that_is_to_hold_json_and_does_not_is_quarantined(crm: Any) -> None:
    _map(crm, "    columns: {name: {column: more, json: $.name}}\n")
    crm.data("a.csv", 'id,more\n1,"{""name"": ""A""}"\n2,"{name"\n3,\n')
    assert crm.run().total == TableCount(3, 2, 1, 0)
    assert [row[1:3] for row in crm.quarantine()] == [(3, "more: it holds no valid JSON")]
    assert crm.rows("select deal_id, name from raw_files.deals order by 1") == [("1", "A"), ("3", None)]


WHERE = "id,Record Type,value,Seen,at\n1,Deal,5,true,2026-01-01\n2,deal,50,yes,2026-02-01\n3,,7,,\n4,Test,much,no,2026-03-01\n5, Deal ,-,,2026-01-15\n"


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("\"Record Type\" = 'Deal'", "15"),
        ("\"Record Type\" <> 'Test'", "1235"),
        ("\"record type\" not in ('Test', 'deal')", "135"),
        ('"Record Type" is null', "3"),
        ('"Record Type" is not null and value > 6', "2"),
        ("value >= 5 and not value between 6 and 10", "12"),
        ("Seen", "12"),
        ("Seen is false or value = 7", "34"),
        ("lower(\"Record Type\") = 'deal'", "125"),
        ("\"Record Type\" ilike 'd%'", "125"),
        ("\"Record Type\" not like 'D%'", "234"),
        ("at < date '2026-01-20'", "15"),
        ("value = -1", ""),
    ],
)
def test_where_says_which_rows_are_read(crm: Any, where: str, kept: str) -> None:
    _map(crm, f"    where: {where!r}\n    nulls: ['', '-']\n    columns: {{name: Record Type}}\n".replace("\\'", "''"))
    crm.data("a.csv", WHERE)
    result = crm.run()
    assert result.error is None
    assert result.total == TableCount(len(kept), len(kept), 0, 0, 0, 5 - len(kept))
    assert "".join(str(row[0]) for row in crm.rows("select deal_id from raw_files.deals order by 1")) == kept
    left = 5 - len(kept)
    assert result.notes == (f"deals: {left} row{'s were' if left > 1 else ' was'} left out by `where`: a.csv",)
    assert crm.rows("select received, filtered from raw_log.loads where loaded is not null and table_name = 'deals'") == [(len(kept), left)]  # fmt: skip


def test_rows_keep_their_lines_where_others_are_left_out(crm: Any) -> None:
    _map(crm, "    where: Type = 'x'\n    columns: {amount: value}\n")
    crm.data("a.csv", "id,Type,value\n1,y,1\n2,x,2\n3,y,3\n4,x,much\nshort\n5,x,5\n")
    assert crm.run().total == TableCount(4, 2, 2, 0, 0, 2)
    assert crm.rows("select deal_id, _line from raw_files.deals order by 1") == [("2", 3), ("5", 7)]
    assert [row[1] for row in crm.quarantine()] == [5, 6]


def test_where_names_columns_that_the_file_has(crm: Any) -> None:
    _map(crm, "    where: Typ = 'x'\n    columns: {amount: value}\n")
    crm.data("a.csv", "id,Type,value\n1,y,1\n")
    assert (
        crm.run().error
        == "a.csv: refused: it lacks the column 'Typ'; it has: id, Type, value. Is 'Type' meant by 'Typ'?"
    )


@pytest.mark.parametrize(
    ("option", "written"),
    [
        ("", {"90": 90, "1.5": 1.5, "0:01:30": 90, "25:00:00": 90000, "1:02:03.5": 3723.5, "1h 2m 3s": 3723, "5 min 3 sec": 303, "45s": 45, "2H": 7200}),
        ("    durations: minutes\n", {"90": 5400, "0:01:30": 90}),
        ("    durations: 'mm:ss'\n", {"12:30": 750, "90": 90, "100:00": 6000}),
        ("    durations: 'hh:mm'\n", {"12:30": 45000, "1:00:01": 3601}),
    ],
)  # fmt: skip
def test_durations(crm: Any, option: str, written: dict[str, float]) -> None:
    crm.mapping(
        "files:\n  - path: a.csv\n    entity: calls\n    key: id\n    columns: {at: at, duration_seconds: long}\n"
        f"    dates: {{format: iso8601, timezone: UTC}}\n{option}"
    )
    crm.data(
        "a.csv", "id,at,long\n" + "".join(f"{text},2026-01-01,{text}\n" for text in [*written, "1:99:00", "soon", "h"])
    )
    assert crm.run().total.quarantined == 3
    assert dict(crm.rows("select call_id, duration_seconds from raw_files.calls")) == written


def test_durations_of_cells(crm: Any) -> None:
    from openpyxl import Workbook

    crm.mapping(
        "files:\n  - {path: a.xlsx, entity: calls, key: id, columns: {at: at, duration_seconds: long}, dates: {format: iso8601, timezone: UTC}}\n"
    )
    book = Workbook()
    for row in [["id", "at", "long"], ["a", "2026-01-01", time(0, 2, 3)], ["b", "2026-01-01", timedelta(hours=30, seconds=5)], ["c", "2026-01-01", 61.5]]:  # fmt: skip
        book.active.append(row)
    book.save(crm.company.data_dir / "a.xlsx")
    assert crm.run().error is None
    assert dict(crm.rows("select call_id, duration_seconds from raw_files.calls")) == {"a": 123, "b": 108005, "c": 61.5}


def test_compressed_files_and_lists_of_paths(crm: Any) -> None:
    _map(crm, "    columns: {name: title}\n", path="[a.csv.gz, 'zip/*.zip', b.csv, 'b*.csv']")
    crm.mapping((crm.company.sources_dir / "crm.yml").read_text().replace("entity:", "format: csv\n    entity:"))
    crm.data("a.csv.gz", gzip.compress(b"id,title\n1,A\n"))
    crm.data("b.csv", "id,title\n2,B\n")
    crm.data("b2.csv", "id,title\n3,C\n")
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("__MACOSX/._x.csv", "x")
        archive.writestr("folder/x.csv", "id,title\n4,D\n")
    crm.data("zip/x.zip", packed.getvalue())
    assert crm.run().error is None
    assert crm.rows("select _file, deal_id, name, _line from raw_files.deals order by 2") == [
        ("a.csv.gz", "1", "A", 2),
        ("b.csv", "2", "B", 2),
        ("b2.csv", "3", "C", 2),
        ("zip/x.zip", "4", "D", 2),
    ]
    assert crm.run().state == "unchanged"


def test_an_archive_of_several_files(crm: Any) -> None:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("deals_1.csv", "id,title\n1,A\n")
        archive.writestr("leads.csv", "id,title\n2,B\n")
    crm.data("x.zip", packed.getvalue())
    text = "    format: csv\n    columns: {name: title}\n"
    _map(crm, text, path="x.zip")
    assert "x.zip: refused: it holds several files: deals_1.csv, leads.csv. Say with `member`" in str(crm.run().error)
    _map(crm, text + "    member: deals*\n", path="x.zip")
    assert crm.run().error is None
    assert crm.rows("select deal_id from raw_files.deals") == [("1",)]
    _map(crm, text + "    member: offers*\n", path="x.zip")
    assert "no file in it is 'offers*'; it holds: deals_1.csv, leads.csv." in str(crm.run().error)


@pytest.mark.parametrize(
    "content", [gzip.compress(b"id,title\n1,A\n" * 99)[:-30], b"PK\x03\x04cut"], ids=["gzip", "zip"]
)
def test_a_compressed_file_that_was_cut_is_refused_alone(crm: Any, content: bytes) -> None:
    _map(crm, "    columns: {name: title}\n", path="'*.csv'")
    crm.data("a.csv", content)
    crm.data("b.csv", "id,title\n2,B\n")
    assert "a.csv: refused: it can't be unpacked" in str(crm.run().error)
    assert crm.rows("select deal_id from raw_files.deals") == [("2",)]


XES = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="x"/>
  <global scope="event"><string key="concept:name" value="UNKNOWN"/></global>
  <string key="creator" value="nobody"/>
  <trace>
    <string key="concept:name" value="C1"/><float key="amount" value="12.5"/>
    <event>
      <string key="concept:name" value="Qualify &amp; call"/><string key="org:resource" value="Zoë"/>
      <date key="time:timestamp" value="2026-01-31T09:30:00.000-06:00"/>
      <list key="tags"><values><string key="tag" value="inner"/></values></list>
      <string key="cost" value="5"><string key="concept:name" value="within another"/></string>
    </event>
    <event><string key="concept:name" value="Won"/><date key="time:timestamp" value="2026-02-01T09:30:00Z"/></event>
  </trace>
  <trace>
    <event><string key="concept:name" value="Lost"/><date key="time:timestamp" value="2026-02-02T09:30:00Z"/></event>
    <string key="concept:name" value="C0"/>
  </trace>
  <trace><string key="concept:name" value="C2"/>
    <event><string key="concept:name" value="Lost"/><date key="time:timestamp" value="2026-02-03T09:30:00Z"/></event>
  </trace>
</log>
"""


@pytest.mark.parametrize("name", ["log.xes", "log.xes.gz"])
def test_an_event_log_in_xes(crm: Any, name: str) -> None:
    crm.mapping(f"files:\n  - {{path: {name}, entity: stage_events}}\n")
    crm.data(name, gzip.compress(XES.encode()) if name.endswith(".gz") else XES)
    assert crm.run().total == TableCount(4, 3, 1, 0)
    assert crm.rows('select subject_id, subject_type, stage, "at", owner_id, _line from raw_files.stage_events order by _row') == [
        ("C1", "deal", "Qualify & call", datetime(2026, 1, 31, 15, 30), "Zoë", 1),
        ("C1", "deal", "Won", datetime(2026, 2, 1, 9, 30), None, 2),
        ("C2", "deal", "Lost", datetime(2026, 2, 3, 9, 30), None, 4),
    ]  # fmt: skip
    # a case is known by what stands before its events
    assert [row[1:3] for row in crm.quarantine()] == [(3, "subject_id: is missing")]


def test_attributes_of_an_event_log_are_columns(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: log.xes, entity: leads, key: 'case:concept:name', columns: {last_name: 'org:resource', created_at: 'time:timestamp'}, "
        'where: "\\"concept:name\\" = \'Won\'", dates: {format: iso8601, timezone: UTC}}\n'
        "  - {path: log.xes, entity: deals, key: 'case:concept:name', columns: {amount: 'case:amount', name: nothing}, where: \"cost = 5\"}\n"
    )
    crm.data("log.xes", XES)
    result = crm.run()
    assert "it lacks the column 'nothing'; it has: case:concept:name, case:amount, concept:name, org:resource" in str(
        result.error
    )
    assert crm.rows("select lead_id, last_name, _line from raw_files.leads") == [("C1", None, 2)]
    crm.mapping((crm.company.sources_dir / "crm.yml").read_text().replace(", name: nothing", ""))
    assert crm.run().error is None
    assert crm.rows("select deal_id, amount from raw_files.deals") == [("C1", Decimal("12.50"))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (XES[:600], "it is no XES event log: it is no well-formed XML"),
        ("<html/>", "it is a web page"),
        ("<process/>", "it is no XES event log: its first element is <process>; expected <log>"),
        ("<log/>", "it lacks the columns"),
    ],
)
def test_what_is_no_event_log_is_refused(crm: Any, content: str, said: str) -> None:
    crm.mapping("files:\n  - {path: log.xes, entity: stage_events}\n")
    crm.data("log.xes", content)
    assert f"log.xes: refused: {said}" in str(crm.run().error)


def test_a_long_event_log_is_read_with_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    from ingestion.files.readers.xes import to_json_lines

    event = '<event><string key="concept:name" value="step"/><date key="time:timestamp" value="2026-01-01T00:00:00Z"/></event>'
    path = tmp_path / "log.xes"
    path.write_text("<log>" + f'<trace><string key="concept:name" value="C"/>{event * 10}</trace>' * 3000 + "</log>")
    tracemalloc.start()
    names = to_json_lines(path, tmp_path / "out.jsonl")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert names == ["case:concept:name", "concept:name", "time:timestamp"]
    assert sum(1 for _ in (tmp_path / "out.jsonl").open()) == 30_000
    assert peak < 2_000_000


def test_a_log_that_tells_of_each_step_twice_says_so(crm: Any) -> None:
    steps = "".join(
        f'<event><string key="concept:name" value="Won"/><string key="lifecycle:transition" value="{kind}"/>'
        f'<date key="time:timestamp" value="2026-02-0{day}T09:30:00Z"/></event>'
        for day, kind in ((1, "start"), (2, "complete"), (3, "complete"))
    )
    crm.mapping("files:\n  - {path: log.xes, entity: stage_events}\n")
    crm.data("log.xes", f'<log><trace><string key="concept:name" value="C"/>{steps}</trace></log>')
    result = crm.run()
    assert result.total.loaded == 3
    assert result.notes == (
        "log.xes: lifecycle:transition says that a step is told of several times (complete 2, start 1); all are read. "
        "`where` reads one of them: \"lifecycle:transition\" = 'complete'",
    )
    crm.mapping(
        "files:\n  - path: log.xes\n    entity: stage_events\n    where: |\n      \"lifecycle:transition\" = 'complete'\n"
    )
    result = crm.run()
    assert result.total == TableCount(2, 2, 0, 0, 0, 1)
    assert result.notes == ("stage_events: 1 row was left out by `where`: log.xes",)


def test_times_as_numbers_since_1970(crm: Any) -> None:
    text = "    columns: {created_at: at, wanted_by: day}\n    dates: {format: unix, timezone: America/Chicago, columns: {day: {format: unix_ms}}}\n"
    _map(crm, text, path="'a.*'")
    crm.mapping((crm.company.sources_dir / "crm.yml").read_text().replace("entity:", "format: csv\n    entity:"))
    crm.data(
        "a.csv",
        "id,at,day\n1,1769871600,1769911200000\n2,1769871600.25,\n3,yesterday,\n4,99999999999999999999,\n5,17698716000000,\n",
    )
    assert crm.run().total == TableCount(5, 2, 3, 0)
    assert crm.rows("select deal_id, created_at, wanted_by from raw_files.deals order by 1") == [
        ("1", datetime(2026, 1, 31, 15, 0), date(2026, 1, 31)),
        ("2", datetime(2026, 1, 31, 15, 0, 0, 250000), None),
    ]
    assert str(crm.quarantine()[0][2]) == "created_at: 'yesterday' is not a time written as seconds since 1970 that exists in America/Chicago, between 1900 and 2200"  # fmt: skip


SNAPSHOT = "    columns: {amount: amount}\n    stages: {current: {column: stage}, snapshot: '%Y-%m-%d'}\n"


def test_a_snapshot_whose_name_has_no_day_is_refused(crm: Any) -> None:
    _map(crm, SNAPSHOT, path="'*.csv'")
    crm.data("2026-01-04.csv", "id,amount,stage\n1,5,proposal\n")
    crm.data("final_2026-13-04.csv", "id,amount,stage\n1,6,proposal\n")
    result = crm.run()
    assert result.error is not None and result.error.startswith(
        "final_2026-13-04.csv: refused: its name has no date written as %Y-%m-%d, as stages.snapshot says"
    )
    # a day is one on the company's clock
    assert crm.rows("select deal_id, amount, updated_at from raw_files.deals") == [("1", 5, datetime(2026, 1, 4, 6))]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("{snapshot: '%Y-%m-%d'}", "snapshots need stages.current"),
        ("{current: {column: stage}, snapshot: '%Y-%m'}", "must name a day by codes such as %Y-%m-%d"),
        ("{current: {column: stage}, snapshot: '%x'}", "must name a day by codes such as %Y-%m-%d"),
    ],
)
def test_snapshots_need_a_stage_and_a_day(crm: Any, stages: str, message: str) -> None:
    _map(crm, f"    columns: {{amount: amount}}\n    stages: {stages}\n", path="'*.csv'")
    with pytest.raises(ConfigurationError, match=message):
        load(crm.company.sources_dir / "crm.yml", crm.process)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_days_that_are_written_as_midnight_in_utc_are_days(crm: Any, kind: str) -> None:
    _map(
        crm,
        "    columns: {created_at: made, closed_at: closed, expected_close_date: planned}\n"
        "    dates: {format: iso8601, timezone: America/Chicago}\n    stages: {entered: {won: closed}}\n",
        path=f"'*.{kind}'",
    )

    def write(name: str, *rows: tuple[str, str, str | None]) -> None:
        names = ("id", "made", "closed", "planned")
        if kind == "csv":
            lines = [",".join(value or "" for value in (str(place), *row)) for place, row in enumerate(rows)]
            crm.data(f"{name}.csv", "\n".join([",".join(names), *lines]) + "\n")
        elif kind == "jsonl":
            lines = [json.dumps(dict(zip(names, (place, *row), strict=True))) for place, row in enumerate(rows)]
            crm.data(f"{name}.jsonl", "\n".join(lines) + "\n")
        else:
            listed = ", ".join(
                f"({place}, {', '.join(f'{value!r}' if value else 'null' for value in row)})"
                for place, row in enumerate(rows)
            )
            sql = f"select id, made::timestamptz as made, closed::timestamptz as closed, planned::timestamptz as planned from (values {listed}) as v(id, made, closed, planned)"
            crm.company.data_dir.mkdir(parents=True, exist_ok=True)
            with duckdb.connect() as con:
                con.execute("set timezone = 'UTC'")
                con.execute(f"copy ({sql}) to '{crm.company.data_dir / name}.parquet' (format parquet)")

    write(
        "a",
        ("2026-01-31T15:30:00Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00+00:00"),
        ("2026-01-31T00:00:00Z", "2026-02-02T00:00:00Z", None),
    )
    # of these one is no day
    write(
        "b",
        ("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("2026-01-31T00:00:00Z", "2026-02-01T00:30:00Z", "2026-03-01T00:00:00Z"),
    )
    result = crm.run()
    assert result.error is None
    assert sorted(result.notes) == [
        f"all times of 'closed' are midnight in UTC and were read as days: a.{kind}",
        f"all times of 'made' are midnight in UTC and were read as days: b.{kind}",
        f"all times of 'planned' are midnight in UTC and were read as days: a.{kind}, b.{kind}",
    ]
    assert crm.rows(
        "select _file[1], deal_id, created_at, closed_at, expected_close_date from raw_files.deals order by 1, 2"
    ) == [
        ("a", "0", datetime(2026, 1, 31, 15, 30), datetime(2026, 2, 1, 6), date(2026, 3, 1)),
        ("a", "1", datetime(2026, 1, 31), datetime(2026, 2, 2, 6), None),
        ("b", "0", datetime(2026, 1, 31, 6), datetime(2026, 2, 1), date(2026, 3, 1)),
        ("b", "1", datetime(2026, 1, 31, 6), datetime(2026, 2, 1, 0, 30), date(2026, 3, 1)),
    ]
    assert crm.rows("select min(\"at\") from raw_files.stage_events where _file[1] = 'a'") == [
        (datetime(2026, 2, 1, 6),)
    ]
