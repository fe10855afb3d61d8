-- A session's source, medium and campaign are those of its first event that has any.
with events as (

    select *
    from {{ ref('int_web_events') }}
    where session_id is not null

),

attributed as (

    select
        *,
        row_number() over (
            partition by session_id
            order by
                case when coalesce(traffic_source, medium, campaign) is null then 1 else 0 end,
                "at", event, event_id
        ) as place
    from events

),

sessions as (

    select
        session_id,
        min("at") as started_at,
        max(case when place = 1 then traffic_source end) as source,
        max(case when place = 1 then medium end) as medium,
        max(case when place = 1 then campaign end) as campaign,
        count(*) as events,
        max(case when event = 'form_start' then 1 else 0 end) = 1 as has_form_start,
        max(case when event in ('form_submit', 'generate_lead') then 1 else 0 end) = 1 as has_form_submit
    from attributed
    group by session_id

),

dated as (

    select
        sessions.*,
        {{ business_date('sessions.started_at', 'run.timezone') }} as session_date
    from sessions
    cross join {{ source('process', 'run') }} as run

),

final as (

    select
        dated.session_id,
        dated.started_at,
        dated.session_date,
        dated.source,
        dated.medium,
        dated.events,
        dated.has_form_start,
        dated.has_form_submit,
        cast(null as varchar) as branch,
        cast(null as varchar) as rep,
        cast(null as varchar) as rep_id,
        cast(null as varchar) as team,
        cast(null as varchar) as channel,
        dated.campaign,
        cast(null as varchar) as service_line,
        cast(null as varchar) as job_type,
        cast(null as varchar) as customer_type,
        versions.process_version,
        cast(null as varchar) as pipeline
    from dated
    {{ version_on('versions', 'dated.session_date') }}

)

select * from final
