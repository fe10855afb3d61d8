"""The process file: what is refused, with file, line and key; what reaches the warehouse."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.warehouse import connect

GOOD = """\
company:
  name: Northside
  currency: USD
  timezone: America/Chicago
  holidays: [2026-01-01]
  branches:
    chicago: {open: {mon-fri: "08:00-17:00", sat: "09:00-12:30"}}
    denver: {timezone: America/Denver, open: {mon: "08:00-17:00"}, holidays: [2026-03-02]}
process:
  versions:
    - {key: baseline, effective_from: 2025-01-01}
    - {key: optimized, effective_from: 2026-01-05, cost: {amount: 18500}}
  stages:
    - key: inquiry
      object: lead
      limits: {first_touch_minutes: 15}
      required: {phone: 3, email: 2}
      exit: {reachable: "lead.phone is not null or lower(lead.email) like '%@%'"}
    - {key: proposal, required: {amount: 1}}
    - {key: won, kind: won}
    - {key: lost, kind: lost, reasons: [price]}
stage_mapping:
  hubspot: {default: {contractsent: proposal, closedwon: won}}
exclusions: {test: "lead.is_test or lead.email like '%@example.com'"}
targets:
  - {kpi: win_rate, before: 0.35, target: 0.55}
  - {kpi: sales_cycle_days_median, target: 7}
"""


def load(tmp_path: Path, text: str) -> Process:
    path = tmp_path / "process.yml"
    path.write_text(text, encoding="utf-8")
    return Process.load(path)


def test_tables_hold_what_the_file_says(tmp_path: Path) -> None:
    con = connect(":memory:")
    load(tmp_path, GOOD).write_tables(con, datetime(2026, 1, 10, 3))

    assert con.sql("select as_of_date, currency from process.run").fetchall() == [(date(2026, 1, 9), "USD")]
    assert con.sql("select branch, timezone from process.branches order by 1").fetchall() == [
        ("chicago", "America/Chicago"),
        ("denver", "America/Denver"),
    ]
    assert con.sql(
        "select count(*), min(opens_minute) from process.branch_hours where branch = 'chicago'"
    ).fetchone() == (6, 480)
    assert con.sql("select branch, holiday_date from process.holidays order by holiday_date").fetchall() == [
        (None, date(2026, 1, 1)),
        ("denver", date(2026, 3, 2)),
    ]
    assert con.sql("select process_version, effective_to from process.versions order by effective_from").fetchall() == [
        ("baseline", date(2026, 1, 5)),
        ("optimized", None),
    ]
    assert con.sql("select stage from process.stages order by stage_order").fetchall() == [
        ("inquiry",), ("proposal",), ("won",), ("lost",),
    ]  # fmt: skip
    assert con.sql("select kpi, direction from process.targets order by 1").fetchall() == [
        ("sales_cycle_days_median", "down"),
        ("win_rate", "up"),
    ]


def test_exclusions_become_checked_sql(tmp_path: Path) -> None:
    con = connect(":memory:")
    (rule,) = load(tmp_path, GOOD).exclusion_rules()
    con.execute(
        "create table leads as select * from (values (true, 'a@x'), (false, 'b@example.com'), (false, 'c@x')) t(is_test, email)"
    )

    assert rule["reason"] == "test"
    assert con.sql(f"select email from leads where {rule['sql']} order by 1").fetchall() == [
        ("a@x",),
        ("b@example.com",),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("timezone: America/Chicago", "timezone: Mars/Base", r"process\.yml:4: company\.timezone: is no time zone.*'Mars/Base'"),
        ("currency: USD", "currency: Dollar", r"process\.yml:3: company\.currency: is no currency.*'Dollar'"),
        ("mon-fri", "monday", r"process\.yml:7: company\.branches\.chicago\.open: 'monday' is no weekday"),
        ('"08:00-17:00", sat', '"17:00-08:00", sat', r":7: .*'17:00-08:00' does not end after it begins"),
        ("kind: lost", "kind: gone", r"process\.yml:21: process\.stages\[3\]\.kind: .*'gone'"),
        ("phone: 3", "phones: 3", r"process\.yml:14: .*required field 'phones' is no column of a lead"),
        ("email: 2", "email: 0", r"weight of required field 'email' must be above 0"),
        ("lower(lead.email)", "evil(lead.email)", r"process\.yml:18: .*criterion 'reachable'.*not allowed in a condition"),
        ("lead.is_test or", "(select 1) or", r"process\.yml:24: exclusions: rule 'test'.*not allowed"),
        ("lead.is_test", "lead.is_tset", r"rule 'test': 'lead' has no column 'is_tset'"),
        ("closedwon: won", "closedwon: wonn", r"names the stage 'wonn', which process\.stages does not have"),
        ("{key: won, kind: won}", "{key: inquiry, kind: won}", r"the stage 'inquiry' stands there twice"),
        ("effective_from: 2026-01-05", "effective_from: 2024-01-05", r"versions must stand in the order of effective_from"),
        ("limits: {first_touch", "limit: {first_touch", r"process\.yml:16: process\.stages\[0\]\.limit: unknown key"),
        ("target: 7", "targt: 7", r"process\.yml:27: targets\[1\]\.target: is missing"),
        ("company:\n", "company: [\n", r"process\.yml:\d+: not valid YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError, match=expected):
        load(tmp_path, GOOD.replace(old, new, 1))


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace("USD", "Dollar").replace("kind: lost", "kind: gone"))
    assert len(str(caught.value).splitlines()) == 2


def test_an_empty_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="salesgauge init"):
        load(tmp_path, "")


def test_the_template_is_valid() -> None:
    template = Path(__file__).parents[2] / "orchestration" / "template" / "process.yml"
    assert [stage.key for stage in Process.load(template).process.stages][:2] == ["inquiry", "qualification"]


def test_an_identity_may_name_the_entity_of_its_record(tmp_path: Path) -> None:
    same, different = '{entity: call, record: "crm:7", lead: "hubspot:1"}', '{record: "crm:8", lead: "hubspot:2"}'
    text = f"{GOOD}\nidentity:\n  same: [{same}]\n  different: [{different}]\n"
    with connect(":memory:") as con:
        load(tmp_path, text).write_tables(con, datetime(2026, 6, 1))
        assert con.execute("select * from process.identity order by record_id").fetchall() == [
            ("call", "crm:7", "hubspot:1", True),
            (None, "crm:8", "hubspot:2", False),
        ]
    with pytest.raises(ConfigurationError, match=r"identity\.same\[0\]\.entity: .*'form_submission'"):
        load(tmp_path, text.replace("entity: call", "entity: calls"))
