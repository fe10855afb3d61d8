"""Publishing: what a version holds, when none is written, what is kept, going back, and what a killed process leaves."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import quality
from quality.hashes import table_hash
from quality.versions import Version
from salesgauge.errors import AuditError, ConfigurationError
from salesgauge.settings import Company
from salesgauge.warehouse import connect, open_published

Publish = Callable[..., Version]


@pytest.fixture
def publish(company: Company, small: ModuleType) -> Publish:
    """Publishes a warehouse whose tables all carry ``mark``; an hour passes from mark to mark."""

    def run(mark: int, at: datetime | None = None, company: Company = company) -> Version:
        small.stamped(company, mark)
        return quality.publish(
            company,
            as_of=small.AS_OF,
            audit=small.PASSED,
            semantic_manifest=small.semantic_manifest(company),
            created_at=at or small.AS_OF + timedelta(hours=mark),
        )

    return run


def served_mark(company: Company) -> int:
    con = open_published(company.pointer)
    try:
        marks = con.execute("select mark from marts.fct_deal union select mark from kpi.kpi_volume").fetchall()
    finally:
        con.close()
    assert len(marks) == 1
    return int(marks[0][0])


def test_a_version_holds_tables_parquet_and_manifest(company: Company, publish: Publish) -> None:
    version = publish(1)
    assert version.name == "000001-20260701T060000Z"
    assert version.is_current and not version.unchanged
    con = open_published(company.pointer)
    found = {
        f"{schema}.{table}"
        for schema, table in con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'salesgauge'"
        ).fetchall()
    }
    assert {
        "process.run",
        "process.stages",
        "marts.fct_deal",
        "kpi.kpi_volume",
        "quality.scores",
        "quality.loads",
    } <= found
    assert not {name for name in found if name.startswith(("raw", "staging", "intermediate"))}
    manifest = json.loads((version.path / "manifest.json").read_text())
    assert set(manifest["tables"]) == found
    for name, table in manifest["tables"].items():
        assert table_hash(con, name) == (table["hash"], table["rows"])
        schema, _, relation = name.partition(".")
        rows = (
            duckdb.connect()
            .execute(
                "select count(*) from read_parquet(?)", [str(version.path / "parquet" / schema / f"{relation}.parquet")]
            )
            .fetchone()
        )
        assert rows == (table["rows"],)
    assert manifest["definition_version"] == 1
    assert manifest["as_of"] == "2026-07-01T05:00:00Z"
    assert manifest["sources"]["hubspot"] == {
        "records": {"leads": 10}, "loaded_at": "2026-06-30T00:00:00Z", "loads": 1, "received": 1, "loaded": 1, "quarantined": 0, "duplicates": 0,
    }  # fmt: skip
    assert (version.path / "semantic_manifest.json").is_file()
    con.close()


def test_a_view_is_published_as_a_view_of_the_versions_own_tables(
    company: Company, publish: Publish, small: ModuleType, tmp_path: Path
) -> None:
    def with_view(mark: int, condition: str) -> Version:
        small.stamped(company, mark)
        with connect(company.warehouse_file) as con:
            con.execute(
                f"create or replace view marts.fct_seen as select * from salesgauge.marts.fct_deal where {condition}"
            )
        return quality.publish(
            company, as_of=small.AS_OF, audit=small.PASSED, semantic_manifest=small.semantic_manifest(company),
            created_at=small.AS_OF + timedelta(hours=mark),
        )  # fmt: skip

    first, same, other = with_view(1, "true"), with_view(1, "true"), with_view(1, "mark < 0")
    assert (same.unchanged, other.unchanged) == (True, False)
    manifest = json.loads((first.path / "manifest.json").read_text())
    assert manifest["tables"]["marts.fct_seen"]["rows"] == manifest["tables"]["marts.fct_deal"]["rows"] > 0
    assert not (first.path / "parquet" / "marts" / "fct_seen.parquet").exists()
    company.warehouse_file.unlink()
    with open_published(company.pointer) as con:
        assert con.sql("select count(*) from marts.fct_seen").fetchall() == [(0,)]
    # opened by itself and under another name, as people do
    file = tmp_path / "mine.duckdb"
    file.write_bytes((first.path / "salesgauge.duckdb").read_bytes())
    with duckdb.connect(str(file), read_only=True) as con:
        assert con.sql("select distinct mark from marts.fct_seen").fetchall() == [(1,)]


def test_published_files_are_read_only_and_of_the_pinned_format(company: Company, publish: Publish) -> None:
    version = publish(1)
    files = [path for path in version.path.rglob("*") if path.is_file()]
    assert files and all(not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for path in files)
    assert not list(version.path.glob("*.wal"))
    con = open_published(company.pointer)
    tags = con.execute("select tags from duckdb_databases() where database_name = 'salesgauge'").fetchone()
    assert tags is not None and tags[0]["storage_version"].startswith("v1.0.0")
    con.close()


def test_the_same_content_gives_the_same_file_content(
    company: Company, publish: Publish, tmp_path: Path, small: ModuleType
) -> None:
    one = publish(1)
    other = publish(1, company=small.make_company(tmp_path / "other"))
    assert one.hashes == other.hashes
    for path in sorted((one.path / "parquet").rglob("*.parquet")):
        assert path.read_bytes() == (other.path / path.relative_to(one.path)).read_bytes(), path.name


def test_nothing_new_writes_nothing(company: Company, publish: Publish) -> None:
    first = publish(1)
    again = publish(1, at=first.created_at + timedelta(days=1))
    assert again.unchanged and again.name == first.name
    assert len(quality.versions(company)) == 1


def test_other_checks_alone_are_nothing_new(company: Company, publish: Publish, small: ModuleType) -> None:
    first = publish(1)
    # They compare with the version before: the second run has one, the first had none.
    con = connect(company.warehouse_file)
    con.execute("create or replace table quality.checks as select 'share_of_before_in_range' as name")
    con.close()
    options = {"as_of": small.AS_OF, "audit": small.PASSED, "semantic_manifest": small.semantic_manifest(company)}
    assert quality.publish(company, **options).unchanged
    con = connect(company.warehouse_file)
    con.execute("update marts.fct_deal set mark = 7 where id = 3")
    con.close()
    assert quality.publish(company, **options).number == first.number + 1


def test_another_as_of_or_other_metrics_are_a_new_version(
    company: Company, publish: Publish, small: ModuleType
) -> None:
    publish(1)
    options = {"audit": small.PASSED, "created_at": small.AS_OF}
    later = quality.publish(
        company, as_of=small.AS_OF + timedelta(1), semantic_manifest=small.semantic_manifest(company), **options
    )
    assert not later.unchanged and later.number == 2
    manifest = small.semantic_manifest(company)
    manifest.write_text('{"semantic_models": [], "metrics": [1]}')
    assert quality.publish(company, as_of=small.AS_OF + timedelta(1), semantic_manifest=manifest, **options).number == 3


def test_a_failed_audit_is_not_published(company: Company, publish: Publish, small: ModuleType) -> None:
    first = publish(1)
    small.stamped(company, 2)
    failure = quality.Failure("12 rows are wrong", "marts.fct_deal", 12, "Look.")
    with pytest.raises(AuditError, match="12 rows are wrong"):
        quality.publish(
            company,
            as_of=small.AS_OF,
            audit=quality.AuditOutcome(passed=False, failures=(failure,)),
            semantic_manifest=small.semantic_manifest(company),
        )
    assert quality.current(company) == first
    assert served_mark(company) == 1


def test_without_a_warehouse_or_metrics_nothing_is_published(company: Company, small: ModuleType) -> None:
    with pytest.raises(AuditError, match=r"salesgauge\.duckdb does not exist"):
        quality.publish(
            company, as_of=small.AS_OF, audit=small.PASSED, semantic_manifest=small.semantic_manifest(company)
        )
    small.stamped(company, 1)
    with pytest.raises(AuditError, match=r"nothing\.json does not exist"):
        quality.publish(company, as_of=small.AS_OF, audit=small.PASSED, semantic_manifest=company.root / "nothing.json")
    assert quality.versions(company) == []


def test_rollback_goes_back_and_counting_goes_on(company: Company, publish: Publish, small: ModuleType) -> None:
    names = [publish(mark).name for mark in (1, 2, 3)]
    back = quality.rollback(company, at=small.AS_OF, by="tester")
    assert back.name == names[1] and back.is_current
    assert served_mark(company) == 2
    assert quality.rollback(company, 1).name == names[0]
    assert quality.rollback(company, names[2]).name == names[2]
    assert quality.rollback(company, "000002").name == names[1]
    assert publish(4).number == 4
    assert served_mark(company) == 4
    history = [json.loads(line) for line in (company.published_dir / "history.jsonl").read_text().splitlines()]
    assert [record["action"] for record in history] == ["publish"] * 3 + ["rollback"] * 4 + ["publish"]
    assert history[3] == {
        "at": "2026-07-01T05:00:00Z",
        "by": "tester",
        "action": "rollback",
        "from": names[2],
        "to": names[1],
    }


def test_rollback_says_what_there_is(company: Company, publish: Publish) -> None:
    with pytest.raises(ConfigurationError, match="no version before"):
        quality.rollback(company)
    name = publish(1).name
    with pytest.raises(ConfigurationError, match="no version before"):
        quality.rollback(company)
    with pytest.raises(ConfigurationError, match=f"no version '7'. Versions: {name}"):
        quality.rollback(company, 7)
    assert served_mark(company) == 1


def test_old_versions_are_deleted(tmp_path: Path, publish: Publish, small: ModuleType) -> None:
    company = small.make_company(tmp_path / "keeps", "keep_versions = 3")
    for mark in range(1, 7):
        publish(mark, at=small.AS_OF + timedelta(hours=2 * mark), company=company)
    assert [version.number for version in quality.versions(company)] == [4, 5, 6]
    assert served_mark(company) == 6


def test_versions_that_readers_may_hold_are_kept(tmp_path: Path, publish: Publish, small: ModuleType) -> None:
    company = small.make_company(tmp_path / "keeps", "keep_versions = 1")
    publish(1, at=small.AS_OF, company=company)
    publish(2, at=small.AS_OF + timedelta(days=3), company=company)
    # Version 1 is three days old, but it was served until this moment.
    assert [version.number for version in quality.versions(company)] == [1, 2]
    publish(3, at=small.AS_OF + timedelta(days=3, minutes=59), company=company)
    assert [version.number for version in quality.versions(company)] == [1, 2, 3]
    publish(4, at=small.AS_OF + timedelta(days=3, minutes=61), company=company)
    assert [version.number for version in quality.versions(company)] == [2, 3, 4]
    quality.rollback(company, 2, at=small.AS_OF + timedelta(days=4))
    publish(2, at=small.AS_OF + timedelta(days=9), company=company)
    # Nothing new against the one that is served: nothing is deleted either, least of all that one.
    served = quality.current(company)
    assert served is not None and served.number == 2


@pytest.mark.parametrize("value", ["0", '"many"'])
def test_keep_versions_must_be_a_number(tmp_path: Path, publish: Publish, small: ModuleType, value: str) -> None:
    company = small.make_company(tmp_path / "wrong", f"keep_versions = {value}")
    with pytest.raises(ConfigurationError, match="keep_versions"):
        publish(1, company=company)


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


STEPS = ("mkdir", "chmod", "rename", "symlink_to", "replace")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_publish_that_dies_leaves_a_valid_pointer(
    company: Company, publish: Publish, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    publish(1)
    original = getattr(Path, step)

    def dies(self: Path, *arguments: object, **options: object) -> object:
        if after:
            original(self, *arguments, **options)
        raise Killed

    with monkeypatch.context() as patch:
        if step == "mkdir":
            patch.setattr(
                Path,
                "mkdir",
                lambda self, *a, **k: dies(self, *a, **k) if ".tmp-" in self.name else original(self, *a, **k),
            )
        else:
            patch.setattr(Path, step, dies)
        # A killed process cleans nothing up either.
        patch.setattr("shutil.rmtree", lambda *a, **k: None)
        with pytest.raises(Killed):
            publish(2)
    assert served_mark(company) in (1, 2)
    healed = publish(2)
    assert served_mark(company) == 2
    assert [version.name for version in quality.versions(company)][-1] == healed.name
    assert len(quality.versions(company)) == 2
    assert not list(company.published_dir.rglob(".tmp-*"))


def test_a_cut_off_history_is_read_as_far_as_it_goes(company: Company, publish: Publish) -> None:
    publish(1)
    with (company.published_dir / "history.jsonl").open("a") as file:
        file.write('{"at": "2026-')
    assert publish(2).number == 2
    lines = (company.published_dir / "history.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["to"].startswith("000002-")
    assert served_mark(company) == 2


def test_a_lost_history_deletes_no_version(company: Company, publish: Publish) -> None:
    for mark in (1, 2, 3):
        publish(mark)
    (company.published_dir / "history.jsonl").unlink()
    publish(4)
    assert [version.number for version in quality.versions(company)] == [1, 2, 3, 4]


def test_an_open_version_stays_readable_while_another_is_published(company: Company, publish: Publish) -> None:
    publish(1)
    con = open_published(company.pointer)
    publish(2)
    assert con.execute("select distinct mark from marts.fct_lead").fetchall() == [(1,)]
    con.close()
    assert served_mark(company) == 2


def test_a_version_cannot_be_written_to(company: Company, publish: Publish) -> None:
    publish(1)
    con = open_published(company.pointer)
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        con.execute("delete from marts.fct_deal")
    con.close()
    if os.geteuid() != 0:  # root may write to anything
        with pytest.raises(duckdb.IOException):
            connect(company.pointer)
