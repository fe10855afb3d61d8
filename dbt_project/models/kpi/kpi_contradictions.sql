{# The last dated event of a case whose present stage is another (int_case_events: observed), and records whose present stage nothing maps. #}
with dated as (
    select case_id, stage, row_number() over (partition by case_id order by place desc) as place_from_end
    from {{ ref('int_case_events') }}
    where not is_observed and disposition <> 'superseded' and time_precision <> 'none'
),

observed as (
    select
        events.case_id, events.subject_type, events.subject_id, events.source_stage, events.stage,
        case when events.time_precision = 'none' then 1 else 0 end as is_undated
    from {{ ref('int_case_events') }} as events
    where events.disposition = 'observed'
),

unmapped as (
    select
        cases.case_id, present.subject_type, present.subject_id, present.source_stage, cast(null as varchar) as stage, 1 as is_undated
    from {{ ref('int_present_stages') }} as present
    inner join {{ ref('int_cases') }} as cases
        on present.subject_type = case when cases.deal_id is null then 'lead' else 'deal' end
        and present.subject_id = coalesce(cases.deal_id, cases.lead_id)
    where present.stage_key is null and not present.is_ignored
),

united as (
    select * from observed
    union all
    select * from unmapped
),

final as (
    select
        {{ id_source('united.subject_id') }} as source,
        united.subject_type,
        united.source_stage,
        united.stage,
        dated.stage as ledger_stage,
        count(*) as records,
        cast(sum(united.is_undated) as bigint) as undated,
        cast(sum(deals.amount) as decimal(18, 2)) as amount,
        1 as definition_version,
        max(run.as_of) as as_of
    from united
    left join dated on united.case_id = dated.case_id and dated.place_from_end = 1
    left join {{ ref('fct_deal') }} as deals on united.subject_type = 'deal' and united.subject_id = deals.deal_id
    cross join {{ source('process', 'run') }} as run
    group by {{ id_source('united.subject_id') }}, united.subject_type, united.source_stage, united.stage, dated.stage
)

select * from final
