"""Who is erased: all of that person, in every way people write an address or a number, and nobody else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import ingestion
from ingestion import quarantine
from ingestion.catalogue import create_views, raw_tables
from ingestion.landing.load import Landing
from ingestion.privacy import erasure
from ingestion.privacy.erasure import erase
from ingestion.privacy.suppression import without
from ingestion.rawlog.accounting import TableCount
from ingestion.sources.typeform.tables import RESPONSES
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

START = datetime(2026, 7, 1, 5)
JANE = "jane@example.com"
PROCESS = """
company: {name: Test, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
"""


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text(PROCESS)
    (tmp_path / "data").mkdir()
    (tmp_path / "sources").mkdir()
    return Company.open(tmp_path, {})


@pytest.fixture
def typeform(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.typeform]\n")
    return Company.open(tmp_path, {})


def sync(company: Company, hour: int) -> ingestion.SourceResult:
    process = Process.load(company.root / "process.yml")
    (result,) = ingestion.extract(company, process, received_at=START + timedelta(hours=hour), names=["web"])
    return result


def land(company: Company, hour: int, *records: dict[str, Any], is_ascii: bool = True) -> TableCount:
    file = company.root / f"{hour}.jsonl"
    file.write_text("".join(json.dumps(one, ensure_ascii=is_ascii) + "\n" for one in records))
    with Landing(company, "typeform", received_at=START + timedelta(hours=hour)) as landing:
        landing.records(RESPONSES, [file])
        landing.commit()
        return landing.counts["responses"]


def rows(company: Company, sql: str) -> list[tuple[Any, ...]]:
    with connect(":memory:") as con:
        create_views(con, company)
        return con.execute(sql).fetchall()


def response(number: int, **more: Any) -> dict[str, Any]:
    fixed = {"form_id": "F1", "response_id": f"r{number}", "response_type": "completed"}
    return {**fixed, "submitted_at": f"2026-06-{number:02d}T10:00:00Z", **more}


@pytest.mark.parametrize("bad", [False, True])
def test_who_moves_to_the_line_of_an_erased_person_stays(company: Company, bad: bool) -> None:
    (company.sources_dir / "web.yml").write_text(
        "files:\n  - path: forms.csv\n    entity: form_submissions\n    columns: {submitted_at: at, email: email}\n"
        "    dates: {format: iso8601, timezone: UTC}\n"
    )
    file = company.data_dir / "forms.csv"
    wrong = "2026-06-01,last@example.com,\nnext week,bad@example.com,\n" if bad else ""
    tom = f"2026-06-02,tom@example.com,CORP\\n{JANE}\n"  # no line break: a backslash
    file.write_text(f"at,email,login\n2026-06-01,{JANE},\n{tom}{wrong}")
    sync(company, 0)
    assert erase(company, raw_tables(), emails=[JANE]).rows == {"web.form_submissions": 1}
    assert len(quarantine.waiting(company)) == bad
    file.write_text(f"at,email,login\n{tom}2026-06-03,{JANE},\n{wrong}")
    total = sync(company, 1).total
    assert (total.received, total.quarantined, total.duplicates) == (2 + 2 * bad, bad, 1)
    found = {row[0] for row in rows(company, "select email from raw_files.form_submissions")}
    assert found == {"tom@example.com", *(["last@example.com"] if bad else [])}


HERS = [
    f"Hello\n{JANE}",
    f"Hello\t{JANE}\r\nBye",
    f"Hello\u00a0{JANE}\u00a0Bye",
    f"\b{JANE}\f",
    f'"{JANE}"',
    f"\\ \\\n{JANE}",
    f"\u00e9\n\U0001f600{JANE}",
    "https://x.test/?a=1&email=jane%40example.com&b=2",
    "https://x.test/jane%40example%2Ecom",
    "https://x.test/?q=%20jane@example.com%0A%zz%fe",
    f"mailto:{JANE}?subject=x",
    f"**{JANE}**",
    f"'{JANE}'. {{{JANE}}}",
]
OTHERS = [
    f"CORP\\n{JANE}",
    f"tom&{JANE}",
    f"tom-{JANE}",
    f"jos\u00e9{JANE}",
    f"{JANE}.au",
    "b%C3%A9jane%40example.com",
]


def noted(texts: list[str], first: int = 1) -> list[dict[str, Any]]:
    return [response(number, hidden={"note": text}) for number, text in enumerate(texts, first)]


def notes(company: Company) -> list[str]:
    found = rows(company, "select record from raw_typeform.responses order by _row")
    return [json.loads(row[0])["hidden"]["note"] for row in found]


@pytest.mark.parametrize("is_ascii", [True, False])
def test_an_address_is_found_where_it_stands_and_is_no_part_of_another(typeform: Company, is_ascii: bool) -> None:
    land(typeform, 0, *noted(HERS + OTHERS), is_ascii=is_ascii)
    expected = {"typeform.responses": len(HERS)}
    assert erase(typeform, raw_tables(), emails=[JANE], is_trial=True).rows == expected
    assert erase(typeform, raw_tables(), emails=[JANE]).rows == expected
    assert notes(typeform) == OTHERS
    again = [{**one, "response_id": f"again{number}"} for number, one in enumerate(noted(HERS + OTHERS))]
    count = land(typeform, 1, *again, is_ascii=is_ascii)
    assert count == TableCount(len(again), len(OTHERS), 0, len(HERS))


def test_every_address_can_be_erased(typeform: Company) -> None:
    written = [
        ("jan\u00e9@example.com", "by jan\u00e9@example.com"),
        ("jan\u00e9@example.com", "by jane\u0301@example.com"),
        ("JAN\u00c9@ex\u00e4mple.com", "by Jan\u00e9@ex\u00e4mple.com."),
        ("jane+x@example.com", "?e=jane%2Bx%40example.com"),
        ("jane_x@example.com", "?e=jane%5fx%40example.com"),
        ("tom&jane@example.com", "tom&jane@example.com"),
        ("o'brien@example.com", "'o'brien@example.com'"),
        ("a=b@example.com", "<a=b@example.com>"),
    ]
    texts = [text for _, text in written]
    land(typeform, 0, *noted([*texts, JANE]))
    assert erase(typeform, raw_tables(), emails=[email for email, _ in written]).rows == {
        "typeform.responses": len(texts)
    }
    assert notes(typeform) == [JANE]
    again = [{**one, "response_id": f"again{number}"} for number, one in enumerate(noted(texts))]
    assert land(typeform, 1, *again) == TableCount(len(texts), 0, 0, len(texts))


def test_a_number_is_found_beside_others_and_is_no_part_of_another(typeform: Company) -> None:
    hers = [
        "303-555-0111 / 303-555-0112",
        "303-555-0112 / 303-555-0111",
        "303-555-0112 303-555-0111",
        "(303) 555-0111 5550112",
        "303-555-0111 2026-01-05",
        "2026-01-05 303.555.0111",
        "303\u2011555\u20110111",
        "+1\u00a0303\u00a0555\u00a00111",
        "3035550111\n3035550112",
        "13035550111",
        "0013035550111",
        "1 (303) 555-0111, 2",
        "+1-303-555-0111",
        "call 42: 303-555-0111",
    ]
    others = [
        "9993035550111",
        "30355501112",
        "303-555-01112",
        "7303-555-01119",
        "12345678303555011199",
        "5550111",
        "303-555-0112",
        "303-555 / 0111",
    ]
    land(typeform, 0, *noted([*hers, *others]))
    expected = {"typeform.responses": len(hers)}
    assert erase(typeform, raw_tables(), phones=["(303) 555-0111"], is_trial=True).rows == expected
    assert erase(typeform, raw_tables(), phones=["(303) 555-0111"]).rows == expected
    assert notes(typeform) == others
    again = [{**one, "response_id": f"again{number}"} for number, one in enumerate(noted([*hers, *others]))]
    assert land(typeform, 1, *again) == TableCount(len(again), len(others), 0, len(hers))


def test_numbers_that_are_short_or_from_elsewhere_and_days(typeform: Company) -> None:
    texts = ["555-0112", "303-555-0112", "+49 1511 2345678", "01511 2345678", "2026-01-05 10:15"]
    land(typeform, 0, *noted(texts))
    erase(typeform, raw_tables(), phones=["202-601-0510"])  # is no day and hour
    erase(typeform, raw_tables(), phones=["5550112"])
    assert notes(typeform) == texts[1:]
    erase(typeform, raw_tables(), phones=["+49 (1511) 2345-678"])
    assert notes(typeform) == ["303-555-0112", "2026-01-05 10:15"]


def test_a_number_goes_however_the_models_may_have_joined_it(typeform: Company) -> None:
    texts = [
        "(312) 555-0142 ext. 7",
        "+1 312 555 0142",
        "312-555-0143 / 312-555-0144",
        "+33 6 12 34 56 78",
        "from +266696687",
        "312-555-0145",
    ]
    land(typeform, 0, *noted(texts))
    erase(typeform, raw_tables(), phones=["312.555.0142 x 99", "312-555-0199 or 312-555-0144", "06 12 34 56 78"])
    assert notes(typeform) == texts[4:]
    with pytest.raises(ConfigurationError, match="nothing to look for"):  # all who hide their number are not one person
        erase(typeform, raw_tables(), phones=["+266696687", "5.55123E+09"])
    assert notes(typeform) == texts[4:]


def test_versions_that_were_loaded_and_those_in_quarantine_are_of_one_person(typeform: Company) -> None:
    hers = {"hidden": {"email": JANE}}
    land(typeform, 0, response(1, submitted_at="bad"), response(2, submitted_at="bad", **hers))
    land(typeform, 1, response(1, **hers), response(2), response(3))
    land(typeform, 2, response(3, submitted_at="worse"))
    expected = {"typeform._quarantine": 2, "typeform.responses": 2}
    assert erase(typeform, raw_tables(), emails=[JANE], is_trial=True).rows == expected
    assert erase(typeform, raw_tables(), emails=[JANE]).rows == expected
    assert rows(typeform, "select record_key from raw_log.quarantine") == [("F1|r3",)]
    # under the key alone, which only the quarantine knew with her address
    again = [response(1), response(2), response(2, submitted_at="bad"), response(3)]
    assert land(typeform, 3, *again) == TableCount(4, 1, 0, 3)


def test_an_interrupted_erasure_goes_on_where_the_telling_version_is_gone(
    typeform: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(typeform, 0, response(1, hidden={"email": JANE}))
    land(typeform, 1, response(1), response(2))
    calls: list[Any] = []

    def killed(*args: Any) -> list[str | None]:
        calls.append(args)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return without(*args)

    monkeypatch.setattr(erasure, "without", killed)
    with pytest.raises(KeyboardInterrupt):
        erase(typeform, raw_tables(), emails=[JANE])
    monkeypatch.undo()
    assert rows(typeform, "select response_id from raw_typeform.responses order by 1") == [("r1",), ("r2",)]
    assert erase(typeform, raw_tables(), emails=[JANE]).rows == {"typeform.responses": 1}
    assert rows(typeform, "select response_id from raw_typeform.responses") == [("r2",)]


LEADS = (
    "files:\n  - path: '*.csv'\n    entity: leads\n    key: id\n    columns: {last_name: name, email: mail, created_at: at}\n"
    "    dates: {format: iso8601, timezone: UTC}\n"
)


def cursor_texts(company: Company) -> str:
    files = sorted((company.raw_dir / "web" / "_accounting").glob("*.parquet"))
    with connect(":memory:") as con:
        found = [con.execute("select cursor from read_parquet(?)", [str(file)]).fetchall() for file in files]
    return str(found) + "".join(path.read_text() for path in company.outcomes_dir.glob("*.json"))


def test_a_file_without_a_header_does_not_tell_its_first_record(company: Company) -> None:
    (company.sources_dir / "web.yml").write_text(LEADS)
    (company.data_dir / "leads.csv").write_text(f"1,Doe,{JANE},2026-06-01\n")
    error = str(sync(company, 0).error)
    assert "it has 4 columns whose names look like data. Is its first line a header" in error
    assert JANE not in cursor_texts(company)


def test_what_cursors_and_outcomes_say_of_a_person_is_erased(company: Company) -> None:
    (company.sources_dir / "web.yml").write_text(LEADS)
    header, others = "id,name,mail,at\n", {"tom&jane@example.com.csv", "jane@example.com.au.csv", "plain.csv"}
    for number, name in enumerate(sorted(others)):
        (company.data_dir / name).write_text(f"{header}{number},Other,o{number}@example.org,2026-06-01\n")
    (company.data_dir / f"{JANE}.csv").write_text(f"{header}9,Doe,,2026-06-01\n")
    (company.data_dir / f"bad {JANE} 303-555-0111.csv").write_text("id,name\n")
    sync(company, 0)
    (company.data_dir / "plain.csv").write_text(f"{header}1,Other,o1@example.org,2026-06-02\n")
    sync(company, 1)
    assert JANE in cursor_texts(company).replace("tom&jane", "").replace("com.au", "")
    for path in company.data_dir.glob("*jane@example.com*"):
        if path.name not in others:
            path.unlink()
    done = erase(company, raw_tables(), emails=[JANE], phones=["3035550111"])
    assert done.rows == {"web.leads": 1, "web._quarantine": 1}
    told = cursor_texts(company)
    for name in others:
        told = told.replace(name, "")
    assert JANE not in told and "0111" not in told and "[erased].csv" in told
    assert {row[0] for row in rows(company, "select lead_id from raw_files.leads")} == {"0", "1", "2"}
    assert json.loads((company.outcomes_dir / "web.json").read_text())["error"].startswith("bad [erased] [erased].csv")
    assert sync(company, 2).total == TableCount()
    assert {row[0] for row in rows(company, "select lead_id from raw_files.leads")} == {"0", "1", "2"}
    assert erase(company, raw_tables(), emails=[JANE], phones=["3035550111"]).total == 0
