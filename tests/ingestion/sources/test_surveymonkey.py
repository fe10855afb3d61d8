"""The SurveyMonkey connector against the loopback account: responses once, changes, deletions, limits; and which question is which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.log import CompanyLog
from demo.servers.surveymonkey.server import TOKEN, SurveyMonkeyOptions, SurveyMonkeyServer
from demo.servers.traffic import Limit, Loopback
from demo.simulation.simulate import simulate
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources.surveymonkey import check
from orchestration import transform
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

PROCESS = Path("demo/company/process.yml").resolve()


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.3)


class Account:
    """A company directory whose SurveyMonkey is up."""

    def __init__(self, root: Path, log: CompanyLog, options: SurveyMonkeyOptions) -> None:
        self.root, self.log, self.server = root, log, SurveyMonkeyServer(log, options)
        self.later = timedelta()
        self._loop = Loopback(self.server.app)

    def __enter__(self) -> Account:
        (self.root / ".dlt").mkdir(parents=True)
        (self.root / "sources").mkdir()
        (self.root / "process.yml").write_bytes(PROCESS.read_bytes())
        self.url = self._loop.start()
        self.write(f'base_url = "{self.url}/v3"\nrequests_per_minute = 6000', f'access_token = "{TOKEN}"')
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.stop()

    @property
    def company(self) -> Company:
        return Company.open(self.root, {})

    def write(self, config: str, secret: str) -> None:
        (self.root / ".dlt" / "config.toml").write_text(f"[sources.surveymonkey]\n{config}\n")
        (self.root / ".dlt" / "secrets.toml").write_text(f"[sources.surveymonkey]\n{secret}\n")

    def run(self) -> SourceResult:
        self.server.traffic.reset()
        return extract(self.company, None, received_at=self.log.as_of + self.later)[0]  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, self.company, ["surveymonkey"])
            return con.execute(sql).fetchall()

    def answers(self) -> dict[str, tuple[Any, ...]]:
        """Response → what staging makes of it."""
        process = Process.load(self.company.process_file)
        transform.prepare(self.company, process, as_of=self.log.as_of)
        outcome = transform.build(self.company, process, select=("+stg_surveymonkey__responses",))
        assert {model.status for model in outcome.models} == {"success"}, outcome.models
        with connect(self.company.warehouse_file) as con:
            rows = con.execute(
                "select response_id, submitted_at, nps_score, csat_score, comment, email, lead_id, deal_id from staging.stg_surveymonkey__responses"
            ).fetchall()
        return {row[0]: row[1:] for row in rows}


@pytest.fixture
def account(tmp_path: Path, log: CompanyLog) -> Iterator[Callable[..., Account]]:
    running: list[Account] = []

    def make(**options: Any) -> Account:
        options.setdefault("rate", Limit(10_000, 1.0, "MINUTE", None))
        running.append(Account(tmp_path / str(len(running)), log, SurveyMonkeyOptions(**options)))
        return running[-1].__enter__()

    yield make
    for one in running:
        one.__exit__()


def test_everything_once_then_only_what_changed(account: Any) -> None:
    one = account()
    first = one.run()
    assert (first.state, first.error, first.total.quarantined) == ("loaded", None, 0)
    responses = one.server.state.responses
    assert max(len(rows) for rows in responses.values()) > 100, "more than a page"
    expected = {key for rows in responses.values() for key in rows}
    assert {row[0] for row in one.query("select id from raw_surveymonkey.responses")} == expected
    personal = "select count(*) from raw_surveymonkey.responses where cast(record as varchar) like '%ip_address%'"
    assert one.query(personal) == [(0,)]

    one.later = timedelta(minutes=5)
    again = one.run()
    assert (again.state, again.total.loaded, again.requests) == ("unchanged", 0, 1 + 2)

    newest = max(responses["8001"].values(), key=lambda row: row["date_modified"])
    newest["date_modified"] = newest["date_modified"].replace("+00:00", "Z")  # the same moment, written otherwise
    newest["total_time"] = 99
    gone = min(responses["8002"])
    del responses["8002"][gone]
    third = one.run()
    assert {name: count.loaded for name, count in third.tables.items() if count.loaded} == {"responses": 1}
    one.later = timedelta(days=7)
    assert one.run().tables["absences"].loaded == 1
    assert one.query("select id from raw_surveymonkey.absences where is_absent") == [(gone,)]
    assert f"surveymonkey:{gone}" not in one.answers()


def test_what_a_day_does_not_suffice_for_is_gone_on_with_the_next_day(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.sources.surveymonkey.run._PART", 2)
    one = account()
    responses = one.server.state.responses
    pages = {survey: -(-len(rows) // 100) for survey, rows in responses.items()}
    one.server.options = replace(one.server.options, per_day=1 + 1 + pages["8001"] + 1)
    used_up = one.run()
    assert used_up.error is not None and "tomorrow's run" in used_up.error
    assert one.query("select count(*) from raw_surveymonkey.responses") == [(0,)], "nobody sees half an account"

    one.server._asked, one.later = 0, timedelta(days=1)
    second = one.run()
    assert (second.error, second.requests) == (None, 1 + 1 + pages["8002"])
    ids = "select id from raw_surveymonkey.responses"
    assert sorted(one.query(ids)) == sorted((key,) for rows in responses.values() for key in rows)

    one.server.options, one.later = replace(one.server.options, per_day=1_000_000), timedelta(days=8)
    gone = [min(rows) for rows in responses.values()]
    for rows, key in zip(responses.values(), gone, strict=True):
        del rows[key]
    assert one.run().error is None
    absent = "select id from raw_surveymonkey.absences where is_absent order by id"
    assert one.query(absent) == sorted((key,) for key in gone), "each part tells of its own surveys only"
    assert one.run().total.loaded == 0


def test_a_survey_that_may_not_be_read_holds_up_no_other(account: Any) -> None:
    one = account()
    one.run()
    one.server.options, one.later = replace(one.server.options, unshared=frozenset({"8001"})), timedelta(days=7)
    gone = min(one.server.state.responses["8002"])
    del one.server.state.responses["8002"][gone]
    result = one.run()
    assert result.error is None and "left out, and what was loaded of them stays: 8001" in " ".join(result.notes)
    assert one.query("select id from raw_surveymonkey.absences where is_absent") == [(gone,)]
    one.server.options, one.later = replace(one.server.options, unshared=frozenset({"8001", "8002"})), timedelta(days=8)
    assert "Grant the app surveys_read" in (one.run().error or "")

    one.server.options, one.later = replace(one.server.options, unshared=frozenset()), timedelta(days=14)
    known = len(one.server.state.responses.pop("8001"))
    del one.server.state.surveys["8001"]
    assert known < len(one.server.state.responses["8002"]), "else it would look like a fault"
    assert one.run().tables["absences"].loaded == known


def test_an_answer_that_is_changed_while_pages_are_read_hides_no_other(account: Any) -> None:
    one = account()
    rows = one.server.state.responses["8001"]
    original, changed = one.server._page, list[str]()

    def page(request: Any, name: str, found: list[Any], most: int) -> Any:
        answer = original(request, name, found, most)
        if name == "responses" and "8001" in str(request.url) and not changed:
            first = min(rows.values(), key=lambda row: (row["date_modified"], row["id"]))
            first["date_modified"] = "2026-07-01T04:59:00+00:00"  # it moves behind the last one
            changed.append(first["id"])
        return answer

    one.server._page = page
    assert one.run().error is None and changed
    assert {row[0] for row in one.query("select id from raw_surveymonkey.responses where survey_id = '8001'")} == set(
        rows
    )


def test_scores_are_found_by_kind_and_wording(account: Any, log: CompanyLog) -> None:
    one = account()
    one.run()
    answers = one.answers()
    events = log.events[log.events["kind"] == "survey_response"]
    expected = {}
    for event in events.itertuples():
        linked = event.data["is_hidden_linked"]
        expected[f"surveymonkey:{event.data['response_id']}"] = (
            event.data["nps_score"],
            event.data["csat_score"],
            (event.data["comment"] or "").strip() or None,
            event.data["email"],
            f"hubspot:{event.lead_id}" if linked and event.lead_id else None,
            f"hubspot:{event.deal_id}" if linked and event.deal_id else None,
        )
    found = {key: row[1:] for key, row in answers.items() if row[0] is not None}
    assert found == expected
    assert sum(row[0] is not None for row in found.values()) > 100
    assert any(row[0] is None for row in answers.values()), "partial responses have no time"


def test_what_people_say_of_questions_holds(account: Any) -> None:
    one = account()
    (one.root / "sources" / "surveymonkey.yml").write_text("questions:\n  csat: ['711', '721']\n")
    one.run()
    by_wording = one.answers()
    assert all(row[1] is None for row in by_wording.values()), "the NPS question was named as the satisfaction score"
    assert all(row[2] is None for row in by_wording.values()), "eleven steps are no scale of 1 to 5"
    with connect(one.company.warehouse_file) as con:
        left_out = con.execute("select distinct other_scale from staging.stg_surveymonkey__responses").fetchall()
    assert ("csat: 10 on a scale of 0 to 10",) in left_out


def test_the_limits_of_the_minute_and_of_the_day(account: Any, tmp_path: Path, log: CompanyLog) -> None:
    slow = account(rate=Limit(4, 0.5, "MINUTE", None))
    assert slow.run().error is None and slow.server.traffic.refused["all"] > 0
    used_up = account(per_day=3).run()
    assert used_up.error is not None and "tomorrow's run" in used_up.error


def test_check_says_what_is_wrong(account: Any) -> None:
    one = account(scopes=("surveys_read", "responses_read"))
    wrong = [finding for finding in check(one.company.source("surveymonkey")) if not finding.is_ok]
    assert [finding.what for finding in wrong] == ["scope responses_read_detail"]
    assert "was not granted responses_read_detail" in wrong[0].advice
    for config, secret, words in (
        (f'base_url = "{one.url}/v3"', 'access_token = "wrong-token-1"', "does not accept the token"),
        (f'base_url = "{one.url}/v3"', 'other = "x"', "the secret 'access_token' of source 'surveymonkey' is missing"),
        ('base_url = "http://127.0.0.1:9"', f'access_token = "{TOKEN}"', "no complete answer"),
    ):
        one.write(config, secret)
        found = [finding for finding in check(one.company.source("surveymonkey")) if not finding.is_ok]
        assert words in found[0].advice and "wrong-token-1" not in found[0].advice
