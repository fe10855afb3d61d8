-- Owner at a time: the newest entry at or before it; before the first entry, the first entry. Periods of a record have no gaps.
with entries as (

    select
        subject_type,
        subject_id,
        value as owner_id,
        "at",
        -- of entries at the same moment the last one in the source's order holds
        row_number() over (partition by subject_type, subject_id, "at" order by source_order desc, value desc) as place_at_moment
    from {{ ref('int_field_history') }}
    where field = 'owner_id'

),

periods as (

    select
        subject_type,
        subject_id,
        owner_id,
        "at",
        row_number() over (partition by subject_type, subject_id order by "at") as place,
        lead("at") over (partition by subject_type, subject_id order by "at") as valid_to
    from entries
    where place_at_moment = 1

),

-- without a history: today's owner, always
without_history as (

    select
        records.subject_type,
        records.subject_id,
        records.owner_id
    from {{ ref('int_segments') }} as records
    left join periods on records.subject_type = periods.subject_type and records.subject_id = periods.subject_id
    where periods.subject_id is null and records.owner_id is not null

),

final as (

    select
        subject_type,
        subject_id,
        owner_id,
        case when place = 1 then timestamp '1900-01-01' else "at" end as valid_from,
        valid_to
    from periods

    union all

    select
        subject_type,
        subject_id,
        owner_id,
        timestamp '1900-01-01' as valid_from,
        cast(null as timestamp) as valid_to
    from without_history

)

select * from final
