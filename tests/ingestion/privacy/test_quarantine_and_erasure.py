"""Records that wait are found, shown and loaded after a fix; persons who are erased are gone, and stay so."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion import quarantine, rawlog
from ingestion.catalogue import create_views, raw_tables
from ingestion.landing.load import Landing
from ingestion.privacy.erasure import erase, mentions
from ingestion.privacy.suppression import Suppressions, normal_phone
from ingestion.rawlog.accounting import TableCount
from ingestion.sources.typeform.tables import RESPONSES
from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company
from salesgauge.warehouse import connect

START = datetime(2026, 7, 1, 5)
JANE = {"email": "Jane.Doe@Example.org", "phone": "+1 (312) 555-0199"}


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.typeform]\n")
    return Company.open(tmp_path, {})


class Loads:
    def __init__(self, company: Company) -> None:
        self.company, self.number = company, 0

    def land(self, *records: Any) -> TableCount:
        self.number += 1
        file = self.company.root / f"{self.number}.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" if not isinstance(one, str) else f"{one}\n" for one in records))
        with Landing(self.company, "typeform", received_at=START + timedelta(hours=self.number)) as landing:
            landing.records(RESPONSES, [file])
            landing.commit()
            return landing.counts["responses"]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, self.company)
            return con.execute(sql).fetchall()


def response(number: int, **more: Any) -> dict[str, Any]:
    return {
        "form_id": "F1",
        "response_id": f"r{number}",
        "response_type": "completed",
        "submitted_at": f"2026-06-{number:02d}T10:00:00Z",
        **more,
    }


def test_what_waits_is_listed_and_loaded_once_it_fits(company: Company) -> None:
    loads = Loads(company)
    bad = response(1, submitted_at="next week")
    assert loads.land(bad, response(2), "{broken", {"form_id": "F1"}).quarantined == 3
    found = quarantine.waiting(company)
    assert sorted(one.reason.split(":")[0] for one in found) == [
        "response_id",
        "submitted_at",
        "the record is no valid JSON",
    ]
    shown = next(one for one in found if one.key and one.key.endswith("r1"))
    assert json.loads(shown.record or "") == bad
    assert quarantine.find(company, shown.id[:6]) == shown
    with pytest.raises(ConfigurationError, match="no waiting record has an id"):
        quarantine.find(company, "zzz")

    outcome = quarantine.replay(company, found, received_at=START + timedelta(days=1))
    assert (outcome.loaded, outcome.waiting, outcome.by_file, outcome.by_day) == (0, 3, 0, 0)
    assert len(rawlog.committed(company, "typeform")) == 1  # nothing fitted: no load

    loads.land(response(1, submitted_at="2026-06-30T10:00:00Z"))  # the source corrected it
    assert shown.id not in {one.id for one in quarantine.waiting(company)}


def test_a_partial_response_is_replayed_though_it_has_the_year_1(company: Company) -> None:
    from dataclasses import replace

    partial = response(1, response_type="partial", submitted_at="0001-01-01T00:00:00Z")
    strict = replace(RESPONSES, columns=tuple(replace(one, never=None) for one in RESPONSES.columns))
    file = company.root / "x.jsonl"
    file.write_text(json.dumps(partial) + "\n")
    with Landing(company, "typeform", received_at=START) as landing:
        landing.records(strict, [file])
        landing.commit()
    waiting = quarantine.waiting(company)
    assert len(waiting) == 1
    assert quarantine.replay(company, waiting, received_at=START + timedelta(days=1)).loaded == 1
    assert Loads(company).rows("select response_id, submitted_at from raw_typeform.responses") == [("r1", None)]


def test_a_record_that_fits_after_a_fix_of_the_table_is_replayed(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    import ingestion.sources.typeform as connector

    strict = replace(RESPONSES, columns=tuple(
        replace(one, convert="null", expected="never") if one.name == "submitted_at" else one for one in RESPONSES.columns
    ))  # fmt: skip
    file = company.root / "x.jsonl"
    file.write_text("".join(json.dumps(response(number)) + "\n" for number in (1, 2, 3)))
    with Landing(company, "typeform", received_at=START) as landing:
        landing.records(strict, [file])
        landing.commit()
        assert landing.counts["responses"] == TableCount(3, 0, 3, 0)
    waiting = quarantine.waiting(company, source="typeform", table="responses")
    assert quarantine.replay(company, waiting[:2], received_at=START + timedelta(days=1)).loaded == 2
    assert len(quarantine.waiting(company)) == 1
    assert quarantine.replay(company, quarantine.waiting(company), received_at=START + timedelta(days=1)).loaded == 1
    assert quarantine.waiting(company) == []
    loads = Loads(company).rows(
        "select received, loaded, quarantined, duplicates from raw_log.loads where received > 0"
    )
    assert all(received == loaded + bad + twice for received, loaded, bad, twice in loads)
    assert connector.TABLES[1].name == "responses"


def test_an_erased_person_is_gone_and_stays_so(company: Company) -> None:
    loads = Loads(company)
    mine = [
        response(1, answers=[{"type": "email", "email": JANE["email"]}]),
        response(2, hidden={"note": f"call {JANE['phone']}"}),
        response(3, submitted_at="bad", hidden={"email": JANE["email"].upper()}),
    ]
    others = [response(number, answers=[{"email": f"other{number}@example.org"}]) for number in (4, 5)]
    loads.land(*mine, *others)
    loads.land(response(1, answers=[]))  # a later version that no longer names her is still about her
    company.data_dir.mkdir()
    (company.data_dir / "export.csv").write_text(f"email\n{JANE['email']}\n")

    planned = erase(company, raw_tables(), emails=[JANE["email"]], phones=[JANE["phone"]], is_trial=True)
    assert planned.total == 4 and len(quarantine.waiting(company)) == 1
    done = erase(company, raw_tables(), emails=[JANE["email"]], phones=[JANE["phone"]])
    assert done.rows == planned.rows == {"typeform._quarantine": 1, "typeform.responses": 3}
    assert [path.name for path in done.own_files] == ["export.csv"]
    assert sorted(loads.rows("select response_id, _row from raw_typeform.responses")) == [("r4", 3), ("r5", 4)]
    assert quarantine.waiting(company) == []
    assert erase(company, raw_tables(), emails=[JANE["email"]]).total == 0

    # The source still has her: under her address, her number, and under the id of a record that no longer names her.
    count = loads.land(mine[0], mine[1], response(1, answers=["x"]), mine[2], response(6))
    assert count == TableCount(5, 1, 0, 4)
    assert {row[0] for row in loads.rows("select response_id from raw_typeform.responses")} == {"r4", "r5", "r6"}
    assert len(rawlog.committed(company, "typeform")) == 3
    assert loads.land(mine[0], mine[2]) == TableCount(2, 0, 0, 2)
    assert len(rawlog.committed(company, "typeform")) == 3

    hidden = [path for path in company.var.rglob("*") if path.is_file()]
    texts = [JANE["email"], "jane.doe", "3125550199"]
    assert [path for path in hidden if mentions(path, texts)] == []
    assert (company.credentials_dir / "suppressed.json").stat().st_mode & 0o077 == 0


def test_half_a_key_is_nobodys(company: Company) -> None:
    """A broken record of hers has no id; neither has somebody else's, and that one must not go with it."""
    loads = Loads(company)
    broken = {"form_id": "F1", "response_type": "completed", "hidden": {"email": JANE["email"]}}
    assert loads.land(broken, response(1)) == TableCount(2, 1, 1, 0)
    assert erase(company, raw_tables(), emails=[JANE["email"]]).rows == {"typeform._quarantine": 1}
    other = {"form_id": "F1", "response_type": "completed", "hidden": {"email": "other@example.org"}}
    assert loads.land(other, broken) == TableCount(2, 0, 1, 1)
    assert [one.key for one in quarantine.waiting(company)] == ["F1|"]


def test_identifiers_are_compared_as_people_write_them(company: Company) -> None:
    assert normal_phone("+1 (312) 555-0199") == normal_phone("312.555.0199") == "3125550199"
    assert normal_phone("12345") == ""
    with pytest.raises(ConfigurationError, match="nothing to look for"):
        erase(company, raw_tables(), emails=["no address"], phones=["123"])
    one = Suppressions(company)
    one.add(emails=["a@b.co"])
    assert len(Suppressions(company)) == 1
    assert "a@b.co" not in (company.credentials_dir / "suppressed.json").read_text()
