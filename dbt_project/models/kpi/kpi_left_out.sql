-- Values of counted records that can't be true: the KPIs that need them are computed without, and the record counts in all others.
with wins as (
    select events.subject_id as deal_id, max(events.at) as won_at
    from {{ ref('int_stage_events') }} as events
    inner join {{ source('process', 'stages') }} as stages on events.stage_key = stages.stage
    where events.subject_type = 'deal' and stages.kind = 'won'
    group by events.subject_id
),

{# What is later than its load was not closed when it was sent, whatever as_of is. #}
closes_to_come as (
    select closes.deal_id, closes.closes_at
    from {{ ref('int_closes_to_come') }} as closes
    left join (
        select source, max(loaded_at) as loaded_at
        from {{ source('raw_log', 'loads') }}
        group by source
    ) as loads on closes.source = loads.source
    where closes.closes_at > coalesce(loads.loaded_at, {{ as_of() }})
),

sources_with_leads as (
    select distinct {{ id_source('lead_id') }} as source
    from {{ ref('int_leads') }}
),

deals as (
    select
        marts.deal_id,
        stated.lead_id,
        stated.linked_lead_id,
        marts.outcome,
        coalesce(marts.created_at, case when marts.is_cycle_from_lead then leads.created_at end) as created_at,
        marts.closed_at,
        marts.cycle_days,
        marts.is_negative_cycle,
        stated.amount,
        stated.closed_at as stated_closed_at,
        wins.won_at,
        marts.is_negative_cycle or coalesce(
            {{ business_date('wins.won_at', 'stated.timezone') }} < {{ business_date('marts.created_at', 'stated.timezone') }}, false
        ) as is_won_before
    from {{ ref('fct_deal') }} as marts
    inner join {{ ref('int_deals') }} as stated on marts.deal_id = stated.deal_id
    left join {{ ref('int_leads') }} as leads on marts.lead_id = leads.lead_id
    left join wins on marts.deal_id = wins.deal_id
),

findings as (
    select
        'deal' as record_type, deal_id as record_id, 'amount' as field, cast(amount as varchar) as value,
        case when amount < 0 then 'an amount below zero' else 'an amount of more than a trillion' end as reason, 'amounts, pipeline, forecast' as left_out_of
    from deals
    where amount < 0 or amount > {{ largest_amount() }}
    union all
    select
        'deal', deal_id, 'closed_at', {{ iso_day('coalesce(won_at, stated_closed_at, closed_at)') }},
        'won before it was created (' || {{ iso_day('created_at') }} || ')', 'sales cycle'
    from deals
    where is_won_before
    union all
    select
        'deal', deal_id, 'created_at', {{ iso_day('created_at') }},
        'won more than ten years after it was created (' || {{ iso_day('closed_at') }} || ')', 'sales cycle'
    from deals
    where outcome = 'won' and created_at is not null and closed_at is not null and cycle_days is null and not is_negative_cycle
    union all
    select 'deal', deals.deal_id, 'lead_id', {{ id_in_source('deals.linked_lead_id') }}, 'names a lead that no lead has as its id', 'the conversion of leads'
    from deals
    inner join sources_with_leads on {{ id_source('deals.linked_lead_id') }} = sources_with_leads.source
    where deals.lead_id is null
    union all
    select 'deal', closes.deal_id, 'closed_at', {{ iso_day('closes.closes_at') }}, 'closed in the future: it is open until then', 'wins and losses'
    from closes_to_come as closes
    inner join deals on closes.deal_id = deals.deal_id
    where deals.outcome = 'open'
    union all
    select 'deal', deal_id, 'closed_at', null, outcome || ' without a date', 'every period (it counts in all)'
    from deals
    where outcome in ('won', 'lost') and closed_at is null and not is_won_before
    union all
    select
        'survey_response', answers.response_id, 'nps_score', cast(answers.nps_score as varchar),
        'a score outside of 0 to 10', 'NPS'
    from {{ ref('int_survey_answers') }} as answers
    inner join {{ ref('fct_survey_response') }} as responses on answers.response_id = responses.response_id
    where not (answers.nps_score between 0 and 10)
    union all
    select
        'survey_response', answers.response_id, 'csat_score', cast(answers.csat_score as varchar),
        'a score outside of 1 to 5', 'CSAT'
    from {{ ref('int_survey_answers') }} as answers
    inner join {{ ref('fct_survey_response') }} as responses on answers.response_id = responses.response_id
    where not (answers.csat_score between 1 and 5)
    union all
    select
        'survey_response', answers.response_id, 'score', answers.other_scale,
        'a scale of other steps than 0 to 10 or 1 to 5', 'NPS, CSAT'
    from {{ ref('int_survey_answers') }} as answers
    inner join {{ ref('fct_survey_response') }} as responses on answers.response_id = responses.response_id
    where answers.other_scale is not null
),

final as (
    select
        findings.record_type,
        findings.record_id,
        findings.field,
        findings.value,
        findings.reason,
        findings.left_out_of,
        {{ kpi_stamp() }}
    from findings
    cross join {{ source('process', 'run') }} as run
)

select * from final
