-- Completed answers up to as_of, linked to a lead or deal: by the ids that the form was sent with, else by the e-mail.
with united as (

    {{ canonical('survey_answers') }}

),

completed as (

    select *
    from united
    where submitted_at is not null and submitted_at <= {{ as_of() }}

),

linked as (

    select
        completed.response_id,
        completed.form_id,
        completed.submitted_at,
        completed.nps_score,
        completed.csat_score,
        completed.other_scale,
        completed.comment,
        lower(completed.email) as email_key,
        leads.lead_id,
        deals.deal_id
    from completed
    left join {{ ref('int_merged_records') }} as lead_merges
        on lead_merges.subject_type = 'lead' and completed.lead_id = lead_merges.record_id
    left join {{ ref('int_merged_records') }} as deal_merges
        on deal_merges.subject_type = 'deal' and completed.deal_id = deal_merges.record_id
    left join {{ ref('int_leads') }} as leads on leads.lead_id = coalesce(lead_merges.survivor_id, completed.lead_id)
    left join {{ ref('int_deals') }} as deals on deals.deal_id = coalesce(deal_merges.survivor_id, completed.deal_id)

),

-- the newest lead of the address at that time, a counted one before any other
by_email as (

    select
        linked.response_id,
        persons.lead_id,
        row_number() over (partition by linked.response_id order by persons.is_counted desc, persons.created_at desc, persons.lead_id) as place
    from linked
    inner join {{ ref('int_lead_persons') }} as persons on linked.email_key = persons.valid_email and persons.created_at <= linked.submitted_at
    where linked.lead_id is null and linked.deal_id is null

),

final as (

    select
        linked.response_id,
        linked.form_id,
        linked.submitted_at,
        linked.nps_score,
        linked.csat_score,
        linked.other_scale,
        linked.comment,
        coalesce(linked.lead_id, deals.lead_id, by_email.lead_id) as lead_id,
        linked.deal_id
    from linked
    left join {{ ref('int_deals') }} as deals on linked.deal_id = deals.deal_id
    left join by_email on linked.response_id = by_email.response_id and by_email.place = 1

)

select * from final
