-- Calls of telephone systems, with the lead that each belongs to (int_identity_matches) and the CRM's user behind the agent's e-mail, or name.
with united as (

    {{ canonical('calls') }}

),

agents as (

    select
        lower(email) as email_key,
        min(user_id) as user_id
    from {{ ref('int_users') }}
    where email is not null
    group by lower(email)

),

-- a name that two users have names nobody
named_agents as (

    select
        lower(name) as name_key,
        min(user_id) as user_id
    from {{ ref('int_users') }}
    group by lower(name)
    having count(*) = 1

),

final as (

    select
        {{ star_except('united', ['lead_id', 'user_id', 'user_email']) }},
        coalesce(lead_merges.survivor_id, matches.lead_id) as lead_id,
        coalesce(united.user_id, agents.user_id, named_agents.user_id) as user_id
    from united
    left join {{ ref('int_identity_matches') }} as matches on matches.entity = 'call' and united.call_id = matches.record_id
    left join {{ ref('int_merged_records') }} as lead_merges on lead_merges.subject_type = 'lead' and matches.lead_id = lead_merges.record_id
    left join agents on lower(united.user_email) = agents.email_key
    left join named_agents on lower(united.agent) = named_agents.name_key

)

select * from final
