"""Records of other systems find their lead: by which rule, at which time, and how a wrong match is taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from salesgauge.warehouse import connect
from tests.dbt.project import build

AS_OF = datetime(2026, 6, 17, 12)
EARLY, LATE = datetime(2026, 6, 1, 10), datetime(2026, 6, 10, 10)
STAMP = {"_load_id": "1.1", "_loaded_at": AS_OF, "_row": 1}


def _lead(number: int, at: datetime = EARLY, **properties: str) -> dict[str, Any]:
    record = {"id": str(number), "properties": properties, "createdAt": at.isoformat()}
    return {
        **STAMP,
        "id": str(number),
        "created_at": at,
        "updated_at": at,
        "is_archived": False,
        "record": json.dumps(record),
    }


def _appointment(name: str, at: datetime = LATE, **columns: Any) -> dict[str, Any]:
    return {
        **STAMP, "source": "calendar", "_file": "a.csv", "appointment_id": name, "created_at": at, "starts_at": at, "status": "held",
        "email": None, "phone": None, "lead_id": None,
        "record": "{}", **columns,
    }  # fmt: skip


def test_records_find_their_lead_by_the_strongest_rule(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "raw_hubspot.contacts": [
            _lead(1, email="ann@example.org", phone="(312) 555-0101", lastname="Frost", zip="60601"),
            _lead(2, LATE, email="ann@example.org", lastname="Frost", zip="60601"),
            _lead(3, phone="312-555-0103", lastname="Stone", zip="60 602"),
            _lead(4, lastname="Stone", zip="60602"),  # with the one before: two Stones in one postcode
            _lead(5, lastname="Marsh", zip="60603"),
            _lead(6, email="n/a", phone="000-0000", lastname="Nobody", zip="60604"),
        ],
        "raw_files.appointments": [
            _appointment("mail", email=" Ann@Example.org"),
            _appointment("mail-before", datetime(2026, 6, 5), email="ann@example.org"),
            _appointment("mail-too-early", datetime(2026, 5, 1), email="ann@example.org"),
            _appointment("phone", phone="+1 312 555 0103"),
            _appointment("placeholder", email="n/a", phone="0000000"),
            _appointment("told", lead_id="x9", email="ann@example.org"),
            _appointment("manual"),
            _appointment("refused", phone="3125550103"),
        ],
        "raw_files.contacts": [
            {**STAMP, "source": "field", "_file": "c.csv", "contact_id": name, "last_name": last, "postcode": postcode, "record": "{}"}
            for name, last, postcode in (("marsh", "MARSH", "60603"), ("stone", "Stone", "60602"))
        ],
    }  # fmt: skip
    with new_warehouse(AS_OF) as con:
        for name, table in rows.items():
            con.register("rows", pa.Table.from_pylist(table))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
        con.execute(
            "insert into process.identity values (null, 'calendar:manual', 'hubspot:5', true), (null, 'calendar:refused', 'hubspot:3', false)"
        )
    build(bench, "+int_appointments", "+int_contacts", sources=["hubspot", "ga4", "typeform"])
    with connect(bench / "salesgauge.duckdb") as con:
        found = con.execute("select record_id, lead_id, rule from intermediate.int_identity_matches").fetchall()
        alone = con.execute("select appointment_id from intermediate.int_appointments where lead_id is null").fetchall()
    assert {row[0]: row[1:] for row in found} == {
        "calendar:mail": ("hubspot:2", "email"),
        "calendar:mail-before": ("hubspot:1", "email"),
        "calendar:phone": ("hubspot:3", "phone"),
        "calendar:told": ("calendar:x9", "id"),
        "calendar:manual": ("hubspot:5", "manual"),
        "field:marsh": ("hubspot:5", "name_postcode"),
    }
    assert {row[0] for row in alone} == {"calendar:mail-too-early", "calendar:placeholder", "calendar:refused"}


def _contact(name: str, **columns: Any) -> dict[str, Any]:
    return {
        **STAMP,
        "source": "calendar",
        "_file": "c.csv",
        "contact_id": name,
        "email": None,
        "record": "{}",
        **columns,
    }


def test_what_people_say_can_be_of_one_entity(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    names = ("7", "8", "9")
    with new_warehouse(AS_OF) as con:
        for name, table in {
            "raw_hubspot.contacts": [_lead(1, email="ann@example.org"), _lead(2, email="bob@example.org")],
            "raw_files.appointments": [_appointment(name, email="ann@example.org") for name in names],
            "raw_files.contacts": [_contact(name, email="ann@example.org") for name in names],
        }.items():
            con.register("rows", pa.Table.from_pylist(table))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
        con.execute(
            "insert into process.identity values ('appointment', 'calendar:7', 'hubspot:2', true), "
            "('contact', 'calendar:8', 'hubspot:1', false), "
            "(null, 'calendar:9', 'hubspot:1', true), ('contact', 'calendar:9', 'hubspot:2', true)"
        )
    build(bench, "+int_identity_matches", sources=["hubspot", "ga4", "typeform"])
    with connect(bench / "salesgauge.duckdb") as con:
        found = con.execute("select entity, record_id, lead_id, rule from intermediate.int_identity_matches").fetchall()
    assert {row[:2]: row[2:] for row in found} == {
        ("appointment", "calendar:7"): ("hubspot:2", "manual"),
        ("contact", "calendar:7"): ("hubspot:1", "email"),
        ("appointment", "calendar:8"): ("hubspot:1", "email"),
        ("appointment", "calendar:9"): ("hubspot:1", "manual"),
        ("contact", "calendar:9"): ("hubspot:2", "manual"),
    }


def test_leads_to_come_and_leads_that_do_not_count_are_no_further_persons(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    later = datetime(2026, 6, 20)
    leads = [
        _lead(1, lastname="Marsh", zip="60603"),
        _lead(2, later, lastname="Marsh", zip="60603", email="marsh@example.net"),  # after as_of
        _lead(3, lastname="Frost", zip="60601"),
        {**_lead(4, lastname="Frost", zip="60601", email="frost@example.net"), "is_archived": True},
        _lead(5, lastname="Stone", zip="60602", email="qa@example.net", is_test="true"),
        _lead(6, lastname="Stone", zip="60602"),
    ]
    contacts = [
        _contact(last, last_name=last, postcode=postcode)
        for last, postcode in (("Marsh", "60603"), ("Frost", "60601"), ("Stone", "60602"))
    ]
    with new_warehouse(AS_OF) as con:
        for name, table in {
            "raw_hubspot.contacts": leads,
            "raw_files.contacts": [*contacts, _contact("later", email="marsh@example.net")],
        }.items():
            con.register("rows", pa.Table.from_pylist(table))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
    build(bench, "+int_identity_matches", sources=["hubspot", "ga4", "typeform"])
    with connect(bench / "salesgauge.duckdb") as con:
        found = con.execute("select record_id, lead_id, rule from intermediate.int_identity_matches").fetchall()
        counted = con.execute("select lead_id from intermediate.int_leads where is_counted order by 1").fetchall()
    assert [row[0] for row in counted] == ["hubspot:1", "hubspot:3", "hubspot:6"]
    assert {row[0]: row[1:] for row in found} == {
        "calendar:Marsh": ("hubspot:1", "name_postcode"),
        "calendar:Frost": ("hubspot:3", "name_postcode"),
        "calendar:Stone": ("hubspot:6", "name_postcode"),
    }


def test_made_up_addresses_name_nobody_and_a_number_is_one_with_and_without_its_country(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    leads = [
        _lead(1, email="none@none.com", lastname="Frost"),
        _lead(2, email="none@none.com", lastname="Stone"),
        _lead(3, email="noemail@gmail.com", phone="+1 (312) 555-0101"),
        _lead(4, email="me@test.com", phone="312-555-0101"),
        _lead(5, email="ann@example.org", phone="1"),
        _lead(6, email="Ann@Example.org"),
        _lead(7, phone="1"),
    ]
    with new_warehouse(AS_OF) as con:
        con.register("rows", pa.Table.from_pylist(leads))
        con.execute("insert into raw_hubspot.contacts by name select * from rows")
        con.unregister("rows")
    build(bench, "+int_lead_persons", sources=["hubspot", "ga4", "typeform"])
    with connect(bench / "salesgauge.duckdb") as con:
        found = dict(con.execute("select lead_id, person_key from intermediate.int_lead_persons").fetchall())
    assert found == {
        "hubspot:1": "lead:hubspot:1",
        "hubspot:2": "lead:hubspot:2",
        "hubspot:3": "phone:3125550101",
        "hubspot:4": "phone:3125550101",
        "hubspot:5": "email:ann@example.org",
        "hubspot:6": "email:ann@example.org",
        "hubspot:7": "lead:hubspot:7",
    }


def test_a_lead_is_found_by_any_of_its_numbers_and_by_none_that_is_nobodys(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    leads = [
        _lead(1, phone="(312) 555-0161 ext. 12"),
        _lead(2, phone="312-555-0162 / 312-555-0163"),
        _lead(3, phone="00 44 (0)20 7946 0018"),
        _lead(4, phone="5.55123E+09"),
        _lead(5, phone="5,55123E+09"),
        _lead(6, phone="anonymous"),
        _lead(7, phone="+266696687"),
        _lead(8, phone="555-555-5555"),
        _lead(9, LATE, phone="312 555 0163 or 312 555 0164"),
        _lead(10, phone="(312) 555-0000"),
    ]
    phones = {
        "ext": "+13125550161", "ext-of-another": "312-555-0161 x99", "first": "3125550162", "second": "(312) 555-0163", "third": "312.555.0164",
        "abroad": "020 7946 0018", "rounded": "5.55123E+09", "digits of a rounded one": "55512309", "hidden": "+266696687", "also hidden": "Anonymous",
        "placeholder": "5555555555", "our own": "312-555-0000", "one of two": "312-555-0199; 312-555-0161",
    }  # fmt: skip
    with new_warehouse(AS_OF) as con:
        for name, table in {
            "raw_hubspot.contacts": leads,
            "raw_files.appointments": [_appointment(name, phone=phone) for name, phone in phones.items()],
        }.items():
            con.register("rows", pa.Table.from_pylist(table))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
        con.execute("insert into process.placeholders values ('312.555.0000')")
    build(bench, "+int_identity_matches", sources=["hubspot", "ga4", "typeform"])
    with connect(bench / "salesgauge.duckdb") as con:
        found = dict(con.execute("select record_id, lead_id from intermediate.int_identity_matches").fetchall())
        persons = dict(con.execute("select lead_id, person_key from intermediate.int_lead_persons").fetchall())
    assert found == {
        "calendar:ext": "hubspot:1", "calendar:ext-of-another": "hubspot:1", "calendar:first": "hubspot:2", "calendar:second": "hubspot:9",
        "calendar:third": "hubspot:9", "calendar:abroad": "hubspot:3", "calendar:one of two": "hubspot:1",
    }  # fmt: skip
    assert persons["hubspot:2"] == persons["hubspot:9"] == "phone:3125550162"
    assert [persons[f"hubspot:{number}"] for number in (4, 5, 6, 7, 8, 10)] == [
        f"lead:hubspot:{number}" for number in (4, 5, 6, 7, 8, 10)
    ]
