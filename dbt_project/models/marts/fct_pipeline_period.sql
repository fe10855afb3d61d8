-- Every open deal from the day it was created to the day before it closes, as it stood at the end of each day (at most as_of's): stretches of days on which
-- nothing changed. fct_pipeline_daily has the days themselves. docs/kpis/pipeline.md says what counts.
with deals as (

    select
        deals.*,
        coalesce(branches.timezone, run.timezone) as timezone,
        -- at midnight as_of's day is the one that begins, in every zone
        greatest(run.as_of_date, cast({{ to_local('run.as_of', 'coalesce(branches.timezone, run.timezone)') }} as date)) as last_date
    from {{ ref('fct_deal') }} as deals
    cross join {{ source('process', 'run') }} as run
    left join {{ source('process', 'branches') }} as branches on deals.branch = branches.branch

),

-- of a deal of which nobody knows when it was created the first entry into a stage of its own tells when there was one
began as (

    select subject_id as deal_id, min(moved_at) as first_at
    from {{ ref('int_stage_moves') }}
    where subject_type = 'deal'
    group by subject_id

),

dated_visits as (

    select
        visits.deal_id,
        visits.stage,
        visits.sequence,
        visits.entered_at,
        visits.exit_kind,
        visits.left_at,
        deals.last_date,
        {{ business_date('visits.entered_at', 'deals.timezone') }} as entered_date,
        {{ business_date('visits.left_at', 'deals.timezone') }} as left_date,
        coalesce(deals.created_date, {{ business_date('began.first_at', 'deals.timezone') }}) as created_date
    from {{ ref('fct_stage_visit') }} as visits
    inner join deals on visits.deal_id = deals.deal_id
    inner join {{ ref('int_process_stages') }} as stages on visits.stage = stages.stage
    left join began on visits.deal_id = began.deal_id
    where stages.kind = 'open'

),

-- until_date is the first day at whose end the deal was no longer there. What nobody can date is known of as_of's day alone.
open_stays as (

    select
        deal_id,
        stage,
        sequence,
        case when entered_at is null or created_date is null then last_date else greatest(entered_date, created_date) end as from_date,
        case when exit_kind is null then {{ add_days('last_date', 1) }} else left_date end as until_date
    from dated_visits
    where exit_kind is null or (entered_at is not null and created_date is not null and left_at is not null)

    union all

    -- nor a deal of which nobody knows any stage
    select
        deals.deal_id,
        cast(null as varchar) as stage,
        cast(null as bigint) as sequence,
        deals.last_date as from_date,
        {{ add_days('deals.last_date', 1) }} as until_date
    from deals
    left join (select distinct deal_id from dated_visits where exit_kind is null) as staying on deals.deal_id = staying.deal_id
    where deals.is_open and staying.deal_id is null

),

stays as (

    select * from open_stays where from_date < until_date

),

entries as (

    select
        history.subject_id as deal_id,
        history.field,
        history.value,
        history.at,
        history.source_order,
        {{ business_date('history.at', 'deals.timezone') }} as on_date
    from {{ ref('int_field_history') }} as history
    inner join deals on history.subject_id = deals.deal_id
    where history.subject_type = 'deal' and history.field in ('amount', 'expected_close_date')

    union all

    select
        owners.subject_id,
        'owner_id' as field,
        owners.owner_id,
        owners.valid_from,
        0 as source_order,
        {{ business_date('owners.valid_from', 'deals.timezone') }} as on_date
    from {{ ref('int_owner_periods') }} as owners
    inner join deals on owners.subject_id = deals.deal_id
    where owners.subject_type = 'deal'

),

-- the last entry of a day is what its end knows; is_newest is what is so at as_of
last_of_day as (

    select
        *,
        lead(on_date) over (partition by deal_id, field order by on_date) as until_date
    from (
        select
            *,
            row_number() over (partition by deal_id, field, on_date order by "at" desc, source_order desc, value desc) as place
        from entries
    ) as placed
    where place = 1

),

days_of_change as (

    select deal_id, from_date as on_date from stays
    union
    select last_of_day.deal_id, last_of_day.on_date
    from last_of_day
    inner join stays
        on last_of_day.deal_id = stays.deal_id and last_of_day.on_date > stays.from_date and last_of_day.on_date < stays.until_date
    union
    select stays.deal_id, versions.effective_from
    from stays
    inner join {{ source('process', 'versions') }} as versions
        on versions.effective_from > stays.from_date and versions.effective_from < stays.until_date

),

stretches as (

    select
        stays.deal_id,
        stays.stage,
        days.on_date as from_date,
        least(
            coalesce(lead(days.on_date) over (partition by stays.deal_id order by days.on_date), stays.until_date), stays.until_date
        ) as until_date
    from stays
    inner join days_of_change as days
        on stays.deal_id = days.deal_id and days.on_date >= stays.from_date and days.on_date < stays.until_date

),

valued as (

    select
        stretches.deal_id,
        stretches.stage,
        stretches.from_date,
        stretches.until_date,
        max(case when known.field = 'owner_id' then known.value end) as owner_id,
        max(case when known.field = 'amount' then known.value end) as amount,
        max(case when known.field = 'expected_close_date' then known.value end) as expected_close_date,
        {{ count_where("known.field = 'amount' and known.until_date is null") }} > 0 as is_amount_of_today,
        {{ count_where("known.field = 'expected_close_date' and known.until_date is null") }} > 0 as is_date_of_today
    from stretches
    left join last_of_day as known
        on stretches.deal_id = known.deal_id
        and known.on_date <= stretches.from_date
        and coalesce(known.until_date, date '9999-12-31') > stretches.from_date
    group by stretches.deal_id, stretches.stage, stretches.from_date, stretches.until_date

),

with_history as (

    select
        deal_id,
        {{ count_where("field = 'amount'") }} > 0 as has_amounts,
        {{ count_where("field = 'expected_close_date'") }} > 0 as has_dates
    from last_of_day
    group by deal_id

),

final as (

    select
        valued.deal_id,
        deals.case_id,
        deals.lead_id,
        valued.from_date,
        {{ add_days('valued.until_date', -1) }} as to_date,
        valued.until_date > deals.last_date as is_open_at_as_of,
        valued.stage,
        cast(case
            when valued.is_amount_of_today or not coalesce(with_history.has_amounts, false) then deals.amount
            when {{ try_cast('valued.amount', 'decimal(18, 2)') }} between 0 and {{ largest_amount() }}
                then round({{ try_cast('valued.amount', 'decimal(20, 2)') }} * deals.exchange_rate, 2)
        end as decimal(18, 2)) as amount,
        case
            when valued.is_date_of_today or not coalesce(with_history.has_dates, false) then deals.expected_close_date
            else {{ try_cast('valued.expected_close_date', 'date') }}
        end as expected_close_date,
        deals.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        deals.channel,
        deals.campaign,
        deals.service_line,
        deals.job_type,
        deals.customer_type,
        versions.process_version,
        deals.pipeline
    from valued
    inner join deals on valued.deal_id = deals.deal_id
    left join with_history on valued.deal_id = with_history.deal_id
    {{ user_of('users', 'valued.owner_id') }}
    {{ version_on('versions', 'valued.from_date') }}

)

select * from final
