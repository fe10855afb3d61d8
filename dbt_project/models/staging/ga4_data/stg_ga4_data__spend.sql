-- What the linked ad accounts cost. Cost without a campaign's name stays: it was spent.
with rows_of_days as (

    {{ ga4_data_rows('ad_cost') }}

),

named as (

    select
        *,
        {{ ga4_data_name('campaign') }} as campaign_name
    from rows_of_days
    where cost <> 0

),

final as (

    select
        'ga4_data:' || named.property_id || ':' || cast(named.date as varchar) || ':'
        || {{ text_hash("named.source || '|' || named.medium || '|' || named.campaign") }} as spend_id,
        named.date,
        campaigns.channel,
        named.campaign_name as campaign,
        cast(named.cost as decimal(18, 2)) as amount,
        named.currency
    from named
    left join {{ ref('stg_ga4_data__campaigns') }} as campaigns on named.campaign_name = campaigns.name

)

select * from final
