"""The commands of the first quarter of an hour: a mapping is proposed and shown before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestration.cli import main

LEADS = "Lead ID,Created,E-mail,Lead Source,Status\n" + "".join(
    f"L{n},2026-01-{n:02d} 08:00,p{n}@example.org,Web,New\n" for n in range(1, 20)
)


@pytest.fixture
def company(tmp_path: Path) -> Path:
    call("init", str(tmp_path / "co"))
    return tmp_path / "co"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_init_writes_a_mapping_and_says_what_comes_next(company: Path) -> None:
    (company / "data" / "leads.csv").write_text(LEADS)
    result = call("--company", company, "sources", "init", company / "data" / "leads.csv")
    assert result.exit_code == 0
    assert f"Next: salesgauge --company {company} sources preview leads" in result.output
    assert "entity: leads" in (company / "sources" / "leads.yml").read_text()


def test_init_overwrites_nothing(company: Path) -> None:
    (company / "data" / "leads.csv").write_text(LEADS)
    (company / "sources" / "leads.yml").write_text("mine")
    result = call("--company", company, "sources", "init", "leads.csv")
    assert result.exit_code == 2 and "stays as it is" in result.output and "--name" in result.output
    assert (company / "sources" / "leads.yml").read_text() == "mine"
    shown = call("--company", company, "sources", "init", "--print", "leads.csv")
    assert shown.exit_code == 0 and "entity: leads" in shown.output
    named = call("--company", company, "sources", "init", "leads.csv", "--name", "old_crm")
    assert named.exit_code == 0 and (company / "sources" / "old_crm.yml").exists()


def test_init_takes_all_exports_that_nothing_reads(company: Path) -> None:
    assert call("--company", company, "sources", "init").exit_code == 2
    (company / "data" / "leads.csv").write_text(LEADS)
    (company / "data" / "deals.csv").write_text("Deal ID,Stage,Amount\n1,Won,5\n2,Lost,6\n")
    assert "sources preview crm" in call("--company", company, "sources", "init").output
    assert "No export" in call("--company", company, "sources", "init").output


@pytest.mark.parametrize("base", ["", "data/", "absolute"])
def test_a_pattern_in_quotes_is_that_of_files(company: Path, base: str) -> None:
    for day in ("05", "12"):
        (company / "data" / f"pipe_2026-01-{day}.csv").write_text("Deal,Stage,Created\n" + "1,won,2026-01-02\n" * 3)
    pattern = company / "data" / "pipe_*.csv" if base == "absolute" else f"{base}pipe_*.csv"
    result = call("--company", company, "sources", "init", pattern, "--name", "pipe")
    assert result.exit_code == 0, result.output
    assert "pipe_*.csv" in (company / "sources" / "pipe.yml").read_text()
    assert "There is no file pop_*.csv" in call("--company", company, "sources", "init", "pop_*.csv").output


def test_a_file_elsewhere_is_to_be_brought_to_the_data(company: Path, tmp_path: Path) -> None:
    (tmp_path / "my leads.csv").write_text(LEADS)
    result = call("--company", company, "sources", "init", tmp_path / "my leads.csv")
    assert f"cp '{tmp_path / 'my leads.csv'}'" in result.output and "my_leads" in result.output
    assert 'path: "my leads.csv"' in (company / "sources" / "my_leads.yml").read_text()
    assert "There is no file" in call("--company", company, "sources", "init", "nowhere.csv").output


def test_a_name_of_a_connector_is_not_taken(company: Path) -> None:
    (company / "data" / "hubspot.csv").write_text(LEADS)
    assert "sources preview hubspot_files" in call("--company", company, "sources", "init").output


MAPPING = """
files:
  - path: calls.csv
    entity: calls
    key: id
    columns: {at: at, direction: way, outcome: result, duration_seconds: seconds}
    dates: {format: iso8601, timezone: UTC}
"""


def test_preview_shows_rows_words_and_what_comes_next(company: Path) -> None:
    (company / "sources" / "phone.yml").write_text(MAPPING)
    (company / "data" / "calls.csv").write_text(
        "id,at,way,result,seconds\n1,2026-01-05 09:00,In,Connected,60\n2,2026-01-05 10:00,Sideways,Qwerty,x\n3,2026-01-06 10:00,out,left voicemail,9\n"
    )
    result = call("--company", company, "sources", "preview", "phone")
    assert result.exit_code == 2, "a third of the rows would be quarantined"
    assert "calls.csv → calls, 3 rows" in result.output and "2026-01-05 03:00" in result.output
    assert "1 of 3 rows would be quarantined" in result.output and "line 3: 'x'" in result.output
    (company / "data" / "calls.csv").write_text(
        "id,at,way,result,seconds\n1,2026-01-05 09:00,In,Connected,60\n2,2026-01-05 10:00,Sideways,Qwerty,6\n3,2026-01-06 10:00,out,left voicemail,9\n"
    )
    result = call("--company", company, "sources", "preview", "phone")
    assert result.exit_code == 0 and f"Next: salesgauge --company {company} run" in result.output
    assert "outcome says what nobody knows: 'Qwerty' (1)" in result.output
    assert "direction says what nobody knows: 'Sideways' (1)" in result.output


def test_preview_of_nothing(company: Path) -> None:
    result = call("--company", company, "sources", "preview", "nobody")
    assert result.exit_code == 2 and "sources init" in result.output
    (company / "sources" / "erp.yml").write_text("tables: [{table: deals, entity: deals, key: id}]")
    assert "sources check erp" in call("--company", company, "sources", "preview", "erp").output
    (company / "sources" / "odd.yml").write_text("files: [{path: x.csv")
    assert "odd.yml:1" in call("--company", company, "sources", "preview", "odd").output


def test_check_opens_the_files(company: Path) -> None:
    (company / "sources" / "phone.yml").write_text(MAPPING)
    (company / "data" / "calls.csv").write_text("id;at;way;result;seconds\n1;2026-01-05 09:00;In;Connected;60\n")
    result = call("--company", company, "sources", "check", "phone")
    assert result.exit_code == 2 and "delimiter: ';'" in result.output
