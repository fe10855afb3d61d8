"""Words of calls, meetings and tasks in each source's own way of saying them: who was reached, and what is still to be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from salesgauge.warehouse import connect
from tests.dbt.project import EVERY_SOURCE, build
from tests.dbt.raw_rows import fill

AS_OF = datetime(2026, 6, 17, 12)
AT = datetime(2026, 6, 1, 10)
MINE = "phone.crm"
Rows = dict[str, list[dict[str, Any]]]
HUBSPOT_DISPOSITIONS = {
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": True,  # connected
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": True,  # left live message
    "b2cf5968-551e-4856-9783-52b3da59a7d0": False,  # left voicemail
    "73a0d17f-1163-4015-bdd5-ec830791da20": False,  # no answer
    "9d9162e7-6cf3-4944-bf63-4dff82258764": False,  # busy
    "17b47fee-58de-441e-a44c-c6300d46f273": False,  # wrong number
    "Left Voicemail": False,
    "no-answer": False,
    "VM - full mailbox": False,
    "Spoke with the tenant": True,
    "  CONNECTED ": True,
}
FILE_WORDS = {
    "Connected": True, "completed": True, " ANSWERED": True, "Picked up": True, "Left message": False, "left a voicemail": False,
    "vm": False, "No_Answer": False, "n/a": False, "Busy": False, "Wrong Number": False, "Disconnected number": False, "-": False,
    "Answered by voicemail": False, "not connected": False, "Smoke signal": False,
    "Gespräch geführt": True, "Contestada": True, "répondu": True, "nicht erreicht": False, "No contesta": False, "Besetzt": False, "Sans réponse": False,
}  # fmt: skip


def _row(key: str, record: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return {"id": key, **columns, "_load_id": "1.1", "_row": 0, "record": json.dumps(record)}


def _hubspot(kind: str, key: str, **properties: str | None) -> dict[str, Any]:
    moments = {"hs_timestamp": f"{AT.isoformat()}Z", "hs_createdate": f"{AT.isoformat()}Z"}
    return _row(key, {"id": key, "properties": moments | properties}, created_at=AT, updated_at=AT, is_archived=False)


def _task(key: str, **fields: Any) -> dict[str, Any]:
    record = {"Id": key, "WhoId": "00Q1", "TaskSubtype": "Call", "CallType": "Outbound", **fields}
    return _row(key, record, created_at=AT, modified_at=AT, is_deleted=False)


def _file(key: str, row: int, **columns: Any) -> dict[str, Any]:
    return {"source": MINE, "_file": "a.csv", "_line": row, "_row": row, "_load_id": "1.1", **columns}


def _leg(number: int, sid: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    record = {"sid": sid, "parent_call_sid": parent, "status": "completed", "duration": "40", "direction": "inbound", "from": "+13125550101", "to": "+13125550000", **more}  # fmt: skip
    return {"sid": sid, "created_at": AT, "started_at": AT, "_load_id": "1.1", "_row": number, "record": json.dumps(record)}  # fmt: skip


@pytest.fixture
def built(bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]) -> Path:
    dispositions = list(HUBSPOT_DISPOSITIONS)
    rows: Rows = {
        "raw_hubspot.calls": [
            *(
                _hubspot("calls", f"d{number}", hs_call_disposition=word, hs_call_status="COMPLETED", hs_call_direction="INBOUND")
                for number, word in enumerate(dispositions)
            ),
            _hubspot("calls", "unknown", hs_call_disposition="11111111-2222", hs_call_status="COMPLETED", hs_call_direction="OUTBOUND"),
            _hubspot("calls", "status", hs_call_status="COMPLETED", hs_call_direction="INBOUND"),
            _hubspot("calls", "denied", hs_call_status="NO_ANSWER", hs_call_disposition=dispositions[0], hs_call_direction="OUTBOUND"),
            _hubspot("calls", "canceled", hs_call_status="CANCELED", hs_call_direction="OUTBOUND"),
            _hubspot("calls", "queued", hs_call_status="QUEUED", hs_call_direction="OUTBOUND"),
            _hubspot("calls", "ringing", hs_call_status="RINGING", hs_call_direction="OUTBOUND"),
        ],
        "raw_hubspot.emails": [
            _hubspot("emails", "sent", hs_email_direction="EMAIL", hs_email_status="SENT"),
            _hubspot("emails", "scheduled", hs_email_direction="EMAIL", hs_email_status="SCHEDULED"),
        ],
        "raw_salesforce.tasks": [
            _task("open", IsClosed=False, Status="Not Started"),
            _task("open-mail", IsClosed="false", Status="Completed", TaskSubtype="Email"),
            _task("status-only", Status="In Progress", CallDurationInSeconds=40),
            _task("later", IsClosed=True, Status="Erledigt", CallDisposition="Connected", CompletedDateTime="2026-06-03T09:00:00.000+0000"),
            _task("vm", IsClosed=True, Status="Completed", CallDisposition="Left VM", CallDurationInSeconds=30),
            _task("wrong", IsClosed=True, Status="Completed", CallDisposition="Wrong number!", CallDurationInSeconds=9),
            _task("Gatekeeper", IsClosed=True, Status="Completed", CallDisposition="Gatekeeper", CallDurationInSeconds=90),
            _task("internal", IsClosed=True, Status="Completed", CallType="Internal", CallDurationInSeconds=90),
            _task("long", IsClosed=True, Status="Completed", CallDurationInSeconds=90),
        ],
        "raw_twilio.calls": [
            _leg(1, "CA1"), _leg(2, "CA1b", "CA1", direction="outbound-dial", answered_by="machine_start"),
            _leg(3, "CA2"), _leg(4, "CA2b", "CA2", direction="outbound-dial", answered_by="human"),
            _leg(5, "CA3", direction="outbound-api", answered_by="machine_end_beep"),
            _leg(6, "CA4", direction="outbound-api", answered_by="fax"),
            _leg(7, "CA5"), _leg(8, "CA5b", "CA5", direction="outbound-dial", answered_by="machine_start"),
            _leg(10, "CA6"),
            _leg(11, "CA7"),
            _leg(9, "CA5c", "CA5", direction="outbound-dial", answered_by="unknown"),
        ],
        "raw_twilio.recordings": [
            {"sid": f"RE{sid}", "created_at": AT, "_load_id": "1.1", "_row": 0, "record": json.dumps({"call_sid": sid, "source": source, "uri": "/r"})}
            for sid, source in (("CA6", "RecordVerb"), ("CA7", "StartCallRecordingAPI"), ("CA2", "RecordVerb"))
        ],
        "raw_callrail.calls": [
            _row("vm", {"id": "vm", "answered": True, "voicemail": True, "direction": "inbound"}, start_time=AT),
            _row("ok", {"id": "ok", "answered": True, "voicemail": False, "direction": "inbound"}, start_time=AT),
        ],
        "raw_files.activities": [
            *(
                _file(word, number, activity_id=f"w{number}", type=" Phone Call", direction="Incoming", outcome=word, at=AT)
                for number, word in enumerate(FILE_WORDS, 1)
            ),
            _file("p", 50, activity_id="planned", type="call", direction="outbound", outcome="Not started", at=AT),
            _file("m", 51, activity_id="mail", type="E-Mail", direction="Sent", outcome="Scheduled", at=AT),
            _file("o", 52, activity_id="opened", type="email", direction="outbound", outcome="open", at=AT),
            _file("i", 53, activity_id="by type", type="Inbound call", outcome="Connected", at=AT),
            _file("s", 54, activity_id="held", type="Meeting", outcome="Attended", at=AT),
            _file("x", 55, activity_id="drone", type="Drone", direction="sideways", at=AT),
        ],
        "raw_files.calls": [
            _file("1", 1, call_id="vm", direction="IN", is_answered=True, outcome="Voicemail", at=AT),
            _file("2", 2, call_id="talked", direction="Inbound", outcome="Talked", at=AT),
            _file("3", 3, call_id="odd", direction="outbound", is_answered=True, outcome="Smoke signal", at=AT),
            _file("4", 4, call_id="queued", direction="outbound", outcome="queued", at=AT),
        ],
    }  # fmt: skip
    with new_warehouse(AS_OF) as con:
        fill(con, rows, AS_OF)
    build(bench, "+int_activities", "+int_unmapped_outcomes", sources=EVERY_SOURCE)
    return bench / "salesgauge.duckdb"


def test_who_was_reached_and_what_is_still_to_be_done(built: Path) -> None:
    with connect(built) as con:
        found = {
            name.partition(":")[2]: (kind, outcome)
            for name, kind, outcome in con.execute(
                "select activity_id, type, outcome from intermediate.int_activities where activity_id not like 'twilio:%'"
            ).fetchall()
        }
        twilio = dict(con.execute("select call_id, is_answered from staging.stg_twilio__calls").fetchall())
        callrail = dict(con.execute("select call_id, is_answered from staging.stg_callrail__calls").fetchall())
        directions = dict(con.execute("select activity_id, direction from intermediate.int_activities").fetchall())
        later = con.execute(
            "select \"at\" from intermediate.int_activities where activity_id like '%:later'"
        ).fetchall()
        unknown = con.execute("select * from intermediate.int_unmapped_outcomes order by all").fetchall()
    for number, (word, is_answered) in enumerate(HUBSPOT_DISPOSITIONS.items()):
        kind, outcome = found[f"call-d{number}"]
        assert (kind, outcome == "answered") == ("call", is_answered), word
    for number, (word, is_answered) in enumerate(FILE_WORDS.items(), 1):
        kind, outcome = found[f"w{number}"]
        assert (kind, outcome == "answered") == ("call", is_answered), word
    expected = {
        "call-unknown": ("call", "11111111-2222"), "call-status": ("call", "answered"), "call-denied": ("call", "no_answer"),
        "call-canceled": ("call", "failed"), "call-queued": ("task", "planned"), "call-ringing": ("call", "in_progress"),
        "email-sent": ("email", None), "email-scheduled": ("task", None),
        "open": ("task", "planned"), "open-mail": ("task", None), "status-only": ("task", "planned"), "later": ("call", "answered"),
        "Gatekeeper": ("call", "Gatekeeper"), "long": ("call", "answered"), "wrong": ("call", "failed"),
        "planned": ("task", "planned"), "mail": ("task", "Scheduled"), "opened": ("email", "open"), "by type": ("call", "answered"),
        "held": ("meeting", "held"), "drone": ("note", None), "talked": ("call", "answered"), "queued": ("task", "planned"),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert later == [(datetime(2026, 6, 3, 9),)]
    assert directions["salesforce:internal"] is None and directions["salesforce:long"] == "outbound"
    assert directions[f"{MINE}:by type"] == "inbound" and directions[f"{MINE}:drone"] is None
    assert twilio == {
        "twilio:CA1": False,
        "twilio:CA2": True,
        "twilio:CA3": False,
        "twilio:CA4": False,
        "twilio:CA5": True,
        "twilio:CA6": False,
        "twilio:CA7": True,
    }
    assert callrail == {"callrail:vm": False, "callrail:ok": True}
    assert unknown == [
        ("activity_type", "drone", 1), ("call_outcome", "11111111-2222", 1), ("call_outcome", "Gatekeeper", 1),
        ("call_outcome", "Smoke signal", 2), ("direction", "sideways", 1),
    ]  # fmt: skip
