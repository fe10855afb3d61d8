with deals as (

    select
        *,
        {{ business_date('created_at', 'timezone') }} as created_date,
        {{ business_hour('created_at', 'timezone') }} as created_hour
    from {{ ref('int_deals') }}
    where is_counted

),

stood as (

    select
        deals.deal_id,
        coalesce(outcomes.is_undated, true) as is_undated,
        -- a stage that nothing maps is not the one before it (kpi_unmapped_stages)
        case when present.subject_id is null or present.stage_key is not null or present.is_ignored then outcomes.current_stage end as current_stage,
        coalesce(outcomes.outcome, 'open') as outcome,
        outcomes.closed_at,
        outcomes.close_precision,
        outcomes.first_closed_at,
        outcomes.record_id is not null as has_stage
    from deals
    left join {{ ref('int_outcomes') }} as outcomes on outcomes.record_type = 'deal' and deals.deal_id = outcomes.record_id
    left join {{ ref('int_present_stages') }} as present on present.subject_type = 'deal' and deals.deal_id = present.subject_id

),

-- the last entry into a won stage, as the source dates it
wins as (

    select events.subject_id as deal_id, max(events.at) as won_at
    from {{ ref('int_stage_events') }} as events
    inner join {{ source('process', 'stages') }} as stages on events.stage_key = stages.stage
    where events.subject_type = 'deal' and stages.kind = 'won'
    group by events.subject_id

),

timed as (

    -- the ledger says when a deal was closed, not the source
    select
        {{ star_except('deals', ['closed_at']) }},
        {{ business_date('coalesce(wins.won_at, deals.closed_at)', 'deals.timezone') }} as stated_won_date,
        stood.is_undated,
        stood.has_stage,
        stood.current_stage,
        stood.outcome,
        stood.closed_at,
        stood.close_precision,
        stood.first_closed_at,
        {{ business_date('stood.closed_at', 'deals.timezone') }} as closed_date,
        case when stood.close_precision = 'moment' then {{ business_hour('stood.closed_at', 'deals.timezone') }} end as closed_hour,
        cases.case_id,
        leads.created_at as lead_created_at,
        leads.first_touch_at,
        run.as_of,
        run.currency as company_currency,
        run.as_of_date,
        -- of a deal of which nobody knows when it was created the cycle begins with its lead
        coalesce(deals.created_at, leads.created_at) as began_at,
        deals.created_at is null and leads.created_at is not null as is_cycle_from_lead,
        coalesce(stood.closed_at, case when stood.outcome <> 'open' then run.as_of end) as owned_at
    from deals
    inner join stood on deals.deal_id = stood.deal_id
    cross join {{ source('process', 'run') }} as run
    left join wins on deals.deal_id = wins.deal_id
    left join {{ ref('int_cases') }} as cases on deals.deal_id = cases.deal_id
    left join {{ ref('fct_lead') }} as leads on deals.lead_id = leads.lead_id

),

measured as (

    -- a win before the creation stands in the ledger at the creation at the earliest: its cycle is not known
    select
        *,
        case
            when outcome = 'won' and stated_won_date < created_date then {{ whole_days_between('created_date', 'stated_won_date') }}
            when outcome = 'won' then {{ days_to_close('began_at', 'closed_at', 'close_precision', 'timezone') }}
        end as days_to_close,
        case when outcome = 'won' then {{ recorded_days_between('began_at', 'first_closed_at', 'timezone') }} end as days_to_first_close,
        case when outcome = 'won' then {{ days_to_close('lead_created_at', 'closed_at', 'close_precision', 'timezone') }} end as days_from_lead,
        case when outcome = 'won' then {{ days_to_close('first_touch_at', 'closed_at', 'close_precision', 'timezone') }} end as days_from_touch,
        case
            when outcome <> 'open' then {{ days_to_close('created_at', 'closed_at', 'close_precision', 'timezone') }}
            when has_stage then {{ local_days_between('created_at', 'as_of', 'timezone') }}
        end as days_seen
    from timed

),

-- What can't be true (an amount below zero, a cycle of more than ten years) is not known: kpi_left_out lists it.
-- Other currencies at the newest rate of the close, of as_of while it is open; without a rate the amount is not known.
rates as (

    select
        timed.deal_id,
        rates.rate,
        row_number() over (partition by timed.deal_id order by rates.rate_date desc) as place
    from measured as timed
    inner join {{ source('process', 'exchange_rates') }} as rates
        on timed.currency = rates.currency and rates.rate_date <= coalesce(timed.closed_date, timed.as_of_date)
    where timed.currency <> timed.company_currency

),

final as (

    select
        timed.deal_id,
        timed.case_id,
        timed.lead_id,
        timed.account_id,
        coalesce(products.product, {{ id_in_source('timed.product_id') }}) as product,
        {{ id_source('timed.deal_id') }} as source,
        timed.name,
        timed.created_at,
        timed.created_date,
        timed.created_hour,
        {{ weekday_of('timed.created_date') }} as created_weekday,
        timed.expected_close_date,
        timed.current_stage,
        timed.outcome,
        timed.outcome = 'won' as is_won,
        timed.outcome = 'lost' as is_lost,
        timed.outcome = 'open' as is_open,
        timed.is_undated,
        timed.closed_at,
        timed.closed_date,
        timed.closed_hour,
        timed.close_precision,
        timed.first_closed_at,
        cast(case
            when timed.amount < 0 or timed.amount > {{ largest_amount() }} then null
            when coalesce(timed.currency, timed.company_currency) = timed.company_currency then timed.amount
            else round(cast(timed.amount as decimal(20, 2)) * rates.rate, 2)
        end as decimal(18, 2)) as amount,
        coalesce(timed.currency, timed.company_currency) as currency,
        case when coalesce(timed.currency, timed.company_currency) = timed.company_currency then 1 else rates.rate end as exchange_rate,
        timed.loss_reason,
        case when timed.days_to_close between 0 and {{ longest_cycle_days() }} then timed.days_to_close end as cycle_days,
        case when timed.days_to_first_close between 0 and {{ longest_cycle_days() }} then timed.days_to_first_close end as first_close_cycle_days,
        case when timed.days_from_lead between 0 and {{ longest_cycle_days() }} then timed.days_from_lead end as lead_cycle_days,
        case when timed.days_from_touch between 0 and {{ longest_cycle_days() }} then timed.days_from_touch end as first_touch_cycle_days,
        coalesce(timed.days_to_close < 0, false) as is_negative_cycle,
        timed.outcome = 'won' and timed.is_cycle_from_lead as is_cycle_from_lead,
        case when timed.days_seen >= 0 then timed.days_seen end as days_observed,
        timed.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        timed.channel,
        timed.campaign,
        timed.service_line,
        timed.job_type,
        timed.customer_type,
        versions.process_version,
        timed.pipeline,
        closers.rep as rep_closed,
        closers.user_id as rep_closed_id,
        closers.team as team_closed,
        today.rep as rep_current,
        today.user_id as rep_current_id
    from measured as timed
    left join rates on timed.deal_id = rates.deal_id and rates.place = 1
    left join {{ ref('dim_product') }} as products on timed.product_id = products.product_id
    {{ owner_at('owners', "'deal'", 'timed.deal_id', 'coalesce(timed.created_at, timed.as_of)') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ owner_at('closing_owners', "'deal'", 'timed.deal_id', 'timed.owned_at') }}
    {{ user_of('closers', 'closing_owners.owner_id') }}
    {{ owner_at('current_owners', "'deal'", 'timed.deal_id', 'timed.as_of') }}
    {{ user_of('today', 'current_owners.owner_id') }}
    {{ version_on('versions', 'timed.created_date') }}

)

select * from final
