{# Every canonical column that process.yml can require, as text. A deal's own values count here, not those it takes from its lead. #}
{% set lead_fields = ['created_by', 'first_name', 'last_name', 'email', 'phone', 'postcode', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type', 'status', 'owner_id'] %}
{% set deal_fields = {
    'lead_id': 'linked_lead_id', 'account_id': 'account_id', 'product_id': 'product_id', 'name': 'name', 'pipeline': 'pipeline', 'stage': 'stage',
    'currency': 'currency', 'loss_reason': 'loss_reason', 'budget_band': 'budget_band', 'need': 'need', 'next_step': 'next_step', 'owner_id': 'owner_id',
    'branch': 'own_branch', 'channel': 'own_channel', 'campaign': 'own_campaign', 'service_line': 'own_service_line', 'job_type': 'own_job_type',
    'customer_type': 'own_customer_type',
} %}
{% set deal_casts = ['created_at', 'closed_at', 'expected_close_date', 'is_decision_maker', 'wanted_by'] %}
with required as (

    select
        fields.object,
        fields.stage,
        fields.field,
        fields.weight,
        stages.stage_order,
        stages.kind
    from {{ source('process', 'required_fields') }} as fields
    inner join {{ ref('int_process_stages') }} as stages on fields.stage = stages.stage

),

records as (

    select
        'lead' as object,
        leads.lead_id as record_id,
        cases.case_id,
        cast(null as varchar) as undated_stage,
        {{ business_date('leads.created_at', 'leads.timezone') }} as created_date
    from {{ ref('int_leads') }} as leads
    inner join {{ ref('int_cases') }} as cases on leads.lead_id = cases.lead_id
    where leads.is_counted

    union all

    select
        'deal' as object,
        deals.deal_id as record_id,
        deals.case_id,
        deals.current_stage as undated_stage,
        deals.created_date
    from {{ ref('fct_deal') }} as deals

),

-- How far the record's case ever came, and where it stands; where nothing is dated, it came as far as it stands.
reached as (

    select
        records.object,
        records.record_id,
        records.created_date,
        case
            when outcomes.record_id is not null then outcomes.reached_order
            when stages.kind in ('open', 'won') then stages.stage_order
        end as reached_order,
        coalesce(outcomes.current_stage, records.undated_stage) as current_stage
    from records
    left join {{ ref('int_outcomes') }} as outcomes on outcomes.record_type = 'case' and records.case_id = outcomes.record_id
    left join {{ ref('int_process_stages') }} as stages on records.undated_stage = stages.stage

),

lead_cells as (

    select
        'lead' as object,
        lead_id as record_id,
        required.stage,
        required.field,
        required.weight,
        required.stage_order,
        required.kind,
        case required.field
            {% for field in lead_fields -%}
            when '{{ field }}' then {{ field }}
            {% endfor -%}
            when 'created_at' then cast(created_at as varchar)
        end as value
    from {{ ref('int_leads') }}
    inner join required on required.object = 'lead'
    where is_counted

),

deal_cells as (

    select
        'deal' as object,
        deal_id as record_id,
        required.stage,
        required.field,
        required.weight,
        required.stage_order,
        required.kind,
        case required.field
            {% for field, column in deal_fields.items() -%}
            when '{{ field }}' then deals.{{ column }}
            {% endfor -%}
            {% for field in deal_casts -%}
            when '{{ field }}' then cast(deals.{{ field }} as varchar)
            {% endfor -%}
            when 'amount' then {{ plain_number('deals.amount') }}
        end as value
    from {{ ref('int_deals') }} as deals
    inner join required on required.object = 'deal'
    where deals.is_counted

),

cells as (

    select * from lead_cells
    union all
    select * from deal_cells

),

placeholders as (

    select distinct lower(trim(value)) as value from {{ source('process', 'placeholders') }}

),

judged as (

    select
        cells.object,
        cells.record_id,
        cells.stage,
        cells.field,
        cast(cells.weight as double) as weight,
        reached.created_date,
        cells.value,
        coalesce(
            trim(cells.value) <> ''
            and placeholders.value is null
            and not (cells.field = 'phone' and {{ is_repeated_digit(digits('cells.value')) }}),
            false
        ) as is_filled
    from cells
    inner join reached
        on cells.object = reached.object
        and cells.record_id = reached.record_id
        and case when cells.kind in ('lost', 'disqualified') then cells.stage = reached.current_stage else cells.stage_order <= reached.reached_order end
    left join placeholders on lower(trim(cells.value)) = placeholders.value

),

final as (

    select
        judged.object,
        judged.record_id,
        judged.stage,
        judged.field,
        judged.weight,
        judged.is_filled,
        case when judged.is_filled then judged.weight else 0 end as filled_weight,
        case when judged.is_filled then
            case judged.field
                when 'email' then {{ matches('judged.value', '[^@ ]+@[^@ ]+[.][^@ .]+') }}
                when 'phone' then {{ phone_key('judged.value') }} is not null
                when 'postcode' then {{ matches('judged.value', '[A-Za-z0-9][A-Za-z0-9 -]{2,9}') }}
                when 'amount' then {{ try_cast('judged.value', 'decimal(18, 2)') }} > 0
            end
        end as is_valid,
        judged.created_date,
        records.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        records.channel,
        records.campaign,
        records.service_line,
        records.job_type,
        records.customer_type,
        versions.process_version,
        records.pipeline
    from judged
    inner join {{ ref('int_segments') }} as records on judged.object = records.subject_type and judged.record_id = records.subject_id
    cross join {{ source('process', 'run') }} as run
    {{ owner_at('owners', 'judged.object', 'judged.record_id', 'run.as_of') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ version_on('versions', 'judged.created_date') }}

)

select * from final
