-- The touches of ours of every case: outreach by hand, a meeting at the moment a person set it, the first touch that the lead's own record states.
with outreach as (

    select activity_id, lead_id, deal_id, "at" from {{ ref('int_activities') }} where {{ is_outreach() }}
    union all
    select activity_id, lead_id, deal_id, created_at from {{ ref('int_activities') }} where type = 'meeting' and not is_automated
    union all
    -- what the source itself says of the lead
    select lead_id, lead_id, null, first_touch_at from {{ ref('int_leads') }} where first_touch_at is not null

),

-- one that is linked to the lead and to the deal is one
final as (

    select cases.case_id, outreach.activity_id, outreach.at
    from outreach
    inner join {{ ref('int_cases') }} as cases on outreach.lead_id = cases.lead_id
    union
    select cases.case_id, outreach.activity_id, outreach.at
    from outreach
    inner join {{ ref('int_cases') }} as cases on outreach.deal_id = cases.deal_id

)

select * from final
