"""A small working warehouse with the tables of docs/tables.md, consistent in itself, for tests that then break one thing in it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import duckdb

from quality.results import AuditOutcome
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

AS_OF = datetime(2026, 7, 1, 5)
LEADS, DEALS = 120, 60

PROCESS = """
company:
  name: Small Company
  currency: USD
  timezone: America/Chicago
  branches:
    north: {timezone: America/Chicago, open: {mon-fri: "08:00-17:00"}}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages:
    - {key: inquiry, object: lead, limits: {first_touch_minutes: 15, days_in_stage: 2}, required: {phone: 3, email: 2}}
    - {key: proposal, required: {amount: 2}}
    - {key: won, kind: won}
    - {key: lost, kind: lost, reasons: [price]}
"""

_INTERMEDIATE = f"""
create schema intermediate;
create table intermediate.int_users as
    select 'hubspot:u' || i as user_id, 'Rep ' || i as name, 'north' as branch from range(3) t(i);
create table intermediate.int_leads as
    select
        'hubspot:' || (1000 + i) as lead_id, timestamp '2026-01-01 10:00' + i * interval 1 day as created_at,
        'person' || i || '@example.com' as email, '(555) 010-' || lpad(cast(i as varchar), 4, '0') as phone, '60601' as postcode,
        'new' as customer_type, 'hubspot:u' || (i % 3) as owner_id, 'north' as branch, null::varchar as exclusion_reason
    from range({LEADS}) t(i);
create table intermediate.int_deals as
    select
        'hubspot:' || (5000 + i) as deal_id, 'hubspot:' || (1000 + i) as lead_id, 'hubspot:' || (1000 + i) as linked_lead_id,
        cast(100 * (i + 1) as decimal(18, 2)) as amount, 'USD' as currency,
        timestamp '2026-01-02 10:00' + i * interval 1 day as created_at,
        timestamp '2026-01-12 10:00' + i * interval 1 day as closed_at,
        date '2026-01-20' + cast(i as int) as expected_close_date,
        'hubspot:u' || (i % 3) as owner_id, 'north' as branch, null::varchar as exclusion_reason
    from range({DEALS}) t(i);
create table intermediate.int_activities as
    select
        'hubspot:c' || i as activity_id, 'call' as type, 'outbound' as direction,
        timestamp '2026-01-01 11:00' + i * interval 1 day as at, timestamp '2026-01-01 11:00' + i * interval 1 day as created_at,
        60.0 as duration_seconds, 'hubspot:u' || (i % 3) as user_id, 'hubspot:' || (1000 + i) as lead_id, null::varchar as deal_id
    from range({LEADS}) t(i);
create table intermediate.int_stage_events as
    select 'deal' as subject_type, deal_id as subject_id, 'proposal' as stage_key, false as is_ignored, created_at as at from intermediate.int_deals;
create table intermediate.int_owner_periods as
    select
        'lead' as subject_type, lead_id as subject_id, owner_id, timestamp '1900-01-01' as valid_from, created_at as valid_to
    from intermediate.int_leads;
create table intermediate.int_survey_answers as
    select
        'typeform:r' || i as response_id, cast(6 + i % 5 as bigint) as nps_score, cast(3 + i % 3 as bigint) as csat_score,
        timestamp '2026-06-20' + i * interval 1 hour as submitted_at
    from range(40) t(i);
create table intermediate.int_web_events as
    select 'ga4:' || i as event_id, timestamp '2026-06-28' + i * interval 1 hour as at from range(30) t(i);
"""

_MARTS = """
create schema marts;
create table marts.fct_lead as select lead_id, created_at, branch from intermediate.int_leads where exclusion_reason is null;
create table marts.fct_deal as
    select
        deal_id, lead_id, created_at, amount, 10.0::double as cycle_days, 10.0::double as first_close_cycle_days, 10.0::double as days_observed,
        case when i % 3 = 0 then 'won' when i % 3 = 1 then 'lost' else 'open' end as outcome,
        i % 3 = 0 as is_won, i % 3 = 1 as is_lost, i % 3 = 2 as is_open, false as is_undated, false as is_negative_cycle,
        case when i % 3 < 2 then closed_at end as closed_at, cast(case when i % 3 < 2 then closed_at end as date) as closed_date
    from (select *, row_number() over (order by deal_id) - 1 as i from intermediate.int_deals where exclusion_reason is null);
create table marts.fct_closed_deal as
    select *, case when is_won then amount end as won_amount, case when is_lost then amount end as lost_amount
    from marts.fct_deal where is_won or is_lost;
create table marts.fct_speed_to_lead as
    select
        lead_id, 1::bigint as leads_in_group, created_at, created_at + interval 20 minute as touch_at, true as is_contacted, 20.0::double as minutes,
        20.0::double as open_minutes, 0.0::double as routing_minutes, 20.0::double as reaction_minutes, 5.0::double as connection_minutes
    from marts.fct_lead;
create table marts.fct_stage_visit as
    select
        lead_id as case_id, 'inquiry' as stage, 1::bigint as visit_number, created_at as entered_at, created_at + interval 1 day as left_at,
        1.0::double as days, 8.0::double as open_hours
    from marts.fct_lead;
create table marts.fct_stage_conversion as
    select lead_id as case_id, 1 as from_order, 2 as to_order, true as is_reached, true as is_adjacent from marts.fct_lead;
create table marts.fct_field_completeness as
    select
        'lead' as object, lead_id as record_id, 'inquiry' as stage, field, weight, is_filled, case when is_filled then weight else 0 end as filled_weight,
        case when field = 'email' then is_filled end as is_valid
    from marts.fct_lead, (values ('phone', 3.0::double, true), ('email', 2.0::double, false)) as fields(field, weight, is_filled);
create table marts.fct_survey_response as
    select
        response_id, nps_score, csat_score,
        case when nps_score >= 9 then 100 when nps_score <= 6 then -100 else 0 end as nps_points
    from intermediate.int_survey_answers;
create table marts.fct_forecast as
    select
        'total' as level, cast(10 as bigint) as horizon_days, 100.0::double as forecast_amount, 120.0::double as actual_amount, 80.0::double as low_amount, 150.0::double as high_amount,
        20.0::double as absolute_error_amount;
"""

_KPI = """
create schema kpi;
create table kpi.kpi_volume as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment,
        (select count(*) from marts.fct_lead) as leads_created, (select count(*) from marts.fct_deal) as deals_created;
create table kpi.kpi_win_loss as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment,
        count(*) filter (where is_won) as deals_won, count(*) filter (where is_lost) as deals_lost, count(*) as n,
        0.5::double as win_rate, 0.3::double as low, 0.7::double as high, sum(won_amount) as won_amount, sum(lost_amount) as lost_amount
    from marts.fct_closed_deal;
create table kpi.kpi_speed_to_lead as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 10 as n, 9 as contacted, 20.0::double as median_minutes, 40.0::double as p90_minutes,
        0.1::double as within_5_minutes_rate, 0.4::double as within_target_rate, 0.1::double as never_contacted_rate;
create table kpi.kpi_stage_conversion as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 10 as n, 5 as numerator, 0.5::double as conversion_rate, 0.3::double as low, 0.7::double as high,
        0.2::double as open_share;
create table kpi.kpi_overall_conversion as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 10 as n, 5 as customers, 0.5::double as conversion_rate, 0.3::double as low, 0.7::double as high,
        0.2::double as open_share;
create table kpi.kpi_sales_cycle as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 10 as n, 10.0::double as mean_days, 9.0::double as median_days, 20.0::double as p90_days;
create table kpi.kpi_loss_reasons as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 'price' as loss_reason, 20 as deals_lost, 1.0::double as share;
create table kpi.kpi_crm_completeness as
    select 'all' as period_grain, segment_type, segment, 120 as n, 240 as cells, 0.6::double as completeness, 0.0::double as complete_record_rate,
        0.0::double as validity_rate, 1.0::double as uniqueness_rate, 0.9::double as timeliness_rate
    from (values ('total', 'total'), ('rep', 'Rep 1')) as segments(segment_type, segment);
create table kpi.kpi_crm_completeness_by_field as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 'lead' as object, 'inquiry' as stage, 'phone' as field,
        120 as n, 120 as filled, 1.0::double as completeness;
create table kpi.kpi_satisfaction as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, count(nps_score) as nps_n, avg(nps_points) as nps, count(csat_score) as csat_n,
        0.66::double as csat
    from marts.fct_survey_response;
create table kpi.kpi_forecast_accuracy as
    select 'all' as period_grain, 'total' as segment_type, 'total' as segment, 10 as n, 0.2::double as wape, 0.8::double as coverage_rate;
create table kpi.kpi_pipeline as select 'total' as segment_type, 'total' as segment, 'proposal' as stage, 20 as deals;
create table kpi.kpi_process_variants as select 'inquiry > won' as variant, 60 as n, 1.0::double as share, 1 as rank;
create table kpi.kpi_reconciliation as
    select * from (values
        ('leads', 'received', 122), ('leads', 'counted', 120), ('leads', 'deleted', 2), ('deals', 'received', 60), ('deals', 'counted', 60)
    ) as balance(entity, reason, records);
create table kpi.kpi_unmapped_stages (source varchar, pipeline varchar, source_stage varchar, events bigint);
"""

_RAW_LOG = """
create schema raw_log;
create table raw_log.loads as
    select * from (values
        ('hubspot', '1.0', timestamp '2026-06-30 08:00', 'contacts', 130::bigint, 122::bigint, 3::bigint, 5::bigint, null::json),
        ('hubspot', '1.0', timestamp '2026-06-30 08:00', 'deals', 60, 60, 0, 0, '{"updated_at": "2026-06-30"}'::json),
        ('typeform', '1.1', timestamp '2026-06-30 08:00', 'responses', 40, 40, 0, 0, null)
    ) as loads(source, load_id, loaded_at, table_name, received, loaded, quarantined, duplicates, cursor);
create table raw_log.quarantine as
    select 'hubspot' as source, '1.0' as load_id, timestamp '2026-06-30 08:00' as loaded_at, 'contacts' as table_name, 'id' as reason from range(3);
"""


def make_company(root: Path, config: str = "") -> Company:
    """A company directory under ``root`` with a small process file."""
    (root / ".dlt").mkdir(parents=True)
    (root / "process.yml").write_text(PROCESS, encoding="utf-8")
    (root / ".dlt" / "config.toml").write_text(f"[salesgauge]\n{config}", encoding="utf-8")
    return Company.open(root, environ={})


def fill(company: Company) -> duckdb.DuckDBPyConnection:
    """A connection to the company's new working warehouse, filled. The caller closes it."""
    con = connect(company.warehouse_file)
    Process.load(company.process_file).write_tables(con, AS_OF)
    for script in (_INTERMEDIATE, _MARTS, _KPI, _RAW_LOG):
        con.execute(script)
    return con


def semantic_manifest(company: Company) -> Path:
    """A semantic manifest as dbt writes one, as far as publishing looks at it."""
    path = company.work_dir / "semantic_manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"semantic_models": [{"name": "deals"}], "metrics": []}), encoding="utf-8")
    return path


def stamped(company: Company, mark: int, rows: int = 500) -> None:
    """A warehouse of a few tables that all carry ``mark``: what is published from it can be told to be of one piece."""
    company.warehouse_file.unlink(missing_ok=True)
    con = connect(company.warehouse_file)
    Process.load(company.process_file).write_tables(con, AS_OF)
    con.execute("create schema marts; create schema kpi; create schema quality; create schema raw_log")
    for table in ("marts.fct_deal", "marts.fct_lead", "kpi.kpi_volume", "quality.scores"):
        con.execute(f"create table {table} as select {mark} as mark, i as id, i / 7 as share from range({rows}) t(i)")
    con.execute(
        "create table raw_log.loads as select 'hubspot' as source, '1' as load_id, timestamp '2026-06-30' as loaded_at, 'deals' as table_name, "
        "1::bigint as received, 1::bigint as loaded, 0::bigint as quarantined, 0::bigint as duplicates"
    )
    con.close()


PASSED = AuditOutcome(passed=True, scores={"completeness": 0.9}, volumes={"hubspot": {"leads": 10}})
