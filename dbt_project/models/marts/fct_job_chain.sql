-- The way of every case from the first call to the money: when it took each step, and for how much. docs/kpis/chain.md
with cases as (

    select
        cases.case_id,
        case when cases.deal_id is not null then 'deal' else 'lead' end as subject_type,
        coalesce(cases.deal_id, cases.lead_id) as subject_id,
        coalesce(cases.lead_id, deals.lead_id) as lead_id,
        cases.deal_id,
        deals.created_at as deal_created_at,
        deals.is_won,
        deals.is_open,
        deals.closed_at,
        deals.amount,
        subjects.created_at,
        subjects.timezone,
        {{ record_segments('subjects') }}
    from {{ ref('int_cases') }} as cases
    inner join {{ ref('int_segments') }} as subjects
        on subjects.subject_type = case when cases.deal_id is not null then 'deal' else 'lead' end
        and coalesce(cases.deal_id, cases.lead_id) = subjects.subject_id
    left join {{ ref('fct_deal') }} as deals on cases.deal_id = deals.deal_id
    where cases.is_counted

),

calls as (

    select lead_id, min(called_at) as called_at
    from {{ ref('fct_call') }}
    where lead_id is not null
    group by lead_id

),

-- An appointment is its deal's, without one its lead's.
appointments as (

    select
        deal_id,
        case when deal_id is null then lead_id end as lead_id,
        min(created_at) as booked_at,
        min(case when is_held then "at" end) as run_at
    from {{ ref('fct_activity') }}
    where type = 'meeting'
    group by deal_id, case when deal_id is null then lead_id end

),

-- A draft was not presented; several estimates of a deal are options of one offer.
estimates as (

    select
        deal_id,
        min(sent_at) as presented_at,
        sum(options) as options
    from {{ ref('int_estimates') }}
    where not is_deleted and status <> 'draft' and sent_at <= {{ as_of() }}
    group by deal_id

),

jobs as (

    select
        deal_id,
        min(created_at) as job_created_at,
        -- done when of its jobs none is left to do
        case
            when {{ count_where("status = 'completed' and completed_at <= " ~ as_of()) }} > 0
                and {{ count_where("status <> 'canceled' and (completed_at is null or completed_at > " ~ as_of() ~ ")") }} = 0
                then max(completed_at)
        end as completed_at
    from {{ ref('int_jobs') }}
    where not is_deleted and created_at <= {{ as_of() }}
    group by deal_id

),

invoices as (

    select
        invoices.deal_id,
        min(invoices.invoiced_at) as invoiced_at,
        sum(invoices.amount) as invoiced_amount,
        case when {{ count_where("invoices.status <> 'paid' or invoices.paid_at is null or invoices.paid_at > " ~ as_of()) }} = 0 then max(invoices.paid_at) end as paid_at
    from {{ ref('int_invoices') }} as invoices
    where not invoices.is_deleted and invoices.status not in ('void', 'draft') and invoices.invoiced_at <= {{ as_of() }}
    group by invoices.deal_id

),

paid as (

    select deal_id, sum(amount) as paid_amount
    from {{ ref('fct_payment') }}
    where deal_id is not null
    group by deal_id

),

timed as (

    select
        cases.*,
        calls.called_at,
        least(
            coalesce(deal_appointments.booked_at, lead_appointments.booked_at), coalesce(lead_appointments.booked_at, deal_appointments.booked_at)
        ) as booked_at,
        least(coalesce(deal_appointments.run_at, lead_appointments.run_at), coalesce(lead_appointments.run_at, deal_appointments.run_at)) as run_at,
        estimates.presented_at,
        estimates.options,
        case when cases.is_won then cases.closed_at end as sold_at,
        jobs.job_created_at,
        jobs.completed_at,
        invoices.invoiced_at,
        invoices.paid_at,
        invoices.invoiced_amount,
        paid.paid_amount,
        coalesce(estimates.presented_at, cases.created_at) as owned_at,
        run.as_of
    from cases
    cross join {{ source('process', 'run') }} as run
    left join calls on cases.lead_id = calls.lead_id
    left join appointments as deal_appointments on cases.deal_id = deal_appointments.deal_id
    left join appointments as lead_appointments on cases.lead_id = lead_appointments.lead_id
    left join estimates on cases.deal_id = estimates.deal_id
    left join jobs on cases.deal_id = jobs.deal_id
    left join invoices on cases.deal_id = invoices.deal_id
    left join paid on cases.deal_id = paid.deal_id

),

dated as (

    select
        timed.*,
        {{ business_date('timed.created_at', 'timed.timezone') }} as created_date,
        {{ business_date('timed.presented_at', 'timed.timezone') }} as presented_date,
        {{ business_date('timed.job_created_at', 'timed.timezone') }} as job_created_date,
        {{ business_date('timed.invoiced_at', 'timed.timezone') }} as invoiced_date,
        {{ business_date('timed.paid_at', 'timed.timezone') }} as paid_date,
        {{ recorded_days_between('timed.completed_at', 'timed.invoiced_at', 'timed.timezone') }} as days_to_invoice,
        {{ recorded_days_between('timed.invoiced_at', 'timed.paid_at', 'timed.timezone') }} as days_to_pay,
        {{ local_days_between('timed.presented_at', 'timed.as_of', 'timed.timezone') }} as estimate_age_days
    from timed

),

-- The stage in which offers wait for a decision.
last_stages as (

    select days_in_stage
    from {{ ref('int_process_stages') }}
    where kind = 'open'
    order by stage_order desc
    limit 1

),

final as (

    select
        dated.case_id,
        dated.lead_id,
        dated.deal_id,
        dated.created_date,
        dated.called_at,
        dated.booked_at,
        dated.run_at,
        dated.presented_at,
        dated.presented_date,
        dated.sold_at,
        dated.job_created_at,
        dated.job_created_date,
        dated.completed_at,
        dated.invoiced_at,
        dated.invoiced_date,
        dated.paid_at,
        dated.paid_date,
        cast(dated.options as integer) as options,
        dated.amount,
        cast(dated.invoiced_amount as decimal(18, 2)) as invoiced_amount,
        cast(dated.paid_amount as decimal(18, 2)) as paid_amount,
        case when dated.presented_at is not null then dated.is_won end as is_estimate_sold,
        case when dated.job_created_at is not null then dated.completed_at is not null end as is_job_completed,
        coalesce(dated.is_open and dated.estimate_age_days > last_stages.days_in_stage, false) as is_unsold,
        case when dated.is_open then dated.estimate_age_days end as estimate_age_days,
        case when dated.days_to_invoice < 0 then 0 else dated.days_to_invoice end as days_to_invoice,
        case when dated.days_to_pay >= 0 then dated.days_to_pay end as days_to_pay,
        dated.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        dated.channel,
        dated.campaign,
        dated.service_line,
        dated.job_type,
        dated.customer_type,
        versions.process_version,
        dated.pipeline
    from dated
    left join last_stages on true
    {{ owner_at('owners', 'dated.subject_type', 'dated.subject_id', 'dated.owned_at') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ version_on('versions', 'coalesce(dated.presented_date, dated.created_date)') }}

)

select * from final
