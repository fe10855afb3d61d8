"""A telephone system beside a CRM: calls find their lead by number, and a call that both know counts once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from salesgauge.warehouse import connect
from tests.dbt.project import EVERY_SOURCE, build

AS_OF = datetime(2026, 6, 17, 12)


def _row(number: int, record: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return {**columns, "_load_id": "1.1", "_loaded_at": AS_OF, "_row": number, "record": json.dumps(record)}


def _call(number: int, at: str, customer: str, direction: str = "inbound", **more: Any) -> dict[str, Any]:
    record = {"id": f"C{number}", "start_time": at, "direction": direction, "answered": True, "duration": 60, "customer_phone_number": customer, "tracking_phone_number": "+13125550000", **more}  # fmt: skip
    return _row(number, record, id=f"C{number}", start_time=datetime.fromisoformat(at))


def _contact(number: int, phone: str, at: str) -> dict[str, Any]:
    record = {"id": str(number), "properties": {"phone": phone}, "createdAt": at}
    moment = datetime.fromisoformat(at)
    return _row(number, record, id=str(number), created_at=moment, updated_at=moment, is_archived=False)


def _crm_call(number: int, at: str, contact: int) -> list[tuple[str, dict[str, Any]]]:
    properties = {"hs_timestamp": f"{at}Z", "hs_createdate": f"{at}Z", "hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED", "hs_object_source": "CRM_UI"}  # fmt: skip
    moment = datetime.fromisoformat(at)
    call = _row(
        number,
        {"id": str(number), "properties": properties},
        id=str(number),
        created_at=moment,
        updated_at=moment,
        is_archived=False,
    )
    link = _row(number, {}, from_type="calls", from_id=str(number), to_type="contacts", to_ids=[str(contact)])
    return [("raw_hubspot.calls", call), ("raw_hubspot.associations", link)]


def test_calls_find_their_lead_and_count_once(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "raw_hubspot.contacts": [
            _contact(1, "(312) 555-0101", "2026-06-01T10:00:00"),
            _contact(2, "312-555-0102", "2026-06-01T10:00:00"),
            _contact(3, "+1 312 555 0102", "2026-06-10T10:00:00"),
        ],
        "raw_callrail.calls": [
            _call(1, "2026-06-01T09:58:00", "+13125550101"),  # makes the lead
            _call(2, "2026-06-02T10:00:00", "+13125550102"),
            _call(3, "2026-06-11T10:00:00", "+13125550102", "outbound"),  # by then another lead has the number
            _call(4, "2026-06-02T11:00:00", "+13125559999"),  # nobody's
            _call(5, "2026-06-03T10:00:40", "+13125550101"),  # the CRM has it too
            _call(6, "2026-06-03T10:09:00", "+13125550101"),  # another call soon after
            _call(7, "2026-06-04T10:00:00", "+13125550101"),  # marked as spam
        ],
        "raw_callrail.absences": [
            _row(1, {}, table_name="calls", id="C7", is_absent=True, since=AS_OF),
        ],
    }
    for table, row in _crm_call(77, "2026-06-03T10:00:00", 1):
        rows.setdefault(table, []).append(row)
    with new_warehouse(AS_OF) as con:
        for name, lines in rows.items():
            con.register("rows", pa.Table.from_pylist(lines))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
    sources = ["hubspot", "ga4", "callrail", "typeform"]
    build(bench, "+int_activities", sources=sources)
    with connect(bench / "salesgauge.duckdb") as con:
        calls = dict(con.execute("select call_id, lead_id from intermediate.int_calls").fetchall())
        activities = con.execute("select activity_id, lead_id from intermediate.int_activities order by all").fetchall()
    assert calls == {
        "callrail:C1": "hubspot:1",
        "callrail:C2": "hubspot:2",
        "callrail:C3": "hubspot:3",
        "callrail:C4": None,
        "callrail:C5": "hubspot:1",
        "callrail:C6": "hubspot:1",
    }
    assert {activity for activity, _ in activities} == {"hubspot:call-77", *(set(calls) - {"callrail:C5"})}


def test_the_legs_of_a_call_are_one_call(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    def leg(number: int, sid: str, status: str, seconds: int, parent: str | None = None, **more: Any) -> dict[str, Any]:
        record = {"sid": sid, "parent_call_sid": parent, "status": status, "duration": str(seconds), "direction": "inbound", "from": "+13125550101", "to": "+13125550000", **more}  # fmt: skip
        at = datetime(2026, 6, 1, 10, number)
        return _row(number, record, sid=sid, created_at=at, started_at=at)

    calls = [
        leg(1, "CA1", "completed", 70),
        leg(2, "CA1b", "completed", 60, "CA1", direction="outbound-dial"),
        leg(3, "CA2", "completed", 20),
        leg(4, "CA2b", "no-answer", 0, "CA2", direction="outbound-dial"),
        leg(5, "CA3", "completed", 40, direction="outbound-api"),
        leg(6, "CA4", "busy", 0, direction="outbound-api"),
        leg(7, "CA5", "completed", 0),
        # somebody calls a customer with a softphone
        leg(8, "CA6", "completed", 50, **{"from": "client:alice", "to": ""}),
        leg(
            9,
            "CA6b",
            "completed",
            45,
            "CA6",
            direction="outbound-dial",
            **{"from": "+13125550000", "to": "+13125550109"},
        ),
    ]
    recordings = [_row(1, {"sid": "RE1", "call_sid": "CA1", "uri": "/r/RE1.json"}, sid="RE1", created_at=AS_OF)]
    with new_warehouse(AS_OF) as con:
        for name, table in (("raw_twilio.calls", calls), ("raw_twilio.recordings", recordings)):
            con.register("rows", pa.Table.from_pylist(table))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
    build(bench, "stg_twilio__calls", sources=EVERY_SOURCE)
    with connect(bench / "salesgauge.duckdb") as con:
        found = con.execute(
            "select call_id, direction, is_answered, duration_seconds, recording_url from staging.stg_twilio__calls order by 1"
        ).fetchall()
        numbers = con.execute(
            "select from_number, to_number from staging.stg_twilio__calls where call_id = 'twilio:CA6'"
        ).fetchall()
    assert found == [
        ("twilio:CA1", "inbound", True, 60.0, "/r/RE1.json"),
        ("twilio:CA2", "inbound", False, 0.0, None),
        ("twilio:CA3", "outbound", True, 40.0, None),
        ("twilio:CA4", "outbound", False, 0.0, None),
        ("twilio:CA5", "inbound", False, 0.0, None),
        ("twilio:CA6", "outbound", True, 45.0, None),
    ]
    assert numbers == [("+13125550000", "+13125550109")]


def test_how_long_a_call_rang_and_who_ended_it(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    def leg(sid: str, second: int, status: str, seconds: int, parent: str | None = None) -> dict[str, Any]:
        record = {"sid": sid, "parent_call_sid": parent, "status": status, "duration": str(seconds), "direction": "outbound-dial" if parent else "inbound", "from": "+13125550101", "to": "+13125550000"}  # fmt: skip
        at = datetime(2026, 6, 1, 10, 0, second)
        return _row(second, record, sid=sid, created_at=at, started_at=at)

    calls = [
        leg("CA1", 0, "completed", 58),  # answered after 8 seconds, passed on, and talked to the second one
        leg("CA1b", 8, "completed", 20, "CA1"),
        leg("CA1c", 28, "completed", 30, "CA1"),
        leg("CA2", 0, "completed", 14),  # the caller hung up while it rang
        leg("CA2b", 0, "canceled", 0, "CA2"),
        leg("CA3", 0, "completed", 30),  # it rang out
        leg("CA3b", 0, "no-answer", 0, "CA3"),
        leg("CA4", 0, "completed", 40),  # one of two telephones was answered, the other stopped ringing
        leg("CA4b", 0, "canceled", 0, "CA4"),
        leg("CA4c", 6, "completed", 34, "CA4"),
        leg("CA5", 0, "completed", 9),  # nobody was called
    ]
    with new_warehouse(AS_OF) as con:
        con.register("rows", pa.Table.from_pylist(calls))
        con.execute("insert into raw_twilio.calls by name select * from rows")
    build(bench, "stg_twilio__calls", sources=EVERY_SOURCE)
    with connect(bench / "salesgauge.duckdb") as con:
        found = con.execute(
            "select id_in_source, is_answered, is_abandoned, wait_seconds, duration_seconds from "
            "(select *, split_part(call_id, ':', 2) as id_in_source from staging.stg_twilio__calls) order by 1"
        ).fetchall()
    assert found == [
        ("CA1", True, False, 8.0, 50.0),
        ("CA2", False, True, 14.0, 0.0),
        ("CA3", False, False, None, 0.0),
        ("CA4", True, False, 6.0, 34.0),
        ("CA5", True, False, None, 9.0),
    ]
