with united as (

    {{ canonical('web_events') }}

),

known as (

    select *
    from united
    where "at" <= {{ as_of() }}

),

-- Events without a session get one: those of a visitor belong together until half an hour passes without one.
unbound as (

    select
        event_id,
        {{ id_source('event_id') }} as source,
        visitor_id,
        "at",
        lag("at") over (partition by {{ id_source('event_id') }}, visitor_id order by "at", event_id) as before
    from known
    where session_id is null and visitor_id is not null

),

begun as (

    select
        *,
        max(case when before is null or "at" >= {{ add_minutes('before', 30) }} then "at" end) over (
            partition by source, visitor_id
            order by "at", event_id
            rows between unbounded preceding and current row
        ) as started_at
    from unbound

),

final as (

    select
        {{ star_except('known', ['session_id']) }},
        coalesce(known.session_id, begun.source || ':' || begun.visitor_id || ':' || cast(begun.started_at as varchar)) as session_id
    from known
    left join begun on known.event_id = begun.event_id

)

select * from final
