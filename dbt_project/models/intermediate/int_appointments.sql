-- Appointments with the lead that each belongs to (int_identity_matches) and the CRM's user behind the host's e-mail.
with united as (

    {{ canonical('appointments') }}

),

agents as (

    select
        lower(email) as email_key,
        min(user_id) as user_id
    from {{ ref('int_users') }}
    where email is not null
    group by lower(email)

),

final as (

    select
        {{ star_except('united', ['lead_id', 'user_id', 'user_email', 'email', 'phone', 'first_name', 'last_name']) }},
        coalesce(lead_merges.survivor_id, matches.lead_id) as lead_id,
        coalesce(united.user_id, agents.user_id) as user_id
    from united
    left join {{ ref('int_identity_matches') }} as matches on matches.entity = 'appointment' and united.appointment_id = matches.record_id
    left join {{ ref('int_merged_records') }} as lead_merges on lead_merges.subject_type = 'lead' and matches.lead_id = lead_merges.record_id
    left join agents on lower(united.user_email) = agents.email_key

)

select * from final
