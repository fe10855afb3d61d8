"""Where every row went: from the lines of files to the marts, in one table that balances. Companies of files, odd ones among them, and the examples."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import ingestion
from ingestion import quarantine
from ingestion.catalogue import raw_tables
from ingestion.privacy.erasure import erase
from orchestration import transform
from orchestration.transform import AFTER_ANALYSIS
from salesgauge.entities import ENTITIES
from salesgauge.process import Process
from salesgauge.remarks import remarks
from salesgauge.settings import PROJECT_ROOT, Company
from salesgauge.warehouse import connect

AS_OF = datetime(2026, 3, 1)
MODELS = ("+kpi_accounting", "+kpi_reconciliation")
Account = dict[tuple[str, str], dict[str, int]]
REAL = Path(os.environ.get("SALESGAUGE_REALDATA", PROJECT_ROOT / "../shared/data"))


class Books:
    """A company directory that a test fills, loads and builds; ``account`` is what ``kpi_accounting`` says of it."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        for name in ("sources", "data"):
            (root / name).mkdir()
        self.root = root
        self.loads = 0
        self.process(PROCESS)

    @property
    def company(self) -> Company:
        return Company.open(self.root, {})

    def process(self, text: str) -> None:
        (self.root / "process.yml").write_text(text, encoding="utf-8")

    def source(self, name: str, text: str) -> None:
        (self.root / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")

    def file(self, name: str, *lines: str) -> None:
        (self.root / "data" / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def load(self) -> list[str]:
        """Load what is new; what is wrong."""
        self.loads += 1
        found = ingestion.extract(
            self.company, Process.load(self.company.process_file), received_at=datetime(2026, 3, self.loads)
        )
        return [result.error for result in found if result.error]

    def account(self) -> Account:
        return account(self.company, AS_OF)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(self.company.warehouse_file, read_only=True) as con:
            return con.execute(sql).fetchall()

    def lines(self, pattern: str = "*") -> int:
        """The records in the files: their lines but the headers."""
        return sum(
            len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in (self.root / "data").glob(pattern)
        )


def account(company: Company, as_of: datetime, *, is_tested: bool = False) -> Account:
    """Build the warehouse, with the tests of the models where ``is_tested``, and read what became of the rows. It balances."""
    process = Process.load(company.process_file)
    transform.prepare(company, process, as_of=as_of)
    select, exclude = ((), (AFTER_ANALYSIS,)) if is_tested else (MODELS, ())
    outcome = transform.build(company, process, select=select, exclude=exclude, is_tested=is_tested)
    assert [model for model in outcome.models if model.status != "success"] == []
    assert bool(outcome.tests) == is_tested
    assert [test for test in outcome.tests if test.status not in ("pass", "warn")] == []
    found: Account = defaultdict(dict)
    with connect(company.warehouse_file, read_only=True) as con:
        for source, entity, reason, rows, is_counted in con.execute(
            'select source, entity, reason, "rows", is_counted from kpi.kpi_accounting'
        ).fetchall():
            assert is_counted == (reason == "counted")
            found[source, entity][reason] = rows
    for place, reasons in found.items():
        assert reasons["received"] == sum(rows for reason, rows in reasons.items() if reason != "received"), place
    return dict(found)


PROCESS = """
company: {name: Books, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2026-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: proposal, object: deal}
    - {key: won, kind: won, object: deal}
    - {key: lost, kind: lost, object: deal}
    - {key: disqualified, kind: disqualified, object: lead}
exclusions:
  partner: "lead.channel = 'partner'"
stage_mapping:
  log: {"*": {Offer: proposal, Signed: won, Gone: lost, Note: ignore}, lead: {New: inquiry}}
  crm: {"*": {Offer: proposal, Signed: won, Gone: lost}, lead: {New: inquiry}}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "company")


CRM = """
files:
  - path: "leads*.csv"
    entity: leads
    key: id
    where: "kind <> 'vendor'"
    columns: {created_at: created, channel: channel, phone: phone, status: status, is_deleted: gone}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: deals.csv
    entity: deals
    key: id
    columns: {lead: lead, amount: amount, created_at: created}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
    stages:
      current: {column: stage, map: {Offer: proposal, Signed: won}}
      entered: {proposal: created, won: signed}
  - path: activities.csv
    entity: activities
    key: id
    columns: {type: type, at: at, lead: lead, direction: direction, is_deleted: gone}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: calls.csv
    entity: calls
    key: id
    columns: {at: at, from_number: number, direction: direction, is_answered: answered}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: answers.csv
    entity: survey_answers
    key: id
    columns: {submitted_at: at, nps_score: score, lead: lead}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: pages.csv
    entity: web_events
    columns: {at: at, event: event, session_id: session}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: hours.csv
    entity: timesheet_entries
    columns: {user: who, starts_at: at}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
"""


def test_a_crm_with_everything(books: Books) -> None:
    books.source("crm", CRM)
    books.file(
        "leads.csv",
        "id,kind,created,channel,phone,status,gone",
        "1,customer,2026-02-01 10:00,web,3125550101,New,false",
        "2,customer,2026-02-01 10:00,partner,3125550102,New,false",
        "3,customer,2026-02-01 10:00,web,3125550103,New,true",
        "4,customer,2026-04-01 10:00,web,3125550104,New,false",
        "5,customer,soon,web,3125550105,New,false",
        "6,vendor,2026-02-01 10:00,web,3125550106,New,false",
        "1,customer,2026-02-01 10:00,web,3125550101,New,false",
    )
    books.file("leads_2.csv", "id,kind,created,channel,phone,status,gone", "1,customer,2026-02-01 10:00,web,3125550101,New,false")  # fmt: skip
    books.file("leads_3.csv", "id;kind;created", "8;customer;2026-02-01 10:00", "9;customer;2026-02-01 10:00")
    books.file(
        "deals.csv",
        "id,lead,amount,created,stage,signed",
        "1,1,500,2026-02-03 10:00,Signed,2026-02-05 10:00",
        "2,2,500,2026-02-03 10:00,Offer,",
        "3,,five,2026-02-03 10:00,Offer,",
        "4,,700,2026-02-03 10:00,Signed,2026-06-05 10:00",
    )
    books.file(
        "activities.csv",
        "id,type,at,lead,direction,gone",
        "1,call,2026-02-01 11:00,1,outbound,false",
        "2,call,2026-02-01 11:00,2,outbound,false",
        "3,email,2026-02-01 11:00,,outbound,false",
        "4,email,2026-02-01 11:00,1,outbound,true",
        "5,email,2026-06-01 11:00,1,outbound,false",
    )
    # an id that an activity has too; a call that the CRM recorded as well; one of nobody, which is a call that was offered all the same, and one to nobody
    books.file(
        "calls.csv",
        "id,at,number,direction,answered",
        "1,2026-02-01 10:30,3125550101,inbound,true",
        "2,2026-02-01 11:01,3125550101,inbound,true",
        "3,2026-02-01 10:30,2025550177,inbound,true",
        "4,2026-05-01 10:30,3125550101,inbound,true",
        "5,2026-02-01 10:30,2025550178,outbound,true",
    )
    books.file(
        "answers.csv",
        "id,at,score,lead",
        "1,2026-02-20 10:00,9,1",
        "2,2026-02-20 10:00,9,2",
        "3,2026-02-20 10:00,,1",
        "4,,9,1",
        "5,2026-07-20 10:00,9,1",
    )
    books.file("pages.csv", "at,event,session", "2026-02-01 09:00,view,s1", "2026-02-01 09:00,view,", "2026-02-01 09:01,view,", "2026-09-01 09:00,view,s1")  # fmt: skip
    books.file("hours.csv", "who,at", "ann,2026-02-01 09:00", "bob,2026-02-01 09:00")

    (problem,) = books.load()
    assert problem.startswith("leads_3.csv: refused")
    found = account(books.company, AS_OF, is_tested=True)
    assert found["crm", "leads"] == {
        "received": books.lines("leads*"), "counted": 1, "partner": 1, "deleted": 1, "after_as_of": 1, "quarantined": 1, "filtered": 1,
        "duplicate": 1, "superseded": 1, "refused_file": 2,
    }  # fmt: skip
    assert found["crm", "deals"] == {
        "received": books.lines("deals.csv"),
        "counted": 2,
        "lead_partner": 1,
        "quarantined": 1,
    }
    # an event a date: no lines of a file
    assert found["crm", "stage_events"] == {"received": 5, "counted": 3, "record_not_counted": 1, "after_as_of": 1}
    assert found["crm", "activities"] == {
        "received": books.lines("activities.csv"), "counted": 1, "record_not_counted": 1, "no_record": 1, "deleted": 1, "after_as_of": 1,
    }  # fmt: skip
    assert found["crm", "calls"] == {"received": books.lines("calls.csv"), "counted": 3, "no_record": 1, "after_as_of": 1}  # fmt: skip
    assert found["crm", "survey_answers"] == {
        "received": books.lines("answers.csv"), "counted": 1, "record_not_counted": 1, "no_score": 1, "not_submitted": 1, "after_as_of": 1,
    }  # fmt: skip
    assert found["crm", "web_events"] == {"received": books.lines("pages.csv"), "counted": 1, "no_session": 2, "after_as_of": 1}  # fmt: skip
    assert found["crm", "timesheet_entries"] == {"received": books.lines("hours.csv"), "no_kpi_reads_it": 2}
    with connect(books.company.warehouse_file, read_only=True) as con:
        said = [one.text for one in remarks(con) if one.kind == "unread"]
    assert "2 of 4 web events of crm have neither a session nor a visitor" in said
    assert said[-1] == "No KPI reads these yet: timesheet entries of crm (2)"
    assert {entity for _, entity in found} == {
        "leads", "deals", "stage_events", "activities", "calls", "survey_answers", "web_events", "timesheet_entries",
    }  # fmt: skip


LOG = """
files:
  - path: "log*.csv"
    entity: stage_events
    columns: {deal: case, stage: what, at: at, owner: who}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: history.csv
    entity: field_history
    columns: {subject_type: kind, subject_id: id, field: field, value: value, at: at}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: links.csv
    entity: deal_leads
    columns: {deal: deal, lead: lead}
  - path: leads.csv
    entity: leads
    key: id
    columns: {created_at: created, is_test: test}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
  - path: deals.csv
    entity: deals
    key: id
    columns: {created_at: created, is_deleted: gone}
    dates: {format: "%Y-%m-%d %H:%M", timezone: UTC}
"""


def test_an_event_log_with_histories_and_links(books: Books) -> None:
    books.source("log", LOG)
    header = "case,what,at,who"
    offer = "D1,Offer,2026-02-01 10:00,ann"
    books.file(
        "log_1.csv",
        header,
        offer,
        "D1,Offer,2026-02-02 10:00,ann",
        "D1,Note,2026-02-02 11:00,ann",
        "D1,Coffee,2026-02-02 12:00,ann",
        "D2,Offer,2026-02-02 10:00,ann",
        "D9,Offer,2026-02-02 10:00,ann",
        "D1,,2026-02-02 10:00,ann",
    )
    # the export after it holds the first event too
    books.file("log_2.csv", header, offer, "D1,Signed,2026-02-09 10:00,bob", "D1,Gone,2026-05-09 10:00,bob")
    books.file(
        "history.csv",
        "kind,id,field,value,at",
        "deal,D1,owner_id,ann,2026-02-01 10:00",
        "deal,D1,colour,red,2026-02-01 10:00",
        "lead,L1,status,New,2026-02-01 10:00",
        "lead,L1,status,Odd,2026-02-01 11:00",
        "lead,L1,status,,2026-02-01 12:00",
        "lead,L2,status,New,2026-02-01 10:00",
        "lead,L7,status,New,2026-02-01 10:00",
        "lead,L1,status,New,2026-05-01 10:00",
    )
    books.file("leads.csv", "id,created,test", "L1,2026-02-01 09:00,false", "L2,2026-02-01 09:00,true", "L3,2026-02-01 08:00,false")  # fmt: skip
    books.file("deals.csv", "id,created,gone", "D1,2026-02-01 10:00,false", "D2,2026-02-01 10:00,true")
    books.file("links.csv", "deal,lead", "D1,L1", "D1,L3", "D2,L1", "D8,L1")
    assert books.load() == []
    found = books.account()
    # an event without a stage is no event: it waits in quarantine
    assert found["log", "stage_events"] == {
        "received": books.lines("log*"), "counted": 3, "repeated": 1, "ignored": 1, "unmapped_stage": 1, "record_not_counted": 1, "quarantined": 1,
        "superseded": 1, "after_as_of": 1,
    }  # fmt: skip
    assert found["log", "field_history"] == {
        "received": books.lines("history.csv"), "counted": 1, "repeated": 1, "no_kpi_reads_it": 1, "unmapped_stage": 1, "no_stage": 1, "record_not_counted": 1,
        "no_record": 1, "after_as_of": 1,
    }  # fmt: skip
    assert found["log", "deal_leads"] == {
        "received": books.lines("links.csv"), "counted": 1, "another_lead_counts": 1, "record_not_counted": 1, "no_record": 1,
    }  # fmt: skip
    # D9, of which only the log tells, is no row of a file
    assert found["log", "deals"] == {"received": books.lines("deals.csv"), "counted": 1, "deleted": 1}
    assert found["log", "leads"] == {"received": books.lines("leads.csv"), "counted": 2, "test": 1}


LEADS = """
files:
  - {path: "leads*.csv", entity: leads, key: id, columns: {created_at: created, email: email}, dates: {format: "%Y-%m-%d", timezone: UTC}}
"""


@pytest.mark.slow
def test_files_are_mended_refused_read_again_and_persons_erased(books: Books) -> None:
    """At every step the table balances, and the reconciliation rejects just what waits in quarantine."""
    books.source("crm", LEADS)

    def state() -> tuple[dict[str, int], int, int]:
        found = books.account()["crm", "leads"]
        rejected = books.rows("select coalesce(sum(records), 0) from kpi.kpi_reconciliation where entity = 'lead' and reason = 'rejected'")  # fmt: skip
        waiting = quarantine.waiting(books.company)
        return found, int(rejected[0][0]), sum(one.line is not None for one in waiting)

    header = "id,created,email"
    books.file("leads.csv", header, "1,2026-02-01,ann@example.com", "2,soon,bob@example.com", "3,never,cy@example.com")
    books.file("leads_2.csv", header, "4,2026-02-01,di@example.com", "4,2026-02-01,di@example.com")
    assert books.load() == []
    assert state() == ({"received": 5, "counted": 2, "quarantined": 2, "duplicate": 1}, 2, 2)

    # one line is mended, the other one thrown away: nothing waits; what was read before is named
    books.file("leads.csv", header, "1,2026-02-01,ann@example.com", "2,2026-02-02,bob@example.com")
    assert books.load() == []
    assert state() == ({"received": 7, "counted": 3, "duplicate": 1, "earlier_reading": 3}, 0, 0)

    # refused: the rows of before count on, those of the file are named
    books.file("leads.csv", "id;created;email", "1;2026-02-01;ann@example.com", "2;2026-02-02;bob@example.com", "5;2026-02-02;ed@example.com")  # fmt: skip
    assert len(books.load()) == 1
    found, rejected, waiting = state()
    assert found == {"received": 10, "counted": 3, "duplicate": 1, "earlier_reading": 3, "refused_file": 3}
    assert (rejected, waiting) == (0, 0)
    assert len(quarantine.waiting(books.company)) == 1

    erase(books.company, raw_tables(), emails=["di@example.com"])
    found, *_ = state()
    assert found == {"received": 10, "counted": 2, "duplicate": 1, "earlier_reading": 3, "refused_file": 3, "erased": 1}

    # a mapping that names another file only: what the first one gave counts no longer
    books.source("crm", LEADS.replace("leads*.csv", "leads_2.csv"))
    assert books.load() == []
    found, rejected, waiting = state()
    assert (found.get("refused_file", 0), rejected, waiting) == (0, 0, 0)
    assert found["received"] == 9 and found.get("counted", 0) == 0
    assert quarantine.waiting(books.company) == []


@pytest.mark.realdata
@pytest.mark.skipif(not (REAL / "maven_crm").is_dir(), reason="the real input files are not here")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maven_crm", {"deals": (8800, 8800), "stage_events": (15011, 15011), "products": (7, 7), "users": (35, 35), "accounts": (85, 0)}),
        ("receipt_log", {"deals": (8577, 1434), "stage_events": (8577, 8571), "users": (8577, 48)}),
    ],
)  # fmt: skip
def test_the_examples(tmp_path: Path, name: str, expected: dict[str, tuple[int, int]]) -> None:
    root = shutil.copytree(PROJECT_ROOT / "examples" / name, tmp_path / name, ignore=shutil.ignore_patterns("var"))
    company = Company.open(root, {"SALESGAUGE_DATA": str(REAL / name)})
    ingestion.extract(company, Process.load(company.process_file), received_at=datetime(2026, 7, 1))
    found = account(company, company.as_of or AS_OF)
    assert {entity: (rows["received"], rows.get("counted", 0)) for (_, entity), rows in found.items()} == expected


def test_every_entity_is_accounted_for() -> None:
    macro = (PROJECT_ROOT / "dbt_project" / "macros" / "accounting.sql").read_text(encoding="utf-8")
    keys = dict(re.findall(r"'(\w+)': '(\w+)'", macro))
    assert keys == {entity.name: entity.key for entity in ENTITIES.values()}
