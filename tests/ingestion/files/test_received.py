"""What a file held is kept as it was received, whatever the mapping makes of it, and comes back as the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import rawlog
from ingestion.catalogue import raw_tables
from ingestion.privacy.erasure import erase
from ingestion.rawlog import commit

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
    erase(crm.company, raw_tables(), emails=["nobody@x.com"])
    crm.data("b.csv", "no,title,state\n3,Roof a@x.com,won\n4,Bath,lost\n")
    crm.run()
    erase(crm.company, raw_tables(), emails=["a@x.com"])
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
    assert erase(crm.company, raw_tables(), emails=["a@x.com"]).rows == {"crm.deals": 1}
    assert _records(crm) == {"2": before["2"]}
    assert crm.rows("select _line from raw_files.deals") == [(3,)]
    assert not any(b"a@x.com" in file.read_bytes() for file in crm.company.var.rglob("*") if file.is_file())


def _write_parquet(crm: Any, name: str, query: str) -> Path:
    path = crm.company.data_dir / name
    duckdb.sql(f"copy ({query}) to '{path}' (format parquet, row_group_size 2048)")
    return Path(path)


def _originals(crm: Any) -> list[Path]:
    return sorted((crm.company.raw_dir / "crm" / "_originals").glob("*"))


def _read_back(*files: Path) -> dict[str, dict[str, Any]]:
    """What DuckDB says of each row of Parquet files, by its number."""
    rows = [row for file in files for row in duckdb.sql(f"select no, to_json(t) from read_parquet('{file}') t").fetchall()]  # fmt: skip
    return {str(number): json.loads(text) for number, text in rows}


ROWS = "i as no, 'Deal ' || i as title, (i % 900)::decimal(9, 2) as value, timestamp '2026-01-01' + to_seconds(i) as at, 'mail' || i || '@x.com' as mail"


def test_a_parquet_file_is_kept_byte_for_byte_and_each_row_finds_its_own(crm: Any) -> None:
    crm.mapping(PARQUET)
    a = _write_parquet(crm, "a.parquet", f"select {ROWS} from range(30000) t(i)")
    b = _write_parquet(crm, "b.parquet", f"select {ROWS} from range(30000, 40000) t(i)")
    other = _write_parquet(crm, "c.parquet", f"select {ROWS}, [i] as list from range(40000, 40010) t(i)")
    assert crm.run().total.loaded == 40_010
    assert sorted(path.read_bytes() for path in _originals(crm)) == sorted(path.read_bytes() for path in (a, b, other))
    for file in rawlog.table_files(crm.company, "crm", "deals"):
        assert set(pq.read_schema(file).names) == {"deal_id", "name", "amount", "created_at"}  # fmt: skip
    assert _records(crm) == _read_back(a, b, other)
    rows = crm.rows(
        "select count(*), count(distinct _row), bool_and(name = (record->>'title') and amount = (record->>'value')::decimal(9, 2)), "
        "bool_and(_line = deal_id::int % 30000 + 1) from raw_files.deals where _file in ('a.parquet', 'b.parquet')"
    )
    assert rows == [(40_000, 40_000, True, True)]
    assert not list(crm.company.work_dir.rglob("*.parquet"))


def test_a_parquet_file_that_changed_is_read_anew_and_only_its_rows_are_seen(crm: Any) -> None:
    crm.mapping(PARQUET)
    _write_parquet(crm, "a.parquet", f"select {ROWS} from range(10) t(i)")
    crm.run()
    changed = _write_parquet(crm, "a.parquet", f"select {ROWS} from range(5, 12) t(i)")
    crm.run()
    assert _records(crm) == _read_back(changed) and len(_originals(crm)) == 2


@pytest.mark.parametrize("name", ["file_index", "FILENAME", "Title"])
def test_a_parquet_file_whose_rows_or_columns_have_no_sure_place_is_kept_by_columns(crm: Any, name: str) -> None:
    crm.mapping(PARQUET)
    table = duckdb.sql(f"select {ROWS}, 7 as other from range(10) t(i)").to_arrow_table()
    file = crm.company.data_dir / "a.parquet"
    pq.write_table(table.rename_columns([*table.column_names[:-1], name]), file)
    assert crm.run().total.loaded == 10
    assert _originals(crm) == [] and not list(crm.company.work_dir.rglob("*.parquet"))
    assert _records(crm) == _read_back(file)


def test_a_parquet_file_with_a_bad_row_is_kept_by_columns(crm: Any) -> None:
    crm.mapping(PARQUET)
    file = _write_parquet(
        crm, "a.parquet", f"select {ROWS.replace('i as no', 'nullif(i, 7) as no')} from range(10) t(i)"
    )
    total = crm.run().total
    assert (total.received, total.loaded, total.quarantined) == (10, 9, 1)
    assert _originals(crm) == [] and not list(crm.company.work_dir.rglob("*.parquet"))
    expected = _read_back(file)
    assert expected.pop("None")["title"] == "Deal 7" and _records(crm) == expected


TYPES = (
    "'00000000-0000-0000-0000-00000000000a'::uuid as u, timestamptz '2026-01-01 10:00:00+02' as z, [1, i] as l, "
    "{'a': 'x', 'b': [{'c': 1.5}]} as s, map {'k': i} as m, 'ab'::blob as b, interval 3 day as iv, time '10:00' as tt, 1::utinyint as ut, "
    "timestamp_ns '2026-01-01 00:00:00.123456789' as ns, 1.25::float as f, cast(null as varchar) as nothing"
)


def test_erasing_a_person_from_a_parquet_file_leaves_nothing_of_it_and_all_of_the_others(crm: Any) -> None:
    crm.mapping(PARQUET)
    _write_parquet(crm, "a.parquet", f"select {ROWS}, {TYPES} from range(5000) t(i)")
    _write_parquet(crm, "b.parquet", f"select {ROWS}, {TYPES} from range(5000, 5100) t(i)")
    crm.run()
    before = _records(crm)
    kept = [path.read_bytes() for path in _originals(crm)]
    assert erase(crm.company, raw_tables(), emails=["mail3333@x.com"], is_trial=True).rows == {"crm.deals": 1}
    assert [path.read_bytes() for path in _originals(crm)] == kept
    assert erase(crm.company, raw_tables(), emails=["mail3333@x.com"]).rows == {"crm.deals": 1}
    assert _records(crm) == {number: record for number, record in before.items() if number != "3333"}
    # the file that held the person has no original any more, the other one still has its own
    assert [path.read_bytes() for path in _originals(crm)] == [one for one in kept if b"mail5000@x.com" in one]
    assert crm.rows("select _line, _row from raw_files.deals where deal_id in ('3332', '3334') order by 1") == [
        (3_333, 3_333),
        (3_335, 3_335),
    ]
    assert erase(crm.company, raw_tables(), emails=["mail3332@x.com"]).rows == {"crm.deals": 1}
    _write_parquet(crm, "c.parquet", f"select {ROWS}, {TYPES} from range(3330, 3340) t(i)")
    crm.run()
    # the list holds for what comes later: no file with somebody of it is kept
    assert len(_originals(crm)) == 1 and not {"3332", "3333"} & set(_records(crm))
    assert {number: _records(crm)[number] for number in ("3331", "3334")} == {number: before[number] for number in ("3331", "3334")}  # fmt: skip


def test_an_erasure_that_was_killed_before_the_original_went_is_ended_by_the_next(
    crm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.mapping(PARQUET)
    _write_parquet(crm, "a.parquet", f"select {ROWS} from range(10) t(i)")
    crm.run()
    with monkeypatch.context() as patch:

        def killed(path: Path, **_: Any) -> None:
            raise KeyboardInterrupt(path.name)

        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(crm.company, raw_tables(), emails=["mail3@x.com"])
    assert len(_originals(crm)) == 1
    erase(crm.company, raw_tables(), emails=["mail3@x.com"])
    assert _originals(crm) == [] and sorted(_records(crm)) == [str(one) for one in range(10) if one != 3]


def _not_utf8(table: pa.Table) -> pa.Table:
    text = pa.array([b"caf\xe9"] * len(table), pa.binary())
    return table.append_column("note", pa.Array.from_buffers(pa.string(), len(table), text.buffers()))


ODD: dict[str, Callable[[pa.Table], pa.Table]] = {
    # a category column holds all its values, also of persons whose rows were left out before
    "categories": lambda table: table.append_column("who", pa.array(["jane@x.com", *["bo"] * 9]).dictionary_encode())[
        1:
    ],
    "metadata": lambda table: table.replace_schema_metadata({"exported_by": "jane@x.com"}),
    "json": lambda table: table.append_column("odd", pa.array(['{"a": 1}'] * 10, pa.json_())),
}


@pytest.mark.parametrize("what", ODD)
def test_a_parquet_file_that_holds_more_than_its_rows_say_is_kept_by_columns(crm: Any, what: str) -> None:
    crm.mapping(PARQUET)
    table = duckdb.sql(f"select {ROWS} from range(10) t(i)").to_arrow_table()
    pq.write_table(ODD[what](table), crm.company.data_dir / "a.parquet")
    before = crm.run().total.loaded
    assert before >= 9 and _originals(crm) == []
    assert len(_records(crm)) == before
    erase(crm.company, raw_tables(), emails=["jane@x.com", "mail5@x.com"])
    assert len(_records(crm)) == before - 1
    assert not any(b"jane@x.com" in file.read_bytes() for file in crm.company.raw_dir.rglob("*") if file.is_file())


def test_a_parquet_file_with_a_column_that_cannot_be_read_is_refused_and_stops_no_other(crm: Any) -> None:
    crm.mapping(PARQUET)
    table = duckdb.sql(f"select {ROWS} from range(10) t(i)").to_arrow_table()
    pq.write_table(_not_utf8(table), crm.company.data_dir / "a.parquet")
    pq.write_table(table.rename_columns([*table.column_names[:-1], "mail"]), crm.company.data_dir / "b.parquet")
    result = crm.run()
    assert (
        result.total.loaded == 10 and result.error is not None and "a.parquet: refused: it is damaged" in result.error
    )
    assert len(_records(crm)) == 10 and len(_originals(crm)) == 1
    assert erase(crm.company, raw_tables(), emails=["mail3@x.com"]).rows == {"crm.deals": 1}


def test_a_load_that_could_not_be_committed_leaves_no_original(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(PARQUET)
    _write_parquet(crm, "a.parquet", f"select {ROWS} from range(10) t(i)")
    with monkeypatch.context() as patch:

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(commit, "_run", full)
        assert "No space left" in str(crm.run().error)
    assert _originals(crm) == []
    assert crm.run().total.loaded == 10 and len(_originals(crm)) == 1


def test_words_for_nothing_are_taken_out_whatever_else_the_list_lacks(crm: Any) -> None:
    crm.mapping(PLAIN.replace("    key: no\n", '    key: no\n    nulls: ["n/a"]\n'))
    crm.data("a.csv", "no,title,value,state\n1,Roof,5,won\n2,n/a,6,lost\n")
    crm.run()
    assert crm.rows("select name from raw_files.deals order by deal_id") == [("Roof",), (None,)]
    assert _records(crm)["2"]["title"] == "n/a"


def test_a_file_that_a_killed_load_left_half_written_stops_no_erasure(crm: Any) -> None:
    crm.mapping(PARQUET)
    _write_parquet(crm, "a.parquet", f"select {ROWS} from range(10) t(i)")
    crm.run()
    (whole,) = rawlog.table_files(crm.company, "crm", "deals")
    half = whole.with_name("9999999999.000001.half.parquet")
    half.write_bytes(whole.read_bytes()[:300])
    assert (
        erase(crm.company, raw_tables(), emails=["mail3@x.com"], is_trial=True).rows == {"crm.deals": 1}
        and half.exists()
    )
    assert erase(crm.company, raw_tables(), emails=["mail3@x.com"]).rows == {"crm.deals": 1}
    assert not half.exists() and len(_records(crm)) == 9


def test_an_id_that_is_written_as_a_number_is_kept_as_it_came(crm: Any) -> None:
    crm.mapping("files:\n  - path: d.csv\n    entity: deals\n    key: id\n    columns: {lead: lead, name: name}\n")
    crm.data("d.csv", "id,lead,name\n1,22.0,a\n2.0,,3.0\n")
    crm.run()
    assert crm.rows(
        "select deal_id, lead_id, name, record ->> 'id', record ->> 'lead' from raw_files.deals order by 1"
    ) == [
        ("1", "22", "a", "1", "22.0"),
        ("2", None, "3.0", "2.0", None),
    ]
