"""The CRMs and field-service systems in the proofs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

from demo.crms import housecall_pro, hubspot, jobber, salesforce, servicetitan
from demo.servers.housecall_pro.server import HousecallProOptions
from demo.servers.hubspot.server import HubSpotOptions
from demo.servers.hubspot.shape import shown
from demo.servers.hubspot.state import timestamp
from demo.servers.jobber.server import JobberOptions
from demo.servers.salesforce.server import SalesforceOptions
from demo.servers.salesforce.state import stamp
from demo.servers.servicetitan.server import ServiceTitanOptions
from ingestion.sources.jobber.tables import LISTINGS
from ingestion.sources.salesforce.tables import SOBJECTS
from ingestion.sources.servicetitan.tables import FEEDS
from proofs.faults.source import BEYOND, PLENTY, Row, Source, Stated, Table, Work, rows_of, section, work_on


def utc(at: datetime) -> str:
    """A UTC moment to the second."""
    return f"{at.isoformat(timespec='seconds')}Z"


# HubSpot.


def _hubspot_rows(kind: str) -> Callable[[Any], list[Row]]:
    return lambda server: [shown(server.state, one, [], [], []) for one in server.state.records[kind].values()]


def _live_contact(server: Any) -> Any:
    return next(one for one in server.state.records["contacts"].values() if one.archived_at is None)


def _add_contact(server: Any, number: int, at: datetime) -> None:
    one, model = str(900_000_000 + number), _live_contact(server)
    moments = {"hs_object_id": one, "lastmodifieddate": timestamp(at), "createdate": timestamp(at)}
    server.state.records["contacts"][one] = replace(
        model,
        id=one,
        created=at,
        updated=at,
        properties={**model.properties, **moments},
        history=deepcopy(model.history),
    )
    server.state = server.state  # what it remembers of searches and orders goes


def _touch_contact(server: Any, at: datetime) -> None:
    contact = _live_contact(server)
    contact.updated = at
    contact.properties |= {"lastmodifieddate": timestamp(at), "firstname": f"Changed {at}"}
    server.state = server.state


def _hubspot_more(body: Row, cursor: int) -> Row:
    following = {"next": {"after": str(cursor), "link": f"?after={cursor}"}}
    is_led = bool(body.get("results")) and not (cursor == BEYOND and "paging" in body)
    return {**body, "paging": following} if is_led else body


_HUBSPOT_OBJECTS = ("contacts", "companies", "deals", "calls", "emails", "meetings", "tasks")
HUBSPOT = Source(
    name="hubspot",
    server=hubspot.server,
    options=HubSpotOptions(burst=PLENTY, search=PLENTY),
    config=lambda url: {
        "base_url": url, "api_version": "v3", "requests_per_10_seconds": 100_000, "search_requests_per_second": 10_000,
        "objects": list(_HUBSPOT_OBJECTS),
    },
    secrets=section(hubspot.secrets()),
    path="/objects/contacts",
    tables=tuple(
        Table(kind, _hubspot_rows(kind))
        for kind in _HUBSPOT_OBJECTS
    ),
    work=Work(_add_contact, _touch_contact),
    more=_hubspot_more,
    right="crm.objects.deals.read",
    stated=Stated("22 with up to 1,000 open deals; 3 more for leads, 2 for each of quotes, invoices and payments, 1 for forms and 1 per form",
        lambda server, within: 22,),
    grown=240,
    denied={"denied": frozenset({"deals"})},
)  # fmt: skip


# Salesforce.


def _live_lead(server: Any) -> Row:
    return next(row for row in server.state.rows["Lead"].values() if not row["IsDeleted"])


def _add_lead(server: Any, number: int, at: datetime) -> None:
    one = f"00Q9{number:011d}AAA"
    moments = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), stamp(at))
    server.state.rows["Lead"][one] = {**_live_lead(server), "Id": one, **moments}


def _touch_lead(server: Any, at: datetime) -> None:
    row = _live_lead(server)
    row |= {"FirstName": f"Changed {at}", "LastModifiedDate": stamp(at), "SystemModstamp": stamp(at)}


def _salesforce_more(body: Row, cursor: int) -> Row:
    if not body.get("records") or (cursor == BEYOND and not body["done"]):
        return body
    is_done = cursor == BEYOND  # what says that it is done may name a next page all the same
    return {**body, "done": is_done, "nextRecordsUrl": f"/services/data/v62.0/query/01g000000000000AAA-{cursor}"}


_COMPARED = ("Lead", "Opportunity", "OpportunityHistory", "Task", "Event", "Contact", "LeadHistory", "User")


def _records_of(name: str) -> Callable[[Any], Iterable[Row]]:
    return lambda server: server.state.rows[name].values()


SALESFORCE = Source(
    name="salesforce",
    server=salesforce.server,
    options=SalesforceOptions(page=200),
    config=lambda url: {**section(salesforce.config(url)), "requests_per_second": 10_000},
    secrets=section(salesforce.secrets()),
    path=r"/queryAll\?q=SELECT (?!COUNT).* FROM Lead |/query/01g",
    tables=tuple(
        Table(one.table_name, _records_of(one.name), (("id", "Id"),)) for one in SOBJECTS if one.name in _COMPARED
    ),
    work=Work(_add_lead, _touch_lead),
    more=_salesforce_more,
    right="read on this object",
    stated=Stated(
        "2 for every object that the user can see, and 1 for the token", lambda server, within: 2 * len(SOBJECTS) + 1
    ),
    grown=760,
    has_sessions=True,
    denied={"hidden": frozenset({"Opportunity"})},
)


# ServiceTitan.


def _servicetitan_more(body: Row, cursor: int) -> Row:
    if not body.get("data") or (cursor == BEYOND and body["hasMore"]):
        return body
    token = base64.urlsafe_b64encode(f"2000-01-01T00:00:00Z|{cursor}".encode()).decode()
    return {**body, "hasMore": True, "continueFrom": body["continueFrom"] if cursor == BEYOND else token}


SERVICETITAN = Source(
    name="servicetitan",
    server=servicetitan.server,
    options=ServiceTitanOptions(page=50, rate=PLENTY),
    config=lambda url: {**section(servicetitan.config(url)), "requests_per_second": 10_000},
    secrets=section(servicetitan.secrets()),
    path="/export/leads",
    tables=tuple(
        Table(feed.table_name, rows_of(feed.resource), tuple((name, path[2:]) for name, path in feed.key))
        for feed in FEEDS
    ),
    work=work_on(
        rows_of("leads"),
        lambda server, number, at: {"id": 900_000_000 + number, "createdOn": utc(at), "modifiedOn": utc(at)},
        lambda at: {"summary": f"Changed {at}", "modifiedOn": utc(at)},
    ),
    more=_servicetitan_more,
    right="the scope of jpm",
    stated=Stated(
        "21, one for each feed and list, and one for the token; one more where the last changes of a feed lie on two pages",
        lambda server, within: len(FEEDS) + 1,
    ),
    grown=200,
    has_sessions=True,
    denied={"denied": frozenset({"jobs"})},
)


# Housecall Pro and Jobber.


def _housecall_more(body: Row, cursor: int) -> Row:
    names = [name for name in ("total_pages", "total_pages_count") if name in body]
    return {**body, **{name: body[name] + 1 if cursor == BEYOND else 10**6 for name in names}}


HOUSECALL_PRO = Source(
    name="housecall_pro",
    server=housecall_pro.server,
    options=HousecallProOptions(rate=PLENTY),
    config=lambda url: {**section(housecall_pro.config(url)), "requests_per_second": 10_000},
    secrets=section(housecall_pro.secrets()),
    path="/customers",
    tables=tuple(
        Table(name, rows_of(name)) for name in ("employees", "customers", "leads", "estimates", "jobs", "invoices")
    ),
    work=work_on(
        rows_of("customers"),
        lambda server, number, at: {"id": f"cus_9{number:011d}", "created_at": utc(at), "updated_at": utc(at)},
        lambda at: {"first_name": f"Changed {at}", "updated_at": utc(at)},
        dropped=lambda rows: rows[1],
    ),
    more=_housecall_more,
    right="The key may not read /jobs",
    stated=Stated(
        "7, and 1 per 200 leads, per 200 employees and per 200 invoices that are open or of the last 60 days; once a week all records",
        lambda server, within: (
            7 + sum(len(server.state.rows[name]) // 200 for name in ("leads", "employees", "invoices"))
        ),
    ),
    grown=730,
    denied={"denied": frozenset({"jobs"})},
)


def _jobber_more(body: Row, cursor: int) -> Row:
    def turned(page: Any) -> Any:
        if (
            not isinstance(page, dict)
            or not page.get("nodes")
            or (cursor == BEYOND and page["pageInfo"]["hasNextPage"])
        ):
            return page
        end = page["pageInfo"]["endCursor"] if cursor == BEYOND else base64.b64encode(str(cursor).encode()).decode()
        return {**page, "pageInfo": {"hasNextPage": True, "endCursor": end}}

    return {**body, "data": {name: turned(page) for name, page in (body.get("data") or {}).items()}}


JOBBER = Source(
    name="jobber",
    server=jobber.server,
    options=JobberOptions(points=1_000_000, restored=1_000_000),
    config=lambda url: {**section(jobber.config(url)), "page_size": 20, "requests_per_five_minutes": 100_000},
    secrets=section(jobber.secrets()),
    path="/api/graphql",
    tables=tuple(Table(one.table_name, rows_of(one.name)) for one in LISTINGS),
    work=work_on(
        rows_of("clients"),
        lambda server, number, at: {"id": f"Z2lkOi8vQ2xp9{number:011d}", "createdAt": utc(at), "updatedAt": utc(at)},
        lambda at: {"firstName": f"Changed {at}", "updatedAt": utc(at)},
        dropped=lambda rows: rows[1],
    ),
    more=_jobber_more,
    right="read_quotes",
    stated=Stated(
        "11, and 1 per 50 visits from 30 days back to 90 days ahead and per 50 payments of 60 days; once a week all records",
        lambda server, within: (
            11
            + within(server.state.rows["visits"], "startAt", 30) // 50
            + within(server.state.rows["paymentRecords"], "entryDate", 60) // 50
        ),
        (("page_size", 50),),
    ),
    grown=30,
    skip=2,  # the schema, and the users
    has_sessions=True,
    denied={"scopes": frozenset({"read_clients", "read_requests", "read_jobs", "read_invoices", "read_users"})},
)

CRMS = (HUBSPOT, SALESFORCE, SERVICETITAN, HOUSECALL_PRO, JOBBER)
