-- How each deal whose expected close lay in a month or quarter came into that pipeline and left it: docs/kpis/pipeline.md, "The waterfall".
with run as (

    select * from {{ source('process', 'run') }}

),

stretches as (

    select * from {{ ref('fct_pipeline_period') }}

),

closings as (

    select * from {{ ref('fct_pipeline_event') }} where event = 'closed'

),

-- a deal that is closed belongs to the period of its close
days as (

    select deal_id, expected_close_date as on_date from stretches where expected_close_date is not null
    union
    select deal_id, event_date from closings

),

periods as (

    {% for grain, months in [('month', 1), ('quarter', 3)] -%}
    select distinct
        deal_id,
        '{{ grain }}' as period_grain,
        {{ period_start(grain, 'on_date') }} as period_start_date,
        cast({{ period_start(grain, 'on_date') }} + interval {{ months }} month as date) as next_start_date
    from days
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

begun as (

    select
        periods.deal_id,
        periods.period_grain,
        periods.period_start_date,
        periods.next_start_date,
        deals.created_date,
        -- as far as is known
        least({{ add_days('periods.next_start_date', -1) }}, greatest(run.as_of_date, coalesce(today.to_date, run.as_of_date))) as end_date
    from periods
    cross join run
    inner join {{ ref('fct_deal') }} as deals on periods.deal_id = deals.deal_id
    left join stretches as today on periods.deal_id = today.deal_id and today.is_open_at_as_of
    where periods.period_start_date <= run.as_of_date

),

bounds as (

    select
        begun.deal_id,
        begun.period_grain,
        begun.period_start_date,
        min(stretches.from_date) as first_date
    from begun
    inner join stretches
        on begun.deal_id = stretches.deal_id and stretches.from_date between begun.period_start_date and begun.end_date
    group by begun.deal_id, begun.period_grain, begun.period_start_date

),

last_closings as (

    select
        begun.deal_id,
        begun.period_grain,
        begun.period_start_date,
        max(closings.event_date) as closed_date
    from begun
    inner join closings on begun.deal_id = closings.deal_id and closings.event_date between begun.period_start_date and begun.end_date
    group by begun.deal_id, begun.period_grain, begun.period_start_date

),

sides as (

    select
        begun.*,
        before.deal_id is not null as was_open,
        coalesce(before.expected_close_date between begun.period_start_date and {{ add_days('begun.next_start_date', -1) }}, false) as was_in,
        ends.deal_id is not null as is_open,
        coalesce(ends.expected_close_date between begun.period_start_date and {{ add_days('begun.next_start_date', -1) }}, false) as is_in,
        case when ends.deal_id is null then closings.outcome end as outcome,
        before.amount as amount_before,
        firsts.amount as amount_first,
        ends.amount as amount_end,
        closings.amount as amount_closed,
        firsts.from_date as first_date,
        case when ends.deal_id is not null then ends.rep when closings.deal_id is not null then closings.rep else before.rep end as rep,
        case when ends.deal_id is not null then ends.rep_id when closings.deal_id is not null then closings.rep_id else before.rep_id end as rep_id,
        case when ends.deal_id is not null then ends.team when closings.deal_id is not null then closings.team else before.team end as team
    from begun
    left join stretches as before
        on begun.deal_id = before.deal_id and {{ add_days('begun.period_start_date', -1) }} between before.from_date and before.to_date
    left join stretches as ends on begun.deal_id = ends.deal_id and begun.end_date between ends.from_date and ends.to_date
    left join bounds
        on begun.deal_id = bounds.deal_id and begun.period_grain = bounds.period_grain and begun.period_start_date = bounds.period_start_date
    left join stretches as firsts on bounds.deal_id = firsts.deal_id and bounds.first_date = firsts.from_date
    left join last_closings
        on begun.deal_id = last_closings.deal_id
        and begun.period_grain = last_closings.period_grain
        and begun.period_start_date = last_closings.period_start_date
    left join closings on last_closings.deal_id = closings.deal_id and last_closings.closed_date = closings.event_date

),

judged as (

    select
        *,
        case
            when was_in then 'start'
            when was_open then 'pulled_in'
            when coalesce(created_date >= period_start_date, true) then 'new'
            else 'reopened'
        end as came,
        case
            when is_in then 'end'
            when is_open then 'pushed_out'
            when outcome in ('won', 'lost') then outcome
            else 'removed'
        end as went,
        coalesce(case when was_open then amount_before when first_date is not null then amount_first else amount_closed end, 0) as amount_in,
        coalesce(case when is_open then amount_end when outcome is not null then amount_closed else amount_before end, 0) as amount_out
    from sides
    where was_in or is_in or outcome is not null

),

final as (

    select
        judged.deal_id,
        judged.period_grain,
        judged.period_start_date,
        judged.came,
        judged.went,
        cast(judged.amount_in as decimal(18, 2)) as amount_in,
        cast(judged.amount_out as decimal(18, 2)) as amount_out,
        deals.branch,
        judged.rep,
        judged.rep_id,
        judged.team,
        deals.channel,
        deals.campaign,
        deals.service_line,
        deals.job_type,
        deals.customer_type,
        versions.process_version,
        deals.pipeline
    from judged
    inner join {{ ref('fct_deal') }} as deals on judged.deal_id = deals.deal_id
    {{ version_on('versions', 'judged.period_start_date') }}

)

select * from final
