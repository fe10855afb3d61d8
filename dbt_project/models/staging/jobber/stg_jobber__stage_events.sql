-- Jobber keeps no history: stages come from time stamps, and from what was seen at each sync. A time stamp of a status that came again moves, so
-- those of all versions count. What has no time stamp (a request that is archived, an assessment that was booked) is dated by the change of the
-- first version that shows it: that is when it was known, at the latest.
with requests as (

    select
        *,
        {{ source_id("'jobber'", 'id') }} in (select lead_id from {{ ref('stg_jobber__deals') }} where lead_id is not null) as has_quote,
        {{ parse_timestamp('request.assessment.completedAt') }} as assessed_at
    from {{ ref('stg_jobber__requests') }}

),

states as (

    select
        *,
        case
            when has_quote then 'quoted'
            when request.requestStatus = 'archived' and request.assessment is not null then 'archived_after_assessment'
            when request.requestStatus = 'archived' then 'archived'
            when assessed_at is not null then 'assessment_completed'
            when request.assessment is not null then 'assessment_scheduled'
            else 'new'
        end as state
    from requests

),

changes as (

    {{ version_changes('states', 'id', 'state', 'modified_at', 'modified_at') }}

),

of_leads as (

    select id, value as stage, "at" from changes
    where value in ('archived', 'archived_after_assessment', 'assessment_scheduled') or (value = 'new' and place > 1)
        or (value = 'assessment_completed' and before in ('archived', 'archived_after_assessment'))
    union
    select id, 'assessment_completed', assessed_at from requests
    where assessed_at is not null

),

quotes as (

    select * from {{ ref('stg_jobber__quotes') }}

),

quote_changes as (

    {{ version_changes('quotes', 'id', 'status', 'status_since', 'status_since') }}

),

of_deals as (

    select id, 'draft' as stage, created_at as at from quotes
    where sent_at is null or sent_at > created_at
    union
    select id, 'awaiting_response', sent_at from quotes
    where sent_at is not null
    union
    select id, 'changes_requested', changes_requested_at from quotes
    where changes_requested_at is not null
    union
    select id, 'approved', approved_at from quotes
    where approved_at is not null
    union
    select id, 'archived', status_since from quotes
    where status = 'archived' and approved_at is null
    union
    -- taken out of the archive: its own time stamps are those of before
    select id, value, "at" from quote_changes
    where before = 'archived' and value in ('draft', 'awaiting_response', 'changes_requested', 'approved')

),

united as (

    select 'lead' as subject_type, id, stage, "at" from of_leads
    union all
    select 'deal', id, stage, "at" from of_deals

),

final as (

    select
        {{ source_id("'jobber'", 'id') }} || ':' || stage || ':' || cast("at" as varchar) as event_id,
        subject_type,
        {{ source_id("'jobber'", 'id') }} as subject_id,
        stage,
        cast(null as varchar) as pipeline,
        "at",
        cast(null as varchar) as owner_id,
        case stage
            when 'new' then 0 when 'draft' then 0 when 'assessment_scheduled' then 1 when 'awaiting_response' then 1
            when 'assessment_completed' then 2 when 'changes_requested' then 2 else 3
        end as source_order
    from united

)

select * from final
