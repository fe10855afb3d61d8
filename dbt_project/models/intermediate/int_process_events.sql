{# The stage events of counted cases as received, in order, repeated and unmapped ones too; without a lead's events after the creation of its
   deal (docs/kpis.md, "Process map"). int_case_events is the ledger's view of the same events: mapped and collapsed. #}
with subjects as (
    select cases.case_id, 'lead' as subject_type, cases.lead_id as subject_id, 1 as subject_rank, deals.created_at as superseded_after
    from {{ ref('int_cases') }} as cases
    left join {{ ref('int_deals') }} as deals on cases.deal_id = deals.deal_id
    where cases.is_counted and cases.lead_id is not null

    union all

    select case_id, 'deal' as subject_type, deal_id as subject_id, 2 as subject_rank, cast(null as timestamp) as superseded_after
    from {{ ref('int_cases') }}
    where is_counted and deal_id is not null
),

final as (
    select
        subjects.case_id,
        coalesce(events.source_stage, events.stage_key) as activity,
        events."at" as happened_at,
        row_number() over (
            partition by subjects.case_id
            order by events."at", subjects.subject_rank, events.source_order, coalesce(events.source_stage, events.stage_key)
        ) as place
    from {{ ref('int_stage_events') }} as events
    inner join subjects on events.subject_type = subjects.subject_type and events.subject_id = subjects.subject_id
    where subjects.superseded_after is null or events."at" <= subjects.superseded_after
)

select * from final
