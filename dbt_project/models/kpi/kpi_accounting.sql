{# Where every row went. What is received is counted where it comes in (the accounting of loads, staging), what became of it where it is judged:
   a row that a model loses shows as a difference. #}
with files as (
    select
        source,
        table_name as entity,
        file,
        load_id,
        received,
        duplicates,
        filtered,
        refused_rows,
        case when load_id is not null and received is null then 1 else 0 end as is_unknown,
        case when has_erasures then 1 else 0 end as has_erasures
    from {{ source('raw_log', 'files') }}
),

of_files as (
    select
        source,
        entity,
        sum(received) as received,
        sum(duplicates) as duplicates,
        sum(filtered) as filtered,
        sum(refused_rows) as refused_rows,
        max(is_unknown) as is_unknown,
        max(has_erasures) as has_erasures
    from files
    group by source, entity
),

loads as (
    select source, table_name as entity, sum(received + coalesce(filtered, 0)) as received
    from {{ source('raw_log', 'loads') }}
    where source not in ({{ text_list(api_sources()) }})
    group by source, table_name
),

{# A file that was refused as a whole stands there as one row without a line. #}
quarantine as (
    select
        quarantine.source,
        quarantine.table_name as entity,
        sum(case when quarantine.line is null and quarantine.record is null then 1 else 0 end) as refusals,
        sum(case when (quarantine.line is not null or quarantine.record is not null) and files.file is not null then 1 else 0 end) as quarantined
    from {{ source('raw_log', 'quarantine') }} as quarantine
    left join files
        on quarantine.source = files.source
        and quarantine.table_name = files.entity
        and quarantine.file = files.file
        and quarantine.load_id = files.load_id
    where quarantine.source not in ({{ text_list(api_sources()) }})
    group by quarantine.source, quarantine.table_name
),

row_counts as (
    select source, entity, loaded_rows, records, other_records from {{ ref('stg_files__row_counts') }}
),

named as (
    select source, entity from of_files
    union
    select source, entity from loads
    union
    select source, entity from row_counts
),

known as (
    select
        named.source,
        named.entity,
        loads.received - coalesce(quarantine.refusals, 0) as received_in_all,
        coalesce(of_files.refused_rows, 0) as refused_rows,
        coalesce(of_files.received + of_files.filtered, 0) as received,
        coalesce(of_files.duplicates, 0) as duplicates,
        coalesce(of_files.filtered, 0) as filtered,
        coalesce(quarantine.quarantined, 0) as quarantined,
        coalesce(row_counts.loaded_rows, 0) as loaded_rows,
        coalesce(row_counts.records, 0) as records,
        coalesce(row_counts.other_records, 0) as other_records,
        coalesce(of_files.is_unknown, 1) as is_unknown,
        coalesce(of_files.has_erasures, 0) as has_erasures
    from named
    left join loads on named.source = loads.source and named.entity = loads.entity
    left join of_files on named.source = of_files.source and named.entity = of_files.entity
    left join quarantine on named.source = quarantine.source and named.entity = quarantine.entity
    left join row_counts on named.source = row_counts.source and named.entity = row_counts.entity
),

{# Files that were read before their rows were noted have those that are there. #}
counted_files as (
    select
        source,
        entity,
        received_in_all,
        refused_rows,
        duplicates,
        filtered,
        quarantined,
        loaded_rows,
        records,
        other_records,
        has_erasures,
        case when is_unknown = 1 then loaded_rows + quarantined + duplicates + filtered else received end as received
    from known
),

stage_events as (
    select
        {{ id_source('coalesce(events.subject_id, events.event_id)') }} as source,
        case
            when records.subject_id is null then 'no_record'
            when events.stage is null then 'no_stage'
            when events.at is null then 'undated'
            when events.at > {{ as_of() }} then 'after_as_of'
            when not records.is_counted then 'record_not_counted'
            else 'judged'
        end as reason,
        count(*) as n
    from ({{ canonical('stage_events') }}) as events
    left join {{ ref('int_segments') }} as records on events.subject_type = records.subject_type and events.subject_id = records.subject_id
    group by 1, 2
),

field_history as (
    select
        {{ id_source('changes.subject_id') }} as source,
        case
            when records.subject_id is null then 'no_record'
            when changes.at is null then 'undated'
            when changes.at > {{ as_of() }} then 'after_as_of'
            when not records.is_counted then 'record_not_counted'
            when changes.field in ('stage', 'status') then case when changes.value is null then 'no_stage' else 'judged' end
            when changes.field in ('owner_id', 'pipeline', 'amount', 'expected_close_date') then 'counted'
            else 'no_kpi_reads_it'
        end as reason,
        count(*) as n
    from {{ ref('int_field_changes') }} as changes
    left join {{ ref('int_segments') }} as records on changes.subject_type = records.subject_type and changes.subject_id = records.subject_id
    group by 1, 2
),

judged_events as (
    select
        events.entity,
        {{ id_source('events.subject_id') }} as source,
        case when events.is_ignored then 'ignored' else 'unmapped_stage' end as reason,
        count(*) as n
    from {{ ref('int_stage_events') }} as events
    inner join {{ ref('int_segments') }} as records
        on events.subject_type = records.subject_type and events.subject_id = records.subject_id and records.is_counted
    where events.stage_key is null
    group by 1, 2, 3
    union all
    select
        events.entity,
        {{ id_source('events.subject_id') }} as source,
        case events.disposition when 'used' then 'counted' when 'superseded' then 'after_its_deal' else events.disposition end as reason,
        count(*) as n
    from {{ ref('int_case_events') }} as events
    inner join {{ ref('int_segments') }} as records
        on events.subject_type = records.subject_type and events.subject_id = records.subject_id and records.is_counted
    where events.entity is not null
    group by 1, 2, 3
),

became as (
    select 'leads' as entity, {{ id_source('lead_id') }} as source, coalesce(exclusion_reason, 'counted') as reason, count(*) as n
    from {{ ref('int_leads') }}
    where not is_derived
    group by 1, 2, 3
    union all
    select 'deals', {{ id_source('deal_id') }}, coalesce(exclusion_reason, 'counted'), count(*)
    from {{ ref('int_deals') }}
    where not is_derived
    group by 1, 2, 3
    union all
    select
        'deal_leads',
        {{ id_source('links.link_id') }},
        case
            when deals.deal_id is null or leads.lead_id is null then 'no_record'
            when not deals.is_counted then 'record_not_counted'
            when coalesce(leads.merged_into_id, leads.lead_id) = deals.lead_id then 'counted'
            else 'another_lead_counts'
        end,
        count(*)
    from {{ ref('stg_files__deal_leads') }} as links
    left join {{ ref('int_deals') }} as deals on links.deal_id = deals.deal_id
    left join {{ ref('int_leads') }} as leads on links.lead_id = leads.lead_id
    group by 1, 2, 3
    union all
    select 'stage_events', source, reason, n from stage_events
    where reason <> 'judged'
    union all
    select 'field_history', source, reason, n from field_history
    where reason <> 'judged'
    union all
    select entity, source, reason, n from judged_events
    union all
    select
        records.entity,
        {{ id_source('records.activity_id') }},
        case
            when records.left_out is not null then records.left_out
            when marts.activity_id is not null or called.call_id is not null then 'counted'
            when records.lead_id is null and records.deal_id is null then case when booked.job_id is null then 'no_record' else 'work_visit' end
            else 'record_not_counted'
        end,
        count(*)
    from {{ ref('int_activity_records') }} as records
    left join {{ ref('fct_activity') }} as marts on records.activity_id = marts.activity_id
    left join {{ ref('fct_call') }} as called on records.activity_id = called.call_id
    left join {{ ref('int_appointments') }} as booked on records.entity = 'appointments' and records.activity_id = booked.appointment_id
    group by 1, 2, 3
    union all
    select 'web_events', {{ id_source('event_id') }}, case when "at" is null then 'undated' else 'after_as_of' end, count(*)
    from ({{ canonical('web_events') }}) as events
    where "at" is null or "at" > {{ as_of() }}
    group by 1, 2, 3
    union all
    select 'web_events', {{ id_source('event_id') }}, case when session_id is null then 'no_session' else 'counted' end, count(*)
    from {{ ref('int_web_events') }}
    group by 1, 2, 3
    union all
    select 'survey_answers', {{ id_source('response_id') }}, case when submitted_at is null then 'not_submitted' else 'after_as_of' end, count(*)
    from ({{ canonical('survey_answers') }}) as answers
    where submitted_at is null or submitted_at > {{ as_of() }}
    group by 1, 2, 3
    union all
    select
        'survey_answers',
        {{ id_source('answers.response_id') }},
        case
            when marts.response_id is null then 'record_not_counted'
            when marts.nps_score is not null or marts.csat_score is not null then 'counted'
            when answers.nps_score is not null or answers.csat_score is not null or answers.other_scale is not null then 'score_off_scale'
            else 'no_score'
        end,
        count(*)
    from {{ ref('int_survey_answers') }} as answers
    left join {{ ref('fct_survey_response') }} as marts on answers.response_id = marts.response_id
    group by 1, 2, 3
    union all
    select 'users', {{ id_source('users.user_id') }}, case when marts.user_id is null then 'not_a_user' else 'counted' end, count(*)
    from ({{ canonical('users') }}) as users
    left join {{ ref('dim_user') }} as marts on users.user_id = marts.user_id
    group by 1, 2, 3
    union all
    select
        'estimates',
        {{ id_source('records.estimate_id') }},
        case
            when records.is_deleted then 'deleted'
            when records.sent_at is null or records.status = 'draft' then 'not_presented'
            when records.sent_at > {{ as_of() }} then 'after_as_of'
            when marts.deal_id is not null then 'counted'
            when deals.deal_id is null then 'no_record'
            else 'record_not_counted'
        end,
        count(*)
    from {{ ref('int_estimates') }} as records
    left join {{ ref('int_deals') }} as deals on records.deal_id = deals.deal_id
    left join {{ ref('fct_job_chain') }} as marts on records.deal_id = marts.deal_id
    group by 1, 2, 3
    union all
    select
        'jobs',
        {{ id_source('records.job_id') }},
        case
            when records.is_deleted then 'deleted'
            when records.created_at is null then 'undated'
            when records.created_at > {{ as_of() }} then 'after_as_of'
            when marts.deal_id is not null then 'counted'
            when deals.deal_id is null then 'no_record'
            else 'record_not_counted'
        end,
        count(*)
    from {{ ref('int_jobs') }} as records
    left join {{ ref('int_deals') }} as deals on records.deal_id = deals.deal_id
    left join {{ ref('fct_job_chain') }} as marts on records.deal_id = marts.deal_id
    group by 1, 2, 3
    union all
    select
        'invoices',
        {{ id_source('records.invoice_id') }},
        case
            when records.is_deleted then 'deleted'
            when records.status in ('draft', 'void') then records.status
            when records.invoiced_at is null then 'undated'
            when records.invoiced_at > {{ as_of() }} then 'after_as_of'
            when marts.deal_id is not null then 'counted'
            when deals.deal_id is null then 'no_record'
            else 'record_not_counted'
        end,
        count(*)
    from {{ ref('int_invoices') }} as records
    left join {{ ref('int_deals') }} as deals on records.deal_id = deals.deal_id
    left join {{ ref('fct_job_chain') }} as marts on records.deal_id = marts.deal_id
    group by 1, 2, 3
    union all
    select
        'payments',
        {{ id_source('records.payment_id') }},
        case
            when marts.payment_id is not null then 'counted'
            when records.is_deleted then 'deleted'
            when records.paid_at is null then 'undated'
            when records.paid_at > {{ as_of() }} then 'after_as_of'
            else 'record_not_counted'
        end,
        count(*)
    from {{ ref('int_payments') }} as records
    left join {{ ref('fct_payment') }} as marts on records.payment_id = marts.payment_id
    group by 1, 2, 3
    union all
    select 'products', {{ id_source('product_id') }}, 'counted', count(*)
    from {{ ref('dim_product') }}
    group by 1, 2, 3
),

staged as (
    {{ staged_counts() }}
),

lines as (
    select source, entity, 'received' as reason, coalesce(received_in_all, received) + refused_rows as n from counted_files
    union all
    select source, entity, 'refused_file', refused_rows from counted_files
    union all
    select source, entity, 'earlier_reading', coalesce(received_in_all, received) - received from counted_files
    union all
    select source, entity, 'duplicate', duplicates from counted_files
    union all
    select source, entity, 'filtered', filtered from counted_files
    union all
    select source, entity, 'quarantined', quarantined from counted_files
    union all
    select source, entity, 'erased', received - duplicates - filtered - quarantined - loaded_rows from counted_files
    where has_erasures = 1
    union all
    select source, entity, 'superseded', loaded_rows - records - other_records from counted_files
    where entity <> 'stage_events'
    union all
    select source, entity, 'id_of_another_record', other_records from counted_files
    union all
    select files.source, files.entity, 'superseded', files.loaded_rows - coalesce(sum(staged_events.n), 0)
    from counted_files as files
    left join stage_events as staged_events on files.source = staged_events.source
    where files.entity = 'stage_events'
    group by files.source, files.entity, files.loaded_rows
    union all
    select source, entity, 'no_kpi_reads_it', records from counted_files
    where entity in ({{ text_list(unread_entities()) }})
    union all
    select source, entity, 'received', n from staged
    union all
    select source, entity, 'received', n from became
    where entity in ('leads', 'deals') and source in ({{ text_list(api_sources()) }})
    union all
    select source, 'field_history', 'received', n from field_history
    where source in ({{ text_list(api_sources()) }})
    union all
    select source, entity, 'no_kpi_reads_it', n from staged
    where entity in ({{ text_list(unread_entities()) }})
    union all
    select source, entity, reason, n from became
),

final as (
    select
        lines.source,
        lines.entity,
        lines.reason,
        cast(sum(lines.n) as bigint) as "rows",
        lines.reason = 'counted' as is_counted,
        1 as definition_version,
        max(run.as_of) as as_of
    from lines
    cross join {{ source('process', 'run') }} as run
    group by lines.source, lines.entity, lines.reason
    having sum(lines.n) <> 0
)

select * from final
