-- Forms that were sent off, with the lead that each belongs to (int_identity_matches).
with united as (

    {{ canonical('form_submissions') }}

),

final as (

    select
        {{ star_except('united', ['lead_id']) }},
        matches.lead_id
    from united
    left join {{ ref('int_identity_matches') }} as matches on matches.entity = 'form_submission' and united.submission_id = matches.record_id

)

select * from final
