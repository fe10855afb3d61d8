-- The daily cost of a campaign in a month, once for each of its days that has come.
with source as (

    {{ newest_version(source('raw_servicetitan', 'campaign_costs'), ['campaign_id', 'year', 'month']) }}

),

months as (

    select
        campaign_id,
        cast({{ try_cast("year || '-' || month || '-01'", 'date') }} as date) as first_day,
        {{ try_cast(json_struct('record', {'dailyCost': 'varchar'}) ~ '.dailyCost', 'decimal(18, 2)') }} as amount
    from source

),

days as (

    select
        months.campaign_id,
        dates.date_day,
        months.amount
    from months
    inner join ({{ days_between("(select min(first_day) from months)", "(select cast(run.as_of as date) from " ~ source('process', 'run') ~ " as run)") }}) as dates
        on {{ first_of_month('dates.date_day') }} = months.first_day
    where months.amount > 0

),

final as (

    select
        {{ source_id("'servicetitan'", 'days.campaign_id') }} || ':' || cast(days.date_day as varchar) as spend_id,
        days.date_day as date,
        campaigns.channel,
        campaigns.name as campaign,
        days.amount,
        cast(null as varchar) as currency
    from days
    left join {{ ref('stg_servicetitan__campaigns') }} as campaigns on {{ source_id("'servicetitan'", 'days.campaign_id') }} = campaigns.campaign_id

)

select * from final
