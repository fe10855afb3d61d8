"""A person is erased from a whole company: from the raw log to the published version, and does not come back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from demo.company import write
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from ingestion.catalogue import create_views
from ingestion.privacy.erasure import mentions
from orchestration import pipeline
from orchestration.cli import main
from quality import versions
from salesgauge.settings import Company
from salesgauge.warehouse import connect, open_published

pytestmark = pytest.mark.slow


@dataclass
class Erased:
    """The company after the erasure, the person's address and contact, and what the command said."""

    company: Company
    log: CompanyLog
    email: str
    contact: str
    before: tuple[str, ...]
    output: str
    exit_code: int


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erased]:
    root, log = tmp_path_factory.mktemp("company"), simulate(5, 0.055, days=400)
    with DemoServers(log) as servers:
        write(root, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url)
        company = Company.open(root)
        assert pipeline.run(company).exit_code == 0
        with open_published(company.pointer) as con:
            counted = {row[0] for row in con.execute("select lead_id from marts.fct_lead").fetchall()}
        created = log.events[log.events["kind"] == "lead_created"]
        emails = [data["email"] for data in created["data"]]
        contact, email = next(
            (lead, data["email"])
            for lead, data in zip(created["lead_id"], created["data"], strict=True)
            if data["email"] and emails.count(data["email"]) == 1 and f"hubspot:{lead}" in counted
        )
        before = tuple(version.name for version in versions(company))
        result = CliRunner().invoke(main, ["--company", str(root), "erase", "--email", email.upper(), "--yes"])
        yield Erased(company, log, email, contact, before, result.output, result.exit_code)


def test_it_is_said_what_went(erased: Erased) -> None:
    assert erased.exit_code == 0, erased.output
    assert "hubspot.contacts: 1 rows erased" in erased.output
    assert "LEFT" not in erased.output


def test_the_raw_log_and_every_file_are_without_the_person(erased: Erased) -> None:
    with connect(":memory:") as con:
        create_views(con, erased.company)
        found = con.execute("select count(*) from raw_hubspot.contacts where id = ?", [erased.contact]).fetchone()
        others = con.execute("select count(*) from raw_hubspot.contacts").fetchone()
    assert found == (0,) and others is not None and others[0] > 100
    files = [path for path in erased.company.var.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if mentions(path, [erased.email])] == []


def test_a_new_version_is_served_and_the_older_ones_are_gone(erased: Erased) -> None:
    left = versions(erased.company)
    assert [version.is_current for version in left] == [True]
    assert left[0].name not in erased.before
    with open_published(erased.company.pointer) as con:
        rows = con.execute("select count(*) from marts.fct_lead where lead_id = ?", [f"hubspot:{erased.contact}"])
        assert rows.fetchone() == (0,)


def test_the_crm_that_still_has_the_person_is_not_believed(erased: Erased) -> None:
    """The run after the erasure asked HubSpot again, which still lists the contact; so does a raw log that begins anew."""
    import shutil

    shutil.rmtree(erased.company.raw_dir)
    assert pipeline.run(erased.company).exit_code == 0
    with connect(":memory:") as con:
        create_views(con, erased.company)
        rows = con.execute(
            "select received, loaded, quarantined, duplicates from raw_log.loads where table_name = 'contacts'"
        )
        received, loaded, quarantined, duplicates = rows.fetchone() or (0, 0, 0, 0)
        found = con.execute("select count(*) from raw_hubspot.contacts where id = ?", [erased.contact]).fetchone()
    assert found == (0,)
    assert duplicates >= 1 and received == loaded + quarantined + duplicates


def test_a_dry_run_changes_nothing(erased: Erased, tmp_path: Path) -> None:
    before = sorted(erased.company.raw_dir.rglob("*.parquet"))
    root = str(erased.company.root)
    result = CliRunner().invoke(main, ["--company", root, "erase", "--email", erased.email, "--dry-run"])
    assert result.exit_code == 0 and "no row mentions the person" in result.output
    assert sorted(erased.company.raw_dir.rglob("*.parquet")) == before
