-- One journey: a lead and the deal that continues it; every other deal is a case of its own.
with dated_deals as (

    select
        deals.deal_id,
        deals.lead_id,
        deals.created_at
    from {{ ref('int_deals') }} as deals
    inner join (select distinct subject_id from {{ ref('int_stage_events') }} where subject_type = 'deal' and stage_key is not null) as events
        on deals.deal_id = events.subject_id
    where deals.is_counted and deals.created_at is not null

),

continuing as (

    select
        leads.lead_id,
        dated_deals.deal_id,
        row_number() over (partition by leads.lead_id order by dated_deals.created_at, dated_deals.deal_id) as place
    from {{ ref('int_leads') }} as leads
    inner join dated_deals on leads.lead_id = dated_deals.lead_id and dated_deals.created_at >= leads.created_at
    where leads.is_counted

),

lead_cases as (

    select
        leads.lead_id as case_id,
        leads.lead_id,
        continuing.deal_id,
        leads.is_counted
    from {{ ref('int_leads') }} as leads
    left join continuing on leads.lead_id = continuing.lead_id and continuing.place = 1
    where leads.exclusion_reason is null or leads.exclusion_reason <> 'after_as_of'

),

deal_cases as (

    select
        deals.deal_id as case_id,
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
