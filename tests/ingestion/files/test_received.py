"""What a file held is kept as it was received, whatever the mapping makes of it, and comes back as the record."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow.parquet as pq

from ingestion import rawlog
from ingestion.erasure import erase

CSV = """\
files:
  - path: '*.csv'
    entity: deals
    key: no
    columns: {name: "Deal Name", stage: state, amount: value, owner: rep, created_at: at}
    values: {stage: {Won!: won}}
    nulls: ["", "n/a"]
    dates: {format: iso8601, timezone: UTC}
"""
PARQUET = """\
files:
  - path: '*.parquet'
    entity: deals
    key: no
    columns: {name: title, amount: value, created_at: at}
"""


def _records(crm: Any) -> dict[str, dict[str, Any]]:
    return {str(row[0]): json.loads(str(row[1])) for row in crm.rows("select deal_id, record from raw_files.deals")}


def test_values_that_the_mapping_changed_are_kept_as_they_came(crm: Any) -> None:
    crm.mapping(CSV)
    rows = [
        {"no": "1", "Deal Name": " Roof ", "state": "Won!", "value": "12.50", "rep": "n/a", "at": "2026-01-01", "a→b": "x", "odd→": "→"},
        {"no": "2", "Deal Name": 'say "hi"', "state": "lost", "value": "", "rep": "Zoë", "at": "2026-01-02T10:00:00Z", "a→b": "", "odd→": "y"},
    ]  # fmt: skip
    text = ",".join(rows[0]) + "\n"
    text += "".join(",".join('"' + value.replace('"', '""') + '"' for value in row.values()) + "\n" for row in rows)
    crm.data("a.csv", text)
    crm.data("b.csv", "no,state,Deal Name,value,rep,at,extra\n3,won,Bath,1,Ann,2026-01-03,more\n")
    assert crm.run().total.loaded == 3
    assert [row[:3] for row in crm.rows("select name, stage, owner_id from raw_files.deals order by deal_id")] == [
        ("Roof", "won", None),
        ('say "hi"', "lost", "Zoë"),
        ("Bath", "won", "Ann"),
    ]
    found = _records(crm)
    # DuckDB reads an empty field as null
    assert [found["1"], found["2"]] == [{name: value or None for name, value in row.items()} for row in rows]
    assert found["3"]["extra"] == "more" and found["3"]["Deal Name"] == "Bath" and "a→b" not in found["3"]


def test_files_hold_no_column_twice_and_none_that_is_empty(crm: Any) -> None:
    crm.mapping(CSV)
    crm.data("a.csv", "no,Deal Name,state,value,rep,at\n1,Roof,won,5,Ann,2026-01-01\n")
    crm.run()
    (file,) = rawlog.table_files(crm.company, "crm", "deals")
    table = pq.read_table(file)
    assert "record" not in table.column_names and "loss_reason" not in table.column_names
    # what the mapping may change keeps a place, what it takes as it is has none
    assert table["received"][0].as_py() == {"Deal Name→name": None, "state→stage": None, "value→": "5", "rep→owner_id": None, "no→deal_id": None, "at→": "2026-01-01"}  # fmt: skip


PLAIN = """\
files:
  - path: '*.csv'
    entity: deals
    key: no
    columns: {name: title, stage: state, amount: value}
"""


def test_columns_that_are_taken_as_they_are_stand_in_a_file_once(crm: Any) -> None:
    crm.mapping(PLAIN)
    crm.data("a.csv", "no,title,value,state\n1,Roof,5,won\n2,,6,lost\n")
    crm.run()
    (file,) = rawlog.table_files(crm.company, "crm", "deals")
    assert pq.read_table(file)["received"].to_pylist() == [{"value→": "5"}, {"value→": "6"}]
    # in the order in which they stood in the file
    assert [list(record.items()) for record in _records(crm).values()] == [
        [("no", "1"), ("title", "Roof"), ("value", "5"), ("state", "won")],
        [("no", "2"), ("title", None), ("value", "6"), ("state", "lost")],
    ]


def test_a_row_that_surprises_late_is_kept_as_it_came_with_all_others(crm: Any) -> None:
    crm.mapping(PLAIN)
    rows = [f"{number},Roof {number},5,won" for number in range(5_000)]
    rows[4_000] = "4000, Roof ,5,won"
    crm.data("a.csv", "no,title,value,state\n" + "\n".join(rows) + "\n")
    assert crm.run().total.loaded == 5_000
    found = _records(crm)
    assert (found["4000"]["title"], found["3999"]["title"], found["4001"]["title"]) == (" Roof ", "Roof 3999", "Roof 4001")  # fmt: skip
    assert crm.rows("select name, _line from raw_files.deals where deal_id in ('4000', '4001') order by 1") == [
        ("Roof", 4_002),
        ("Roof 4001", 4_003),
    ]


def test_a_file_all_of_whose_columns_are_taken_has_nothing_else(crm: Any) -> None:
    crm.mapping(PLAIN.replace(", amount: value", ""))
    crm.data("a.csv", "no,title,state\n1,Roof,won\n2,Bath,lost\n")
    crm.run()
    (file,) = rawlog.table_files(crm.company, "crm", "deals")
    assert "received" not in pq.read_table(file).column_names
    assert _records(crm)["2"] == {"no": "2", "title": "Bath", "state": "lost"}
    erase(crm.company, emails=["nobody@x.com"])
    crm.data("b.csv", "no,title,state\n3,Roof a@x.com,won\n4,Bath,lost\n")
    crm.run()
    erase(crm.company, emails=["a@x.com"])
    assert [record["title"] for record in _records(crm).values()] == ["Roof", "Bath", "Bath"]


def test_typed_values_keep_their_types(crm: Any) -> None:
    crm.mapping(PARQUET)
    row = (
        "1 as no, 'Roof' as title, 12.5::decimal(9, 2) as value, timestamp '2026-01-01 10:00' as at, 7 as count, true as flag, "
        "170141183460469231731687303715884105727::hugeint as huge, [1, 2] as list, {'a': 'x'} as struct, date '2026-02-03' as day"
    )
    path = crm.company.data_dir / "a.parquet"
    duckdb.sql(f"copy (select {row}) to '{path}' (format parquet)")
    read = duckdb.sql(f"select to_json(t) from read_parquet('{path}') t").fetchone()
    assert crm.run().total.loaded == 1
    assert read is not None and _records(crm)["1"] == json.loads(read[0])


def test_erasing_a_person_leaves_the_others_as_they_were(crm: Any) -> None:
    crm.mapping(CSV)
    crm.data(
        "a.csv",
        "no,Deal Name,state,value,rep,at,mail\n1,Roof,won,5,Ann,2026-01-01,a@x.com\n2,Bath,won,6,Bob,2026-01-02,b@x.com\n",
    )
    crm.run()
    before = _records(crm)
    assert erase(crm.company, emails=["a@x.com"]).rows == {"crm.deals": 1}
    assert _records(crm) == {"2": before["2"]}
    assert crm.rows("select _line from raw_files.deals") == [(3,)]
    assert not any(b"a@x.com" in file.read_bytes() for file in crm.company.var.rglob("*") if file.is_file())
