-- The first owner that was set. A record without an owner history has its owner, but nobody knows since when.
with entries as (

    select
        subject_type,
        subject_id,
        value as owner_id,
        "at",
        row_number() over (partition by subject_type, subject_id order by "at", source_order, value) as place
    from {{ ref('int_field_history') }}
    where field = 'owner_id' and value is not null

),

final as (

    select
        records.subject_type,
        records.subject_id,
        coalesce(entries.owner_id, records.owner_id) as owner_id,
        entries.at as first_set_at
    from {{ ref('int_segments') }} as records
    left join entries
        on records.subject_type = entries.subject_type and records.subject_id = entries.subject_id and entries.place = 1

)

select * from final
