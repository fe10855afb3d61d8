-- A mart has exactly the rows of what it is made from: no join drops or doubles any.
with counts as (

    select 'fct_lead' as mart, (select count(*) from {{ ref('fct_lead') }}) as found, (select count(*) from {{ ref('int_leads') }} where is_counted) as expected
    union all
    select 'fct_deal', (select count(*) from {{ ref('fct_deal') }}), (select count(*) from {{ ref('int_deals') }} where is_counted)
    union all
    select
        'fct_closed_deal',
        (select count(*) from {{ ref('fct_closed_deal') }}),
        (select count(*) from {{ ref('fct_deal') }} where outcome in ('won', 'lost'))
    union all
    select
        'fct_speed_to_lead',
        (select sum(leads_in_group) from {{ ref('fct_speed_to_lead') }}),
        (select count(*) from {{ ref('fct_lead') }} where not is_rep_created and created_at is not null)
    union all
    select 'fct_stage_transition', (select count(*) from {{ ref('fct_stage_transition') }}), (select count(*) from {{ ref('int_stage_moves') }})
    union all
    select
        'fct_stage_visit',
        (select count(*) from {{ ref('fct_stage_visit') }}),
        (select count(*) from {{ ref('fct_stage_transition') }} where is_counted and to_stage is not null)
    union all
    select
        'fct_activity',
        (select count(*) from {{ ref('fct_activity') }}),
        (
            select count(*)
            from {{ ref('int_activities') }}
            where lead_id in (select lead_id from {{ ref('fct_lead') }}) or deal_id in (select deal_id from {{ ref('fct_deal') }})
        )
    union all
    select
        'fct_web_session',
        (select sum(events) from {{ ref('fct_web_session') }}),
        (select count(*) from {{ ref('int_web_events') }} where session_id is not null)
    union all
    select
        'fct_survey_response',
        (select count(*) from {{ ref('fct_survey_response') }}),
        (
            select count(*)
            from {{ ref('int_survey_answers') }}
            where case
                when deal_id is not null then deal_id in (select deal_id from {{ ref('fct_deal') }})
                when lead_id is not null then lead_id in (select lead_id from {{ ref('fct_lead') }})
                else true
            end
        )
    union all
    -- every stage entry has a row for each open stage after it and for won
    select
        'fct_stage_conversion',
        (select count(*) from {{ ref('fct_stage_conversion') }}),
        (
            select count(*)
            from {{ ref('fct_stage_visit') }} as visits
            inner join {{ ref('int_process_stages') }} as stages on visits.stage = stages.stage and stages.kind = 'open'
            inner join {{ ref('int_process_stages') }} as later on later.stage_order > stages.stage_order and later.kind in ('open', 'won')
            where visits.visit_number = 1
        )

)

select *
from counts
where coalesce(found, 0) <> coalesce(expected, 0)
