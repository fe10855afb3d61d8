"""``salesgauge sources init``: what is proposed for files that nobody described. Each proposal has to load as it stands."""

from __future__ import annotations

import gzip
import io
import json
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.files.mapping.loading import load
from ingestion.files.mapping.model import FileMapping
from ingestion.files.proposing.proposing import proposal
from ingestion.files.sampling import tables
from salesgauge.process import Process
from salesgauge.warehouse import connect
from tests.ingestion.files.conftest import FileCompany

DEALS = "Opportunity ID,Opportunity Name,Owner,Stage,Amount,Created Date,Close Date\n"


def propose(crm: FileCompany, tmp_path: Path, *names: str) -> tuple[str, list[FileMapping]]:
    """The proposal for files of the data directory, and its entries as they are read."""
    with connect(":memory:") as con:
        found, problems = tables(con, [(name, crm.company.data_dir / name) for name in names], tmp_path)
        text = proposal(con, found, problems, crm.process, source="crm")
    crm.mapping(text)
    return text, load(crm.company.sources_dir / "crm.yml", crm.process).files


def mapped(entry: FileMapping) -> dict[str, str]:
    """Our column → the file's, in the words of the mapping."""
    return {entry.canonical(name): rule.names[0] for name, rule in entry.columns.items()}


def test_a_row_for_each_deal_with_its_present_stage(crm: FileCompany, tmp_path: Path) -> None:
    rows = [
        f'D{n},Roof {n},Ann,{stage},"$1,{n:03d}.50",{n % 12 + 1:02d}/{n % 28 + 1:02d}/2026,{closed}'
        for n, (stage, closed) in enumerate(
            [("Closed Won", "12/24/2026"), ("Closed Lost", "12/28/2026"), ("Price Quote", ""), ("On Hold", "")] * 8
        )
    ]
    crm.data("deals.csv", DEALS + "\n".join(rows))
    text, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert entry.entity == "deals" and entry.key == ["Opportunity ID"]
    assert mapped(entry) == {
        "name": "Opportunity Name", "owner_id": "Owner", "amount": "Amount", "created_at": "Created Date", "closed_at": "Close Date"
    }  # fmt: skip
    assert entry.dates.format == ["%m/%d/%Y"] and entry.dates.timezone == "America/Chicago"
    assert (entry.numbers.decimal, entry.numbers.group, entry.numbers.signs) == (".", ",", ["$"])
    assert entry.stages and entry.stages.current
    assert entry.stages.current.map == {"Closed Won": "won", "Closed Lost": "lost", "Price Quote": "proposal"}
    assert "# On Hold: ???  # 8 rows" in text, "what can't be proposed stands there as a comment"
    assert set(entry.stages.entered) == {"proposal", "won", "lost"}
    result = crm.run()
    assert result.error is None and result.tables["deals"].loaded == 32
    assert crm.rows("select stage, count(*) from raw_files.deals group by 1 order by 1") == [
        ("On Hold", 8), ("lost", 8), ("proposal", 8), ("won", 8)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "said"), [("$1,200.50", None), ("€1,200.50", "EUR"), ("1,200.50 GBP", "GBP"), ("CA$1,200.50", "CAD")]
)
def test_amounts_of_another_currency_than_the_companys_are_to_be_checked(
    crm: FileCompany, tmp_path: Path, written: str, said: str | None
) -> None:
    crm.data("deals.csv", "Deal ID,Stage,Amount,Created Date\n" + f'1,Won,"{written}",2026-01-05\n' * 20)
    text, _ = propose(crm, tmp_path, "deals.csv")
    assert ("correct company.currency in process.yml" in text) == (said is not None)
    assert said is None or f"makes the amounts {said}, the company's currency is USD" in text


def test_a_european_export_with_a_title_and_another_encoding(crm: FileCompany, tmp_path: Path) -> None:
    rows = "".join(f"V{n};Müller {n};Gewonnen;1.{n:03d},50 €;{n + 5}.02.2026\r\n" for n in range(20))
    crm.data("export.csv", ("Bericht\r\n\r\nDeal Id;Name;Stage;Betrag;Erstellt am\r\n" + rows).encode("cp1252"))
    text, (entry,) = propose(crm, tmp_path, "export.csv")
    assert (entry.delimiter, entry.encoding, entry.skip) == (";", "cp1252", 2)
    assert entry.dates.format == ["%d.%m.%Y"] and "told by its bytes" in text
    assert crm.run().tables["deals"].loaded == 20
    assert crm.rows("select min(amount), min(stage) from raw_files.deals")[0] == (pytest.approx(1000.5), "won")


@pytest.mark.parametrize(
    ("header", "currency"),
    [
        ("Amount (EUR)", "EUR"),
        ("Value in €", "€"),
        ("Amount in GBP", "GBP"),
        ("deal_value_cad", "CAD"),
        ("Amount", None),
    ],
)
def test_the_header_of_the_amounts_names_their_currency(
    crm: FileCompany, tmp_path: Path, header: str, currency: str | None
) -> None:
    rows = [f"D{n},Won,{n * 10},2026-01-{n % 28 + 1:02d}" for n in range(30)]
    crm.data("deals.csv", f"Deal ID,Stage,{header},Created Date\n" + "\n".join(rows))
    _, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert mapped(entry)["amount"] == header
    assert entry.constants == ({"currency": currency} if currency else {})


def test_an_event_log_is_known_by_its_cases(crm: FileCompany, tmp_path: Path) -> None:
    rows = [
        f"C{n},{activity},2026-03-{n % 27 + 1:02d}T{hour:02d}:00:00Z,Bob,{n * 100}"
        for n in range(1, 21)
        for hour, activity in ((9, "Quote sent"), (10, "Reminder"), (12, "Signed" if n % 2 else "Declined"))
    ]
    crm.data("log.csv", "case_id,activity,timestamp,resource,value\n" + "\n".join(rows))
    text, (events, deals) = propose(crm, tmp_path, "log.csv")
    assert events.entity == "stage_events" and events.key is None and events.order == "file"
    assert mapped(events) == {"subject_id": "case_id", "stage": "activity", "at": "timestamp", "owner_id": "resource"}
    assert events.values == {"stage": {"Quote sent": "proposal", "Signed": "won", "Declined": "lost"}}
    assert "# Reminder: ignore  # 20 rows" in text
    assert deals.entity == "deals" and mapped(deals) == {"amount": "value", "updated_at": "timestamp"}
    result = crm.run()
    assert result.error is None and result.tables["stage_events"].loaded == 60


def test_snapshots_in_files_of_one_name_are_one_entry(crm: FileCompany, tmp_path: Path) -> None:
    for week, stage in (("2026-01-05", "Proposal"), ("2026-01-12", "Won")):
        lines = "".join(f"{n},{stage},{n}00,2026-01-0{n}\n" for n in range(1, 6))
        crm.data(f"pipeline_{week}.csv", f"Deal #,Status,Value,Created\n{lines}")
    text, (entry,) = propose(crm, tmp_path, "pipeline_2026-01-05.csv", "pipeline_2026-01-12.csv")
    assert "pipeline_*.csv" in text and entry.entity == "deals" and entry.key == ["Deal #"]
    assert crm.run().tables["deals"].loaded == 10


def test_snapshots_in_one_file_are_versions_and_stage_events(crm: FileCompany, tmp_path: Path) -> None:
    rows = [
        f"{day},D{n},{stage},{n}00"
        for day, stage in (("2026-01-05", "Proposal"), ("2026-01-12", "Won"))
        for n in range(1, 9)
    ]
    crm.data("snapshots.csv", "Snapshot Date,Deal ID,Stage,Amount\n" + "\n".join(rows))
    _, (deals, events) = propose(crm, tmp_path, "snapshots.csv")
    assert deals.entity == "deals" and deals.key == ["Deal ID"] and mapped(deals)["updated_at"] == "Snapshot Date"
    assert events.entity == "stage_events" and mapped(events) == {
        "subject_id": "Deal ID",
        "stage": "Stage",
        "at": "Snapshot Date",
    }
    result = crm.run()
    assert (
        result.error is None and result.tables["deals"].superseded == 8 and result.tables["stage_events"].loaded == 16
    )


def test_the_sheets_of_a_workbook_are_entries(crm: FileCompany, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Leads"
    sheet.append(["Exported by nobody"])
    sheet.append(["Lead #", "First Name", "E-mail", "Mobile", "Lead Source", "Date Received", "Lead Status"])
    for n in range(12):
        sheet.append(
            [
                f"L{n}",
                "Al",
                f"p{n}@example.org",
                f"(312) 555-01{n:02d}",
                "Web",
                datetime(2026, 4, 1, 8, n),
                "Unqualified",
            ]
        )
    calls = book.create_sheet("Call log")
    calls.append(["Call ID", "Start Time", "Direction", "Caller", "Called Number", "Duration", "Result"])
    for n in range(12):
        calls.append([n, datetime(2026, 4, 2, 9, n), "Inbound", "3125550101", "3125550999", 30 + n, "Answered"])
    content = io.BytesIO()
    book.save(content)
    crm.data("book.xlsx", content.getvalue())
    _, (leads, called) = propose(crm, tmp_path, "book.xlsx")
    assert (leads.entity, leads.sheet, leads.skip, leads.key) == ("leads", "Leads", 1, ["Lead #"])
    assert {"email", "phone", "channel", "created_at", "first_name"} <= set(mapped(leads))
    assert (called.entity, called.sheet, called.key) == ("calls", "Call log", ["Call ID"])
    assert {"at", "direction", "from_number", "to_number", "duration_seconds", "outcome"} <= set(mapped(called))
    result = crm.run()
    assert (result.tables["leads"].loaded, result.tables["calls"].loaded) == (12, 12)


def test_json_lines_with_objects_within_and_parquet(crm: FileCompany, tmp_path: Path) -> None:
    lines = [
        {"day": f"2026-05-{n + 1:02d}", "platform": "google", "campaign": {"name": "ac"}, "cost": 12.5}
        for n in range(10)
    ]
    crm.data("ads.jsonl", "\n".join(map(json.dumps, lines)))
    answers = pa.table({
        "Response ID": [f"r{n}" for n in range(10)],
        "Submitted": [datetime(2026, 5, 1, n) for n in range(10)],
        "How likely are you to recommend us?": list(range(10)),
        "Rating": [n % 5 + 1 for n in range(10)],
    })  # fmt: skip
    pq.write_table(answers, crm.company.data_dir / "answers.parquet")
    _, (spend, survey) = propose(crm, tmp_path, "ads.jsonl", "answers.parquet")
    assert spend.entity == "spend" and mapped(spend) == {
        "date": "day",
        "channel": "platform",
        "campaign": "$.campaign.name",
        "amount": "cost",
    }
    assert survey.entity == "survey_answers" and survey.key == ["Response ID"]
    assert mapped(survey) == {
        "submitted_at": "Submitted", "nps_score": "How likely are you to recommend us?", "csat_score": "Rating"
    }  # fmt: skip
    result = crm.run()
    assert (result.tables["spend"].loaded, result.tables["survey_answers"].loaded) == (10, 10)


def test_day_and_time_in_two_columns_and_one_number_of_the_customer(crm: FileCompany, tmp_path: Path) -> None:
    rows = [("1/25/2026", "9:05 AM", "Inbound"), ("1/26/2026", "10:15 PM", "Outbound"), ("1/27/2026", "", "Outbound")]
    lines = "".join(
        f"{n}\t{day}\t{time}\t{way}\t312-555-0142\t0:03:12\tBooked\n" for n, (day, time, way) in enumerate(rows)
    )
    crm.data("calls.tsv", "Call #\tDate\tTime\tDirection\tCustomer Phone\tDuration\tDisposition\n" + lines)
    text, (entry,) = propose(crm, tmp_path, "calls.tsv")
    assert entry.columns["at"].join == ["Date", "Time"] and entry.key == ["Call #"] and "delimiter" not in text
    assert mapped(entry)["from_number"] == mapped(entry)["to_number"] == "Customer Phone"
    assert crm.run().tables["calls"].loaded == 3
    assert crm.rows("select strftime(\"at\", '%d %H:%M'), duration_seconds from raw_files.calls order by \"at\"") == [
        ("25 15:05", 192.0), ("27 04:15", 192.0), ("27 06:00", 192.0)
    ]  # fmt: skip


@pytest.mark.parametrize("values", [["1.234", "99.90"], ["1.234,50", "99.90"], ["1.234", "2.345"]])
def test_amounts_that_can_be_read_in_two_ways_are_left_to_the_person(
    crm: FileCompany, tmp_path: Path, values: list[str]
) -> None:
    crm.data("deals.csv", "id;stage;amount\n" + "".join(f"{n};Won;{value}\n" for n, value in enumerate(values)))
    text, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert "numbers" not in entry.model_fields_set and "# CHECK: the values don't tell" in text


def test_deals_without_a_stage_and_leads_without_an_id(crm: FileCompany, tmp_path: Path) -> None:
    crm.data("deals.csv", "id,amount,closed\n1,5,2026-01-01\n2,6,2026-01-02\n")
    crm.data("leads.csv", "Name,Phone,Created\nAl Bo,312-555-0142,2026-01-01\nCy Do,312-555-0143,2026-01-02\n")
    text, (deals, leads) = propose(crm, tmp_path, "deals.csv", "leads.csv")
    assert deals.stages is None and "??? no column tells in which stage a deal is" in text
    assert leads.key == ["Name"] and mapped(leads)["last_name"] == "Name" and "CHECK: no column is called an id" in text


def test_the_close_date_of_open_deals_is_their_plan(crm: FileCompany, tmp_path: Path) -> None:
    crm.data(
        "deals.csv",
        "id,stage,amount,close date\n1,Won,5,2026-01-01\n2,Proposal,6,2027-01-02\n3,Proposal,6,2027-01-02\n",
    )
    _, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert mapped(entry)["closed_at"] == mapped(entry)["expected_close_date"] == "close date"
    assert crm.run().tables["stage_events"].loaded == 1, "a plan is no event"


def test_the_number_of_an_event_orders_events(crm: FileCompany, tmp_path: Path) -> None:
    lines = "".join(
        f"C{n},{step},{activity},2026-01-05\n" for n in range(9) for step, activity in enumerate(("Quote", "Sold"))
    )
    crm.data("log.csv", "Deal ID,Sequence,Activity,Date\n" + lines)
    _, (entry,) = propose(crm, tmp_path, "log.csv")
    assert mapped(entry)["source_order"] == "Sequence" and entry.order is None
    assert crm.run().tables["stage_events"].loaded == 18


def test_calls_without_an_id_and_times_of_work(crm: FileCompany, tmp_path: Path) -> None:
    calls = "".join(
        f"Voice,Inbound,(312) 555-{n // 2:04d},(312) 555-9999,Mon 01/05/2026,{n % 2 + 9}:05 AM,Missed,0:01:12\n"
        for n in range(30)
    )
    crm.data("CallLog.csv", "Type,Direction,From,To,Date,Time,Action Result,Duration\n" + calls)
    work = "".join(f"{name},01/{day}/2026,08:00,16:30,Selling\n" for name in ("Ann", "Bob") for day in range(13, 20))
    crm.data("timesheet.csv", "Employee,Date,Clock In,Clock Out,Task\n" + work)
    _, (log, times) = propose(crm, tmp_path, "CallLog.csv", "timesheet.csv")
    assert (
        log.entity == "calls"
        and log.key is not None
        and len(log.key) > 1
        and log.columns["at"].join == ["Date", "Time"]
    )
    assert times.columns["starts_at"].join == ["Date", "Clock In"] and times.columns["ends_at"].join == [
        "Date",
        "Clock Out",
    ]
    result = crm.run()
    assert (result.tables["calls"].loaded, result.tables["timesheet_entries"].loaded) == (30, 14)


def test_a_zone_in_the_header_and_questions_of_surveys(crm: FileCompany, tmp_path: Path) -> None:
    rows = "".join(f"h{n},{n},fine,2026-05-{n + 1:02d} 08:00:00\n" for n in range(10))
    crm.data(
        "survey.csv",
        "#,How likely are you to recommend us to a friend?,What could we improve?,Submit Date (UTC)\n" + rows,
    )
    _, (entry,) = propose(crm, tmp_path, "survey.csv")
    assert entry.dates.rule("submitted_at", "Submit Date (UTC)").timezone == "UTC" and {"nps_score", "comment"} <= set(
        entry.columns
    )
    assert crm.run().tables["survey_answers"].loaded == 10
    assert crm.rows("select min(submitted_at) from raw_files.survey_answers") == [(datetime(2026, 5, 1, 8),)]


def test_a_date_for_each_stage_and_none_for_the_present_one(crm: FileCompany, tmp_path: Path) -> None:
    rows = "".join(
        f"D{n},01/{n + 13}/2026,02/{n + 13}/2026,{f'03/{n + 13}/2026' if n % 2 else ''},{'' if n % 2 else '03/20/2026'},500\n"
        for n in range(8)
    )
    crm.data("deals.csv", "Deal,Created,Proposal date,Won date,Lost date,Value\n" + rows)
    text, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert entry.stages and {stage: rule.names for stage, rule in entry.stages.entered.items()} == {
        "proposal": ["Proposal date"], "won": ["Won date"], "lost": ["Lost date"]
    }  # fmt: skip
    assert "???" not in text
    assert crm.run().tables["stage_events"].loaded == 16


def test_an_event_log_in_xes_and_a_packed_file(crm: FileCompany, tmp_path: Path) -> None:
    events = "".join(
        f'<trace><string key="concept:name" value="C{n}"/>'
        + "".join(
            f'<event><string key="concept:name" value="{activity}"/><date key="time:timestamp" value="2026-03-0{n}T{hour:02d}:00:00Z"/></event>'
            for hour, activity in ((9, "Quote sent"), (12, "Signed"))
        )
        + "</trace>"
        for n in range(1, 6)
    )
    crm.data("cases.xes", f"<?xml version='1.0'?><log>{events}</log>")
    crm.data(
        "leads.csv.gz",
        gzip.compress(b"Lead ID;Created;E-mail\n" + b"".join(b"%d;2026-01-01;a@example.org\n" % n for n in range(9))),
    )
    _, (log, leads) = propose(crm, tmp_path, "cases.xes", "leads.csv.gz")
    assert log.entity == "stage_events"
    assert mapped(log) == {"subject_id": "case:concept:name", "stage": "concept:name", "at": "time:timestamp"}
    assert leads.entity == "leads" and leads.delimiter == ";" and leads.format is None
    result = crm.run()
    assert result.error is None and (result.tables["stage_events"].loaded, result.tables["leads"].loaded) == (10, 9)


def test_the_day_or_the_month_is_told_by_other_columns(crm: FileCompany, tmp_path: Path) -> None:
    lines = "".join(f"{n},Won,0{n}/02/2026,{n + 20}/03/2026\n" for n in range(1, 9))
    crm.data("deals.csv", f"id,stage,created,closed\n{lines}")
    text, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert (
        entry.dates.format == ["%d/%m/%Y"] and not entry.dates.columns and "another column of the file decides" in text
    )
    crm.data(
        "deals.csv", "id,stage,created,closed\n" + "".join(f"{n},Won,0{n}/02/2020,0{n}/03/2020\n" for n in range(1, 9))
    )
    text, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert entry.dates.format == ["%m/%d/%Y"] and "CHECK: no value of" in text, (
        "an American company writes the month first; it is said"
    )


def test_branches_and_words_that_mean_nothing(crm: FileCompany, tmp_path: Path) -> None:
    text = (
        (crm.company.process_file)
        .read_text()
        .replace("timezone: America/Chicago}", "timezone: America/Chicago, branches: {north: {label: North Side}}}")
    )
    crm.company.process_file.write_text(text)
    crm.process = Process.load(crm.company.process_file)
    crm.data(
        "leads.csv",
        "id,created,email,office\n"
        + "".join(
            f"{n},2026-01-0{n},a{n}@example.org,{office}\n"
            for n, office in enumerate(["North Side", "NORTH", "Dallas", "N/A", "N/A"], 1)
        ),
    )
    text, (entry,) = propose(crm, tmp_path, "leads.csv")
    assert (
        entry.values == {"branch": {"North Side": "north"}} and "# Dallas: ???" in text and entry.nulls == ["", "N/A"]
    )


def test_branches_that_differ_in_case_and_blanks_are_one(crm: FileCompany, tmp_path: Path) -> None:
    offices = ["Dallas", "Dallas", "DALLAS", " dallas ", "Fort Worth", "Fort Worth", "fort  worth", "FortWorth"]
    rows = (f"{n},2026-01-0{n},a{n}@example.org,{office}\n" for n, office in enumerate(offices, 1))
    crm.data("leads.csv", "id,created,email,office\n" + "".join(rows))
    text, _ = propose(crm, tmp_path, "leads.csv")
    (proposed,) = [line for line in text.splitlines() if "branches: {" in line]
    assert proposed.endswith("branches: {dallas: {label: Dallas}, fort_worth: {label: Fort Worth}}")
    assert text.count("process.yml has no such branch") == 3  # FortWorth needs a line of its own


def test_exports_whose_names_have_a_day_are_snapshots(crm: FileCompany, tmp_path: Path) -> None:
    names = [f"pipeline {day}.csv" for day in ("12-28-2025", "01-04-2026", "01-11-2026")]
    for number, name in enumerate(names):
        rows = (f"{n},{n},{'Won' if n < 9 * number else 'Proposal'}\n" for n in range(30))
        crm.data(name, "deal id,amount,stage\n" + "".join(rows))
    _, (entry,) = propose(crm, tmp_path, *names)
    assert entry.key == ["deal id"] and entry.stages is not None and entry.stages.snapshot == "%m-%d-%Y"
    assert crm.run().error is None
    moves = "select subject_id, stage, min(\"at\") from raw_files.stage_events where subject_id in ('3', '29') group by all order by all"
    assert crm.rows(moves) == [
        ("29", "proposal", datetime(2025, 12, 28, 6)),
        ("3", "proposal", datetime(2025, 12, 28, 6)),
        ("3", "won", datetime(2026, 1, 4, 6)),
    ]
    assert "snapshot:" not in propose(crm, tmp_path, names[0])[0]


def test_what_can_not_be_read_is_said_and_the_rest_is_proposed(crm: FileCompany, tmp_path: Path) -> None:
    crm.data("deals.csv", DEALS + "D1,Roof,Ann,Won,5,2026-01-01,2026-01-02\n")
    crm.data("list.json", '[{"id": 1}]')
    crm.data("empty.csv", "")
    crm.data("odd.csv", "foo,bar\n1,2\n")
    text, (entry,) = propose(crm, tmp_path, "deals.csv", "list.json", "empty.csv", "odd.csv")
    assert entry.entity == "deals"
    assert "NOT READ: list.json: it is one JSON list" in text and "NOT READ: empty.csv" in text
    assert "odd.csv: ??? what its rows are can't be told" in text


def test_a_key_that_is_none_is_completed(crm: FileCompany, tmp_path: Path) -> None:
    crm.data("deals.csv", "id,line,stage,amount\n" + "".join(f"{n // 2},{n % 2},Won,{n}\n" for n in range(1, 40)))
    text, (entry,) = propose(crm, tmp_path, "deals.csv")
    assert entry.key is not None and len(entry.key) == 2 and entry.key[0] == "id" and "alone is no key" in text
    assert crm.run().tables["deals"].loaded == 39
