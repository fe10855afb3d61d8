-- How far each deal is qualified: which criteria of process.yml (qualification) it meets. docs/kpis/qualification.md says which deals are judged.
{% set rules = var('qualification') -%}
{% set met = [] -%}
{% for rule in rules['criteria'] %}{% do met.append('met_' ~ loop.index) %}{% endfor -%}
with placeholders as (

    select distinct lower(trim(value)) as value from {{ source('process', 'placeholders') }}

),

-- "deal" and "lead" are words of the rules; a text that says nothing is no value
{% for object, relation in {'deal': ref('int_deals'), 'lead': ref('int_leads')}.items() -%}
{{ object }} as (

    select
        {{ 'deal_id, ' if object == 'deal' }}lead_id
        {%- for column in rules['columns'][object] if column.name not in ('deal_id', 'lead_id') %},
        {% if column.is_text -%}
        case
            when trim("{{ column.name }}") <> '' and lower(trim("{{ column.name }}")) not in (select value from placeholders) then "{{ column.name }}"
        end as "{{ column.name }}"
        {%- else -%}
        "{{ column.name }}"
        {%- endif -%}
        {%- endfor %}
    from {{ relation }}
    where is_counted

),

{% endfor -%}
judged_rules as (

    select
        deal.deal_id
        {%- for rule in rules['criteria'] %},
        case when {{ rule.sql }} then 1 else 0 end as {{ met[loop.index0] }}
        {%- endfor %}
    from deal
    left join lead on deal.lead_id = lead.lead_id
    {{ 'where false' if not met }}

),

scored as (

    select
        deal_id,
        {{ met | join(' + ') or '0' }} as criteria_met,
        {% set missing -%}
        {% for rule in rules['criteria'] %}case when {{ met[loop.index0] }} = 0 then '{{ rule.criterion }}' end{{ ', ' if not loop.last }}{% endfor %}
        {%- endset -%}
        {{ joined(', ', missing) if met else 'cast(null as varchar)' }} as missing
    from judged_rules

),

after_stage as (

    select max(stages.stage_order) as stage_order
    from {{ source('process', 'qualification_criteria') }} as criteria
    inner join {{ ref('int_process_stages') }} as stages on criteria.after_stage = stages.stage

),

-- a case that was won came past every stage; where the process names none, all deals are judged
judged as (

    select
        deals.*,
        scored.criteria_met,
        scored.missing,
        after_stage.stage_order is null or coalesce(outcomes.outcome = 'won' or outcomes.reached_order > after_stage.stage_order, false) as is_judged
    from {{ ref('fct_deal') }} as deals
    inner join scored on deals.deal_id = scored.deal_id
    cross join after_stage
    left join {{ ref('int_outcomes') }} as outcomes on outcomes.record_type = 'case' and deals.case_id = outcomes.record_id

),

final as (

    select
        deal_id,
        case_id,
        lead_id,
        created_date,
        created_weekday,
        current_stage,
        outcome,
        {{ met | length }} as criteria,
        criteria_met,
        missing,
        is_judged,
        case when is_judged then criteria_met end as score,
        case when is_judged then criteria_met = {{ met | length }} end as is_qualified,
        branch,
        rep,
        rep_id,
        team,
        channel,
        campaign,
        service_line,
        job_type,
        customer_type,
        process_version,
        pipeline
    from judged

)

select * from final
