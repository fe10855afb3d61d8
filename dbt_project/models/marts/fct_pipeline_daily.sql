-- A row per open deal and day: many, and all of them said by fct_pipeline_period already. So it is a view.
{{ config(materialized='view') }}

select
    days.date_day as pipeline_date,
    periods.deal_id,
    periods.case_id,
    periods.lead_id,
    periods.stage,
    periods.amount,
    periods.expected_close_date,
    coalesce(periods.expected_close_date < days.date_day, false) as is_overdue,
    periods.branch,
    periods.rep,
    periods.rep_id,
    periods.team,
    periods.channel,
    periods.campaign,
    periods.service_line,
    periods.job_type,
    periods.customer_type,
    periods.process_version,
    periods.pipeline
from {{ ref('fct_pipeline_period') }} as periods
inner join {{ ref('dim_date') }} as days on days.date_day between periods.from_date and periods.to_date
