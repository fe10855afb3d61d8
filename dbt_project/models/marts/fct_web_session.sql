-- A session's source, medium and campaign are those of its first event that has any. Its pages are paths: an address differs with every campaign.
with events as (

    select
        *,
        {{ page_path('page') }} as path
    from {{ ref('int_web_events') }}
    where session_id is not null

),

placed as (

    select
        *,
        row_number() over (
            partition by session_id
            order by
                case when coalesce(traffic_source, medium, campaign) is null then 1 else 0 end,
                "at", event, event_id
        ) as place,
        row_number() over (
            partition by session_id
            order by
                case when path is null then 1 else 0 end,
                "at", event, event_id
        ) as page_place,
        row_number() over (
            partition by session_id
            order by
                case when path is null or event not in ('form_start', 'form_submit', 'generate_lead') then 1 else 0 end,
                "at", event, event_id
        ) as form_place
    from events

),

sessions as (

    select
        session_id,
        min("at") as started_at,
        max(case when place = 1 then traffic_source end) as source,
        max(case when place = 1 then medium end) as medium,
        max(case when place = 1 then campaign end) as campaign,
        max(device) as device,
        max(case when page_place = 1 then path end) as landing_page,
        max(case when form_place = 1 and event in ('form_start', 'form_submit', 'generate_lead') then path end) as form_page,
        count(*) as events,
        max(case when event = 'form_start' then 1 else 0 end) = 1 as has_form_start,
        max(case when event in ('form_submit', 'generate_lead') then 1 else 0 end) = 1 as has_form_submit
    from placed
    group by session_id

),

dated as (

    select
        sessions.*,
        -- what was sent was started, whether the tag saw it or not
        sessions.has_form_start or sessions.has_form_submit as is_form_started,
        {{ business_date('sessions.started_at', 'run.timezone') }} as session_date,
        {{ business_hour('sessions.started_at', 'run.timezone') }} as session_hour
    from sessions
    cross join {{ source('process', 'run') }} as run

),

final as (

    select
        dated.session_id,
        dated.started_at,
        dated.session_date,
        dated.session_hour,
        {{ weekday_of('dated.session_date') }} as session_weekday,
        dated.source,
        dated.medium,
        dated.device,
        dated.landing_page,
        dated.form_page,
        dated.events,
        dated.has_form_start,
        dated.has_form_submit,
        dated.is_form_started,
        case when dated.is_form_started then not dated.has_form_submit end as is_form_abandoned,
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
