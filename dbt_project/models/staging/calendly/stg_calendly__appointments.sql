-- One booking along the chain of its dates: a date that was moved is left out, and the last one was set when the first one was.
with recursive invitees as (

    select * from {{ ref('stg_calendly__invitees') }}

),

chain as (

    select uri, uri as first_uri, 1 as steps from invitees
    where old_uri is null or old_uri not in (select known.uri from invitees as known)
    union all
    select invitees.uri, chain.first_uri, chain.steps + 1
    from chain
    inner join invitees on chain.uri = invitees.old_uri
    where chain.steps < 50

),

final as (

    select
        {{ source_id("'calendly'", 'invitees.id') }} as appointment_id,
        firsts.created_at,
        invitees.starts_at,
        invitees.ends_at,
        case
            when invitees.is_canceled then 'canceled'
            when invitees.is_no_show then 'no_show'
            when invitees.ends_at <= {{ as_of() }} then 'held'
            else 'scheduled'
        end as status,
        firsts.is_self_booked,
        invitees.email,
        invitees.phone,
        invitees.first_name,
        invitees.last_name,
        invitees.user_email,
        cast(null as varchar) as user_id,
        cast(null as varchar) as lead_id,
        cast(null as varchar) as deal_id,
        cast(null as varchar) as job_id,
        false as is_deleted
    from invitees
    inner join chain on invitees.uri = chain.uri
    inner join invitees as firsts on chain.first_uri = firsts.uri
    where not invitees.is_moved

)

select * from final
