-- Persons of all systems, with the lead that each is (int_identity_matches).
with united as (

    {{ canonical('contacts') }}

),

final as (

    select
        {{ star_except('united', ['lead_id']) }},
        matches.lead_id
    from united
    left join {{ ref('int_identity_matches') }} as matches on matches.entity = 'contact' and united.contact_id = matches.record_id

)

select * from final
