{# Received is counted where records come in (staging, quarantine), the others where they are judged: a record that gets lost between shows. #}
with received_records as (
    {%- for relation in canonical_relations('leads') %}
    select 'lead' as entity, lead_id as record_id from {{ relation }}
    union
    {%- endfor %}
    {%- for relation in canonical_relations('deals') %}
    select 'deal' as entity, deal_id as record_id from {{ relation }}
    union
    {%- endfor %}
    {%- for relation in canonical_relations('stage_events') %}
    select subject_type as entity, subject_id as record_id from {{ relation }} where subject_id is not null and subject_type in ('lead', 'deal')
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

judged_records as (
    select 'lead' as entity, lead_id as record_id, coalesce(exclusion_reason, 'counted') as reason from {{ ref('int_leads') }}
    union all
    select 'deal' as entity, deal_id as record_id, coalesce(exclusion_reason, 'counted') as reason from {{ ref('int_deals') }}
),

{# A record that came in right in another load was not rejected in the end. Without a key each rejected line is a record. A file that was
   refused as a whole has neither: it is no record. What a file held before it was mended, or is mapped by nothing now, waits no longer. #}
rejected_records as (
    select distinct
        {{ rejected_entity('quarantine.source', 'quarantine.table_name') }} as entity,
        coalesce(quarantine.source || ':' || quarantine.record_key, quarantine.source || '/' || quarantine.load_id || '/' || coalesce(quarantine.file, '')
            || '/' || coalesce(cast(quarantine.line as varchar), '') || '/' || coalesce(quarantine.record, '')) as record_id
    from {{ source('raw_log', 'quarantine') }} as quarantine
    left join {{ source('raw_log', 'files') }} as files
        on quarantine.source = files.source
        and quarantine.table_name = files.table_name
        and quarantine.file = files.file
        and quarantine.load_id = files.load_id
    where {{ rejected_entity('quarantine.source', 'quarantine.table_name') }} is not null
        and (quarantine.record is not null or quarantine.line is not null)
        and (quarantine.source in ({{ text_list(api_sources()) }}) or files.file is not null)
),

rejected as (
    select rejected_records.entity, rejected_records.record_id
    from rejected_records
    left join judged_records on rejected_records.entity = judged_records.entity and rejected_records.record_id = judged_records.record_id
    where judged_records.record_id is null
),

lines as (
    select entity, 'received' as reason, record_id from received_records
    union all
    select entity, 'received' as reason, record_id from rejected
    union all
    select entity, reason, record_id from judged_records
    union all
    select entity, 'rejected' as reason, record_id from rejected
),

{# What became of the amounts of counted deals. #}
amounts as (
    select
        stated.deal_id as record_id,
        case
            when marts.amount is not null then 'counted'
            when stated.amount < 0 then 'below zero'
            when stated.amount > {{ largest_amount() }} then 'more than a trillion'
            else 'no rate for ' || coalesce(stated.currency, 'the currency')
        end as reason
    from {{ ref('int_deals') }} as stated
    inner join {{ ref('fct_deal') }} as marts on stated.deal_id = marts.deal_id
    where stated.amount is not null
),

all_lines as (
    select * from lines
    union all
    select 'deal_amount' as entity, 'received' as reason, record_id from amounts
    union all
    select 'deal_amount' as entity, reason, record_id from amounts
),

final as (
    select
        lines.entity,
        lines.reason,
        count(distinct lines.record_id) as records,
        1 as definition_version,
        max(run.as_of) as as_of
    from all_lines as lines
    cross join {{ source('process', 'run') }} as run
    group by lines.entity, lines.reason
)

select * from final
