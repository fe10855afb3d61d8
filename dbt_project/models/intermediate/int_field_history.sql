-- Every known change of a field up to as_of: owner_id, stage, pipeline, amount, expected_close_date and what files bring.
with logged as (

    {{ canonical('stage_events') }}

),

united as (

    select subject_type, subject_id, field, value, "at", source_order from {{ ref('int_field_changes') }}
    union all
    -- a record that only an event log tells of belongs to whoever did the step
    select events.subject_type, events.subject_id, 'owner_id' as field, events.owner_id as value, events.at, events.source_order
    from logged as events
    inner join {{ ref('int_segments') }} as records
        on events.subject_type = records.subject_type and events.subject_id = records.subject_id and records.is_derived

),

known as (

    select
        subject_type,
        subject_id,
        field,
        value,
        "at",
        source_order,
        false as is_implied
    from united
    where "at" <= {{ as_of() }}

),

-- What a source has no history of was so since the record was created, as far as anyone can know.
current_values as (

    select deal_id as subject_id, created_at, 'amount' as field, cast(amount as varchar) as value from {{ ref('int_deals') }} where amount is not null
    union all
    select deal_id, created_at, 'expected_close_date', cast(expected_close_date as varchar) from {{ ref('int_deals') }} where expected_close_date is not null

),

implied as (

    select
        'deal' as subject_type,
        current_values.subject_id,
        current_values.field,
        current_values.value,
        current_values.created_at as at,
        cast(0 as bigint) as source_order,
        true as is_implied
    from current_values
    left join known
        on known.subject_type = 'deal' and current_values.subject_id = known.subject_id and current_values.field = known.field
    where known.subject_id is null and current_values.created_at <= {{ as_of() }}

),

final as (

    select * from known
    union all
    select * from implied

)

select * from final
