{% set values %}
    count(*) as deals,
    cast(sum(coalesce(amount, 0)) as decimal(18, 2)) as amount,
    max(won_cases) as won_cases,
    max(closed_cases) as closed_cases,
    {{ median_of('age_days') }} as median_age_days
{% endset %}

with case_outcomes as (
    select case_id, max(case when is_won then 1 else 0 end) as is_won
    from (
        select case_id, is_won from {{ ref('fct_deal') }} where not is_open
        union all
        select case_id, is_won from {{ ref('fct_lead') }} where not is_open
    ) as closed_records
    group by case_id
),

stage_outcomes as (
    select entered.stage, sum(case_outcomes.is_won) as won_cases, count(*) as closed_cases
    from (select distinct case_id, stage from {{ ref('fct_stage_visit') }}) as entered
    inner join case_outcomes on entered.case_id = case_outcomes.case_id
    group by entered.stage
),

current_visits as (
    select visits.deal_id, {{ local_days_between('visits.entered_at', 'run.as_of', 'coalesce(branches.timezone, run.timezone)') }} as age_days
    from {{ ref('fct_stage_visit') }} as visits
    left join {{ source('process', 'branches') }} as branches on visits.branch = branches.branch
    cross join {{ source('process', 'run') }} as run
    where visits.exit_kind is null and visits.deal_id is not null
),

open_deals as (
    select
        deals.deal_id, deals.current_stage as stage, deals.amount, stage_outcomes.won_cases, stage_outcomes.closed_cases, current_visits.age_days,
        deals.branch, deals.rep_current as rep, users.team, deals.channel, deals.campaign, deals.service_line, deals.job_type,
        deals.customer_type, deals.process_version, deals.pipeline
    from {{ ref('fct_deal') }} as deals
    left join {{ ref('dim_user') }} as users on deals.rep_current_id = users.user_id
    left join stage_outcomes on deals.current_stage = stage_outcomes.stage
    left join current_visits on deals.deal_id = current_visits.deal_id
    where deals.is_open
),

rolled as (
    {{ kpi_rollup('open_deals', none, values, keys=['stage']) }}
),

final as (
    select
        rolled.segment_type,
        rolled.segment,
        rolled.stage,
        rolled.deals,
        rolled.amount,
        cast({{ amount_share('rolled.amount', 'rolled.won_cases', 'rolled.closed_cases') }} as decimal(18, 2)) as weighted_amount,
        rolled.median_age_days,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
