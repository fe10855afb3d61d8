"""What HubSpot and Typeform hold of a simulated company, as rows of the raw log: no HTTP, no files. Only for tests of the models."""

from __future__ import annotations

import json
import random
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from demo.log import CompanyLog
from demo.servers.hubspot.state import HISTORY, HubSpotState, Record, timestamp
from demo.servers.typeform.server import FORMS, TypeformState

Row = dict[str, Any]
LOAD = "1700000000.000002"


def raw_rows(log: CompanyLog, load: str = LOAD) -> dict[str, list[Row]]:
    """Raw table → its rows, all of one load."""
    state, answers = HubSpotState(log), TypeformState(log)
    rows = {
        f"raw_hubspot.{kind}": [_record(record) for record in records.values()]
        for kind, records in state.records.items()
    }
    rows["raw_hubspot.owners"] = [
        {
            "id": owner["id"], "email": owner["email"], "first_name": owner["firstName"], "last_name": owner["lastName"],
            "is_archived": owner["archived"], "record": owner,
        }
        for owner in state.owners
    ]  # fmt: skip
    rows["raw_hubspot.pipelines"] = [
        {"object_type": kind, "id": pipeline["id"], "label": pipeline["label"], "record": pipeline}
        for kind, pipelines in state.pipelines.items()
        for pipeline in pipelines
    ]
    rows["raw_hubspot.associations"] = [
        {"from_type": kind, "from_id": one, "to_type": other, "to_ids": sorted(ids), "record": {}}
        for (kind, other), links in state.links.items()
        for one, ids in links.items()
    ]
    rows["raw_typeform.forms"] = [
        {"form_id": key, "title": form["title"], "record": form} for key, form in FORMS.items()
    ]
    rows["raw_typeform.responses"] = [
        {
            "form_id": form, "response_id": item["token"], "response_type": kind, "record": item,
            "submitted_at": at if kind == "completed" else None,
        }
        for (form, kind), items in answers.responses.items()
        for at, item in items
    ]  # fmt: skip
    for table in rows.values():
        for number, row in enumerate(table):
            row |= {"_load_id": load, "_row": number, "record": json.dumps(row["record"])}
    return rows


def _record(record: Record) -> Row:
    shown: Row = {"id": record.id, "properties": record.properties}
    if record.kind in HISTORY:
        shown["propertiesWithHistory"] = {name: record.history.get(name, [])[::-1] for name in HISTORY[record.kind]}
    return {
        "id": record.id, "created_at": record.created, "updated_at": record.updated, "is_archived": record.archived_at is not None,
        "archived_at": record.archived_at, "record": shown | {"createdAt": timestamp(record.created)},
    }  # fmt: skip


def disturbed(rows: dict[str, list[Row]], seed: int) -> dict[str, list[Row]]:
    """The same knowledge received otherwise: in another order, in two loads, some records twice, some in an older version before."""
    dice = random.Random(seed)
    found: dict[str, list[Row]] = {}
    for name, table in rows.items():
        mixed: list[Row] = []
        for row in table:
            if dice.random() < 0.2:
                mixed.append(row | {"_load_id": "1700000000.000001", "record": _older(row["record"])})
            mixed.append(row | {"_load_id": dice.choice([LOAD, "1700000000.000003"])})
            if dice.random() < 0.1:
                mixed.append(row | {"_load_id": "1700000000.000004"})
        dice.shuffle(mixed)
        found[name] = [row | {"_row": number} for number, row in enumerate(mixed)]
    return found


def _older(record: str) -> str:
    """The record with other values and without its histories: nothing of it may show."""
    older = json.loads(record)
    older.pop("propertiesWithHistory", None)
    older["properties"] = dict.fromkeys(older.get("properties", {}), "1")
    return json.dumps(older)


def fill(con: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]], loaded_at: datetime) -> None:
    """Put ``rows`` into the raw tables of a warehouse, which exist and are empty."""
    for name, table in rows.items():
        if table:
            con.register("rows", pa.Table.from_pylist([row | {"_loaded_at": loaded_at} for row in table]))
            con.execute(f"insert into {name} by name select * from rows")
            con.unregister("rows")
