"""The process file: what is refused, with file, line and key; what reaches the warehouse."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest

from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.process.checks import SEGMENT_TYPES, unread
from salesgauge.process.hours import opening_hours
from salesgauge.settings import PROJECT_ROOT
from salesgauge.warehouse import connect
from salesgauge.yaml_file import load_yaml

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
RATES = "[{currency: EUR, date: 2025-01-01, rate: 1.1}, {currency: EUR, date: 2025-01-01, rate: 1.2}]"
PAIR = '[{record: "crm:7", lead: "hubspot:1"}]'


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


def test_exclusions_of_deals_are_the_parts_that_name_a_deal(tmp_path: Path) -> None:
    rules = (
        "exclusions: {test: \"lead.is_test or (deal.is_test or lower(lead.email) like '%@example.com')\", "
        'tiny: "deal.amount < 50 and lead.channel is null"}'
    )
    process = load(
        tmp_path, GOOD.replace("exclusions: {test: \"lead.is_test or lead.email like '%@example.com'\"}", rules)
    )
    assert process.exclusion_rules() == [
        {"reason": "test", "sql": '"is_test" or LOWER("email") LIKE \'%@example.com\''}
    ]
    assert process.deal_exclusion_rules() == [
        {"reason": "test", "sql": '"deal"."is_test"'},
        {"reason": "tiny", "sql": '"deal"."amount" < 50 AND "lead"."channel" IS NULL'},
    ]


def test_criteria_of_qualification_name_their_columns(tmp_path: Path) -> None:
    criteria = (
        'qualification: {after: proposal, met: {priced: "deal.amount > 0 and deal.need is not null", '
        'reachable: "lead.phone is not null"}}\nexclusions:'
    )
    process = load(tmp_path, GOOD.replace("exclusions:", criteria))
    assert process.qualification_rules() == {
        "criteria": [
            {"criterion": "priced", "sql": '"deal"."amount" > 0 AND NOT "deal"."need" IS NULL'},
            {"criterion": "reachable", "sql": 'NOT "lead"."phone" IS NULL'},
        ],
        "columns": {
            "lead": [{"name": "phone", "is_text": True}],
            "deal": [{"name": "amount", "is_text": False}, {"name": "need", "is_text": True}],
        },
    }
    con = connect(":memory:")
    process.write_tables(con, datetime(2026, 1, 10, 3))
    found = con.sql("select criterion, after_stage from process.qualification_criteria order by place").fetchall()
    assert found == [("priced", "proposal"), ("reachable", "proposal")]


def test_without_criteria_there_are_no_rules(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).qualification_rules() == {}


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
        ("currency: USD", "currency: USD\n  week_starts_on: sunday", r"process\.yml:4: company\.week_starts_on: .*'sunday'"),
        ("currency: USD", "currency: USD\n  fiscal_year_starts_in: 13", r"process\.yml:4: company\.fiscal_year_starts_in: .*'13'"),
        ("currency: USD", "currency: Dollar", r"process\.yml:3: company\.currency: is no currency.*'Dollar'"),
        ("mon-fri", "monday", r"process\.yml:7: company\.branches\.chicago\.open: 'monday' is no weekday"),
        ('"08:00-17:00", sat', '"08:00-08:00", sat', r":7: .*'08:00-08:00' is no time in which anybody is open"),
        ('"08:00-17:00", sat', '"08:75-17:00", sat', r":7: .*'08:75' in '08:75-17:00' is no time of a day"),
        ('"08:00-17:00", sat', '"08:00-25:00", sat', r":7: .*'25:00' in '08:00-25:00' is no time of a day"),
        ('"08:00-17:00", sat', '"8-17", sat', r":7: .*'8-17' are no opening hours; expected for example"),
        ('"08:00-17:00", sat', '"08:00-12:00, 11:00-17:00", sat', r":7: .*'mon-fri: 08:00-12:00' and 'mon-fri: 11:00-17:00' overlap on mon"),
        ('"08:00-17:00", sat', '"18:00-09:30", sat', r":7: .*'mon-fri: 18:00-09:30' and 'sat: 09:00-12:30' overlap on sat"),
        ('sat: "09:00-12:30"', 'sun: "20:00-08:30"', r":7: .*'sun: 20:00-08:30' and 'mon-fri: 08:00-17:00' overlap on mon"),
        ("2026-01-01", "2025-02-29", r"process\.yml:5: company\.holidays\[0\]: is no day; expected one that exists.*'2025-02-29'"),
        ("2026-03-02", "2026-13-02", r"process\.yml:8: company\.branches\.denver\.holidays\[0\]: is no day.*'2026-13-02'"),
        ("2026-01-01", '"2026-1-1"', r"process\.yml:5: .*is no day; expected one that exists, as YYYY-MM-DD \(found '2026-1-1'\)"),
        ("2026-01-01", "2026-01-01 10:00:00", r"process\.yml:5: .*is no day"),
        ("effective_from: 2025-01-01", "effective_from: 2025-02-30", r"process\.yml:11: process\.versions\[0\]\.effective_from: is no day"),
        ("kind: lost", "kind: gone", r"process\.yml:21: process\.stages\[3\]\.kind: .*'gone'"),
        ("phone: 3", "phones: 3", r"process\.yml:14: .*required field 'phones' is no column of a lead"),
        ("email: 2", "email: 0", r"weight of required field 'email' must be above 0"),
        ("lower(lead.email)", "evil(lead.email)", r"process\.yml:18: .*criterion 'reachable'.*not allowed in a condition"),
        ("lead.is_test or", "(select 1) or", r"process\.yml:24: exclusions: rule 'test'.*not allowed"),
        ("lead.is_test", "lead.is_tset", r"rule 'test': 'lead' has no column 'is_tset'"),
        ("closedwon: won", "closedwon: wonn", r"names the stage 'wonn', which process\.stages does not have"),
        ("closedwon: won", "closedwon: won, Closed Won: won, closed_won: lost", r"process\.yml:23: .*closed_won is written like 'Closed Won' but for case and blanks"),
        ("{key: won, kind: won}", "{key: inquiry, kind: won}", r"the stage 'inquiry' stands there twice"),
        ("effective_from: 2026-01-05", "effective_from: 2024-01-05", r"versions must stand in the order of effective_from"),
        ("first_touch_minutes: 15}", "cadence_days: [0, 3, 1]}", r"process\.yml:16: process\.stages\[0\]\.limits\.cadence_days: .*must not go back: \[0, 3, 1\]"),
        ("first_touch_minutes: 15}", "cadence_days: [-1]}", r"process\.yml:16: process\.stages\[0\]\.limits\.cadence_days"),
        ("limits: {first_touch", "limit: {first_touch", r"process\.yml:16: process\.stages\[0\]\.limit: unknown key"),
        ("kpi: win_rate", "kpi: win_rat", r"process\.yml:26: targets\[0\]\.kpi: no target is possible for 'win_rat'; did you mean 'win_rate'"),
        ("kpi: win_rate", "kpi: won_deals", r"targets\[0\]\.kpi: no target is possible for 'won_deals'; did you mean .*'deals_won'"),
        ("target: 0.55", "target: 55", r"process\.yml:26: targets\[0\]\.target: 'win_rate' is a share: expected a number from 0 to 1 \(found 55\); 55 % is 0\.55"),
        ("before: 0.35", "before: -0.1", r"targets\[0\]\.before: 'win_rate' is a share"),
        ("target: 7", "target: -7", r"process\.yml:27: targets\[1\]\.target: 'sales_cycle_days_median' is never negative"),
        ("target: 7", "target: .inf", r"process\.yml:27: targets\[1\]\.target: .*finite"),
        ("target: 7", "target: 7, from: inquiry", r"targets\[1\]\.from: 'sales_cycle_days_median' has no stages"),
        ("kpi: win_rate,", "kpi: stage_conversion_rate, from: inquiri,", r"names the stage 'inquiri', which process\.stages does not have; did you mean 'inquiry'"),
        ("kpi: win_rate,", "kpi: stage_pair_conversion_rate, from: proposal, to: inquiry,", r"targets\[0\]\.to: 'inquiry' does not come after 'proposal'"),
        ("kpi: win_rate,", "kpi: stage_pair_conversion_rate, from: inquiry, to: lost,", r"targets\[0\]\.to: 'lost' is a stage of kind lost"),
        ("target: 0.55", "target: 0.55, segment_type: brnch, segment: denver", r"targets\[0\]\.segment_type: 'win_rate' has no segments of type 'brnch'; did you mean 'branch'"),
        ("target: 0.55", "target: 0.55, segment_type: branch, segment: denvr", r"process\.yml:26: targets\[0\]\.segment: there is no branch 'denvr'; did you mean 'denver'"),
        ("target: 0.55", "target: 0.55, segment_type: process_version, segment: old", r"there is no process_version 'old'; there are: baseline, optimized"),
        ("target: 0.55", "target: 0.55, segment: denver", r"targets\[0\]\.segment: needs 'segment_type' beside it"),
        ("kpi: win_rate", "kpi: forecast_wape, segment_type: channel, segment: web", r"'forecast_wape' has no segments of type 'channel'; there are: branch, rep, service_line"),
        ("  - {kpi: sales_cycle_days_median, target: 7}", "  - {kpi: win_rate, target: 0.6}", r"process\.yml:26: targets\[0\]: another target is about the same"),
        ("exclusions:", "qualification: {after: won, met: {x: \"deal.need is not null\"}}\nexclusions:", r"process\.yml:24: qualification\.after: 'won' is no open stage"),
        ("exclusions:", "qualification: {after: propsal, met: {x: \"deal.need is not null\"}}\nexclusions:", r"qualification\.after: 'propsal' is no open stage; did you mean 'proposal'"),
        ("exclusions:", "qualification: {met: {x: \"appointment.starts_at is not null\"}}\nexclusions:", r"process\.yml:24: qualification\.met\.x: .*appointment"),
        ("exclusions: {test:", "exclusions: {received:", r"process\.yml:24: exclusions: rule 'received': the name has a meaning of its own"),
        ("exclusions: {test:", "exclusions: {after_as_of:", r"process\.yml:24: exclusions: rule 'after_as_of': the name has a meaning of its own"),
        ("exclusions: {test:", "exclusions: {lead_test:", r"exclusions: rule 'lead_test': the name has a meaning of its own"),
        ("lead.is_test or", "lead.is_test = 'maybe' or", r"process\.yml:24: exclusions: rule 'test': .*compares boolean with text"),
        ("lead.is_test or", "lead.created_at < '2025-02-29' or", r"process\.yml:24: exclusions: rule 'test': '2025-02-29' is no date"),
        ("targets:\n", "qualification: {met: {need: deal.neeed is null}}\ntargets:\n", r"process\.yml:25: qualification\.met\.need: 'deal' has no column 'neeed'"),
        ("targets:\n", f"exchange_rates: {RATES}\ntargets:\n", r"process\.yml:25: exchange_rates\[0\]: EUR has two rates on 2025-01-01"),
        ("targets:\n", f"exchange_rates: {RATES}\ntargets:\n".replace("EUR", "USD"), r"USD is the company's own currency"),
        ("targets:\n", f"identity: {{same: {PAIR}, different: {PAIR}}}\ntargets:\n", r"process\.yml:25: identity\.different\[0\]: .* are in identity\.same too"),
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

    wrong = {"USD": "Dollar", "2026-01-01": "2025-02-29", "key: won, kind": "key: sold, kind", "win_rate": "win_rat"}
    text = GOOD
    for old, new in wrong.items():
        text = text.replace(old, new, 1)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text.replace("lead.is_test or", "lead.is_test = 1 or"))
    lines = [int(line.split(":")[1]) for line in str(caught.value).splitlines()]
    assert lines == [3, 5, 23, 24, 26]


def test_opening_hours_may_have_breaks_and_cross_midnight() -> None:
    hours = opening_hours(
        {"mon-tue": "08:00-12:00, 13:00-17:00", "fri-sat": ["10:00-12:00", "18:00-02:00"], "sun": "22:00-08:00"}
    )
    assert [(one.iso_weekday, one.opens_minute, one.closes_minute) for one in hours] == [
        (1, 480, 720), (1, 780, 1020), (2, 480, 720), (2, 780, 1020),
        (5, 600, 720), (5, 1080, 1560), (6, 600, 720), (6, 1080, 1560), (7, 1320, 1920),
    ]  # fmt: skip
    always = opening_hours({"mon-sun": "00:00-24:00"})
    assert {(one.opens_minute, one.closes_minute) for one in always} == {(0, 1440)} and len(always) == 7
    assert len(opening_hours({"mon-sun": "18:00-08:00"})) == 7


def test_the_segments_of_targets_are_those_of_the_marts() -> None:
    macro = (PROJECT_ROOT / "dbt_project/macros/kpi_rollup.sql").read_text(encoding="utf-8")
    segments = re.search(r"macro kpi_segments\(\) %}\s*{{ return\(\[(.*?)\]", macro)
    assert segments and tuple(re.findall(r"'(\w+)'", segments[1])) == SEGMENT_TYPES


def test_what_describes_the_process_but_is_read_by_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "process.yml"
    path.write_text(GOOD.replace("denver: {", "denver: {on_call: nobody, "), encoding="utf-8")
    assert unread(load_yaml(path)) == ["on_call", "cost", "exit", "reasons"]


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
