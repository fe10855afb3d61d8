-- Campaigns have no id here: their name is it. The channel is the one that most sessions of the campaign have.
with named as (

    select
        {{ ga4_data_name('campaign') }} as name,
        {{ ga4_data_value('channel_group') }} as channel,
        sessions
    from ({{ ga4_data_rows('sessions') }}) as by_origin

    union all

    select
        {{ ga4_data_name('campaign') }} as name,
        cast(null as varchar) as channel,
        0 as sessions
    from ({{ ga4_data_rows('ad_cost') }}) as by_campaign

),

counted as (

    select
        name,
        channel,
        sum(sessions) as sessions
    from named
    where name is not null
    group by name, channel

),

ranked as (

    select
        *,
        row_number() over (partition by name order by case when channel is null then 1 else 0 end, sessions desc, channel) as place
    from counted

),

final as (

    select
        {{ source_id("'ga4_data'", 'name') }} as campaign_id,
        name,
        channel,
        cast(null as boolean) as is_active
    from ranked
    where place = 1

)

select * from final
