-- One journey: a lead and the deal that continues it; every other deal is a case of its own. A lead and a deal may have the same id.
with continuing as (

    select
        leads.lead_id,
        deals.deal_id,
        -- a deal of which nobody knows when it was created stays with the lead that it names
        row_number() over (
            partition by leads.lead_id
            order by case when deals.created_at is null then 1 else 0 end, deals.created_at, deals.deal_id
        ) as place
    from {{ ref('int_leads') }} as leads
    inner join {{ ref('int_deals') }} as deals on leads.lead_id = deals.lead_id
    left join (
        select distinct subject_id
        from {{ ref('int_stage_events') }}
        where subject_type = 'deal' and stage_key is not null
    ) as dated on deals.deal_id = dated.subject_id
    left join {{ ref('int_present_stages') }} as present
        on present.subject_type = 'deal' and deals.deal_id = present.subject_id and present.stage_key is not null
    where leads.is_counted
        and deals.is_counted
        and (dated.subject_id is not null or present.subject_id is not null)
        and coalesce(not {{ is_after('leads.created_at', 'deals.created_at', 'leads.timezone') }}, true)

),

lead_cases as (

    select
        'lead/' || leads.lead_id as case_id,
        leads.lead_id,
        continuing.deal_id,
        leads.is_counted
    from {{ ref('int_leads') }} as leads
    left join continuing on leads.lead_id = continuing.lead_id and continuing.place = 1
    where leads.exclusion_reason is null or leads.exclusion_reason <> 'after_as_of'

),

deal_cases as (

    select
        'deal/' || deals.deal_id as case_id,
        cast(null as varchar) as lead_id,
        deals.deal_id,
        deals.is_counted
    from {{ ref('int_deals') }} as deals
    left join continuing on deals.deal_id = continuing.deal_id and continuing.place = 1
    where continuing.deal_id is null
        and (deals.exclusion_reason is null or deals.exclusion_reason <> 'after_as_of')

),

final as (

    select * from lead_cases
    union all
    select * from deal_cases

)

select * from final
