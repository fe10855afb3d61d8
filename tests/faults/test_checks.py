"""``sources check`` for every source: with what is missing or wrong it says within seconds, in words, what to do, and never a secret."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingestion.connector.about import Finding
from orchestration.sources import check
from proofs.faults.play import SOURCES, Stage, company_log
from proofs.faults.source import Source
from salesgauge.settings import Company

PROCESS = """
company: {name: Test, currency: USD, timezone: UTC}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages: [{key: proposal}, {key: won, kind: won}]
"""
SECONDS = 15.0
WRONG = "wrong-secret-987654321"
each = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def findings(stage: Stage, name: str) -> list[Finding]:
    """What the check finds; none of it holds a secret."""
    began = time.monotonic()
    found = check(stage.company, [name])[name]
    assert time.monotonic() - began < SECONDS
    assert found and all(finding.is_ok or finding.advice for finding in found)
    told = " ".join(f"{finding.what} {finding.advice}" for finding in found)
    # short ids such as a tenant's number are no secrets, and may stand in a path
    assert not [secret for secret in (*stage.source.secrets.values(), WRONG) if secret in told]
    return found


def wrong(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding.is_ok]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody answers: it is bound and does not listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def elsewhere(source: Source, url: str) -> list[tuple[str, Any]]:
    """The settings of ``source`` with all addresses at ``url``."""
    return list(source.config(url).items())


@each
def test_good_credentials_are_all_that_is_needed(source: Source, tmp_path: Path) -> None:
    with Stage(source, company_log(), tmp_path).up() as stage:
        # an org without an object that is optional is fine too
        assert wrong(findings(stage, source.name)) == []


@each
def test_a_missing_key_is_named(source: Source, tmp_path: Path) -> None:
    with Stage(source, company_log(), tmp_path).up() as stage:
        for key in source.secrets:
            stage.configure(secrets=[(name, value) for name, value in source.secrets.items() if name != key])
            (finding, *_) = wrong(findings(stage, source.name))
            assert f"'{key}'" in finding.advice and "secrets.toml" in finding.advice, finding


@each
def test_a_wrong_key_is_refused_in_words(source: Source, tmp_path: Path) -> None:
    with Stage(source, company_log(), tmp_path).up() as stage:
        for key in source.secrets:
            stage.configure(secrets=[*source.secrets.items(), (key, WRONG)])
            (finding, *_) = wrong(findings(stage, source.name))
            assert "does not accept" in finding.advice or "refused the credentials" in finding.advice, finding
            assert "secrets.toml" in finding.advice, finding


@each
def test_a_key_without_a_right_says_which(source: Source, tmp_path: Path) -> None:
    with Stage(source, company_log(), tmp_path, **source.denied).up() as stage:
        found = findings(stage, source.name)
        lacking = wrong(found)
        assert lacking and len(lacking) < len(found), "the other rights are there"
        assert all(source.right in f"{finding.what} {finding.advice}" for finding in lacking), lacking


@each
def test_a_host_that_does_not_answer(source: Source, tmp_path: Path, closed_port: int) -> None:
    with Stage(source, company_log(), tmp_path).up() as stage:
        stage.configure(elsewhere(source, f"http://127.0.0.1:{closed_port}"))
        (finding, *rest) = findings(stage, source.name)
        assert not finding.is_ok and not rest, "nothing else can be said"
        assert "no complete answer" in finding.advice or "no answer" in finding.advice
        assert f"[sources.{source.name}]" in finding.advice, finding


@each
def test_a_host_that_is_not_there(source: Source, tmp_path: Path) -> None:
    with Stage(source, company_log(), tmp_path).up() as stage:
        stage.configure(elsewhere(source, "https://salesgauge-no-such-host.invalid"))
        (finding, *rest) = findings(stage, source.name)
        assert not finding.is_ok and not rest
        assert "salesgauge-no-such-host.invalid" in finding.advice and f"[sources.{source.name}]" in finding.advice, (
            finding
        )


# Files and databases.


@pytest.fixture
def described(tmp_path: Path) -> Company:
    """A company with a file source and a database, neither of which is there yet."""
    (tmp_path / "sources").mkdir()
    (tmp_path / ".dlt").mkdir()
    (tmp_path / "process.yml").write_text(PROCESS)
    mapping = "    entity: leads\n    key: no\n    columns: {last_name: name}\n"
    (tmp_path / "sources" / "exports.yml").write_text(f'files:\n  - path: "leads*.csv"\n{mapping}')
    (tmp_path / "sources" / "erp.yml").write_text(f"tables:\n  - table: leads\n{mapping}")
    return Company.open(tmp_path, {})


def test_files_that_are_not_there(described: Company) -> None:
    (finding,) = wrong(check(described, ["exports"])["exports"])
    assert str(described.data_dir) in finding.advice and "SALESGAUGE_DATA" in finding.advice
    described.data_dir.mkdir()
    (finding,) = wrong(check(described, ["exports"])["exports"])
    assert "leads*.csv" in finding.what and "optional: true" in finding.advice
    (described.data_dir / "leads-1.csv").write_text("no,name\n1,Doe\n")
    found = check(described, ["exports"])["exports"]
    assert wrong(found) == [] and found[1].what.endswith(": 1 file for leads")
    assert found[-1].what.startswith("leads*.csv: leads without a date"), (
        "the file is opened, and what it lacks is said"
    )
    (described.sources_dir / "exports.yml").write_text("files:\n  - path: leads.csv\n    entity: ledes\n")
    (finding,) = wrong(check(described, ["exports"])["exports"])
    assert "exports.yml" in finding.advice and "ledes" in finding.advice


def test_a_database_that_is_not_there_or_not_open(described: Company, postgres: str, closed_port: int) -> None:
    def found(url: str | None) -> list[Finding]:
        line = f'connection = "{url}"\n' if url else ""
        (described.root / ".dlt" / "secrets.toml").write_text(f"[sources.erp]\n{line}")
        began = time.monotonic()
        answer = check(Company.open(described.root, {}), ["erp"])["erp"]
        assert time.monotonic() - began < SECONDS + 5
        assert not [secret for secret in ("pg-secret-1234", WRONG) if secret in " ".join(one.advice for one in answer)]
        return answer

    assert "'connection'" in wrong(found(None))[0].advice
    assert "no database address" in wrong(found("nonsense"))[0].advice
    for url in (
        postgres.replace("pg-secret-1234", WRONG),
        f"postgresql://salesgauge:pg-secret-1234@127.0.0.1:{closed_port}/postgres",
        "postgresql://salesgauge:pg-secret-1234@salesgauge-no-such-host.invalid/postgres",
    ):
        (finding,) = wrong(found(url))
        assert "Check 'connection' of [sources.erp]" in finding.advice
    (finding,) = wrong(found(postgres))
    assert "sources/erp.yml: table leads: there is no such table" in finding.advice
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("create table leads (no int, name text)")
        con.execute("create role guest login password 'pg-secret-1234'")
        try:
            (finding,) = wrong(found(postgres.replace("salesgauge:", "guest:")))
            assert "that the user may read the table" in finding.advice
            assert wrong(found(postgres)) == []
        finally:
            con.execute("drop table leads")
            con.execute("drop role guest")
