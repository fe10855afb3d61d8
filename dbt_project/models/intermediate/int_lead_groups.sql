-- Leads that count for speed to lead, with the group of the same person: a group is its first lead and what follows within 24 hours of that one.
with leads as (

    select
        lead_id,
        created_at,
        person_key
    from {{ ref('int_lead_persons') }}
    where is_counted and created_at is not null and not coalesce(created_by = 'rep', false)

),

-- the first lead of the person that is too late for a group that begins with this lead
followers as (

    select
        leads.person_key,
        leads.created_at,
        min(later.created_at) as next_created_at
    from leads
    left join leads as later
        on leads.person_key = later.person_key and later.created_at > {{ add_minutes('leads.created_at', 1440) }}
    group by leads.person_key, leads.created_at

),

starts as (

    with recursive chain as (
        select person_key, min(created_at) as started_at
        from leads
        group by person_key
        union all
        select chain.person_key, followers.next_created_at
        from chain
        inner join followers on chain.person_key = followers.person_key and chain.started_at = followers.created_at
        where followers.next_created_at is not null
    )

    select
        person_key,
        started_at,
        lead(started_at) over (partition by person_key order by started_at) as next_started_at
    from chain

),

grouped as (

    select
        leads.lead_id,
        leads.person_key,
        leads.created_at,
        starts.started_at,
        row_number() over (partition by leads.person_key, starts.started_at order by leads.created_at, leads.lead_id) as place
    from leads
    inner join starts
        on leads.person_key = starts.person_key
        and leads.created_at >= starts.started_at
        and (starts.next_started_at is null or leads.created_at < starts.next_started_at)

),

final as (

    select
        lead_id,
        person_key,
        created_at,
        started_at,
        place,
        min(case when place = 1 then lead_id end) over (partition by person_key, started_at) as group_lead_id
    from grouped

)

select * from final
