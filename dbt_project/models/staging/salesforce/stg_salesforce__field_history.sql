-- Stages, amounts and close dates from OpportunityHistory, which is always on; status and owners from the tracked field histories. The value
-- before the first change was so since the record was created.
with opportunity_history as (

    {{ newest_version(source('raw_salesforce', 'opportunity_history'), ['id']) }}

),

states as (

    select
        id,
        created_at,
        {{ salesforce_record(['OpportunityId', 'StageName', 'Amount', 'CloseDate']) }} as fields
    from opportunity_history
    where not coalesce(is_deleted, false)

),

ordered as (

    select
        fields.OpportunityId as record_id,
        created_at as at,
        {{ clean('fields.StageName') }} as stage,
        {{ clean('fields.Amount') }} as amount,
        {{ clean('fields.CloseDate') }} as close_date,
        row_number() over (partition by fields.OpportunityId order by created_at, id) as place
    from states

),

compared as (

    select
        *,
        lag(stage) over (partition by record_id order by place) as stage_before,
        lag(amount) over (partition by record_id order by place) as amount_before,
        lag(close_date) over (partition by record_id order by place) as close_date_before
    from ordered

),

-- a row says how all three were afterwards: only what differs from the row before was changed
changes_of_deals as (

    select 'deal' as subject_type, record_id, 'stage' as field, stage as value, "at", place from compared
    where stage is distinct from stage_before
    union all
    select 'deal' as subject_type, record_id, 'amount' as field, amount as value, "at", place from compared
    where amount is distinct from amount_before
    union all
    select 'deal' as subject_type, record_id, 'expected_close_date' as field, close_date as value, "at", place from compared
    where close_date is distinct from close_date_before

),

tracked as (

    {{ salesforce_tracked('lead_history', 'lead', 'LeadId') }}
    union all
    {{ salesforce_tracked('opportunity_field_history', 'deal', 'OpportunityId') }}

),

statuses as (

    {{ newest_version(source('raw_salesforce', 'lead_statuses'), ['id']) }}

),

converted as (

    select {{ salesforce_record(['ApiName', 'IsConverted']) }} as fields from statuses

),

-- the change of an owner is noted twice: with the names, and with the ids
relevant as (

    select
        tracked.subject_type,
        tracked.record_id,
        case when tracked.field = 'Owner' then 'owner_id' else 'status' end as field,
        tracked.old_value,
        tracked.new_value,
        tracked.at,
        row_number() over (partition by tracked.subject_type, tracked.record_id, tracked.field order by tracked.at, tracked.id) as place
    from tracked
    where (tracked.field = 'Owner' and {{ matches('tracked.new_value', '00[5G][A-Za-z0-9]{12,15}') }})
        or (
            tracked.field = 'Status' and tracked.subject_type = 'lead'
            and tracked.new_value not in (select converted.fields.ApiName from converted where {{ word_boolean('converted.fields.IsConverted') }})
        )

),

-- what a lead's status was before its first change, also where that was the conversion
first_statuses as (

    select
        record_id,
        old_value,
        row_number() over (partition by record_id order by "at", id) as place
    from tracked
    where subject_type = 'lead' and field = 'Status'

),

records as (

    select 'lead' as subject_type, lead_id as subject_id, created_at, owner_id, status from {{ ref('stg_salesforce__leads') }}
    union all
    select 'deal' as subject_type, deal_id as subject_id, created_at, owner_id, cast(null as varchar) as status from {{ ref('stg_salesforce__deals') }}

),

firsts as (

    select
        records.subject_type,
        records.subject_id,
        records.created_at as at,
        case when owners.record_id is null then records.owner_id else {{ salesforce_user('owners.old_value') }} end as owner_id,
        coalesce(lead_statuses.old_value, records.status) as status
    from records
    left join relevant as owners
        on records.subject_type = owners.subject_type and records.subject_id = {{ source_id("'salesforce'", 'owners.record_id') }}
        and owners.field = 'owner_id' and owners.place = 1
    left join first_statuses as lead_statuses
        on records.subject_type = 'lead' and records.subject_id = {{ source_id("'salesforce'", 'lead_statuses.record_id') }} and lead_statuses.place = 1

),

final as (

    select subject_type, {{ source_id("'salesforce'", 'record_id') }} as subject_id, field, value, "at", cast(place as bigint) as source_order
    from changes_of_deals
    union all
    select
        subject_type,
        {{ source_id("'salesforce'", 'record_id') }} as subject_id,
        field,
        case when field = 'owner_id' then {{ salesforce_user('new_value') }} else new_value end as value,
        "at",
        cast(place as bigint) as source_order
    from relevant
    union all
    select subject_type, subject_id, 'owner_id' as field, owner_id as value, "at", cast(0 as bigint) as source_order
    from firsts
    where owner_id is not null
    union all
    select subject_type, subject_id, 'status' as field, status as value, "at", cast(0 as bigint) as source_order
    from firsts
    where status is not null and subject_type = 'lead'

)

select * from final
