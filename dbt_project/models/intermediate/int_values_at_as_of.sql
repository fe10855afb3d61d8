-- Fields that were changed after as_of, with their value then: the record as received already has the later one.
with changes as (

    select * from {{ ref('int_field_changes') }}

),

changed_later as (

    select distinct subject_type, subject_id, field
    from changes
    where "at" > {{ as_of() }}

),

before as (

    select
        changes.*,
        row_number() over (
            partition by changes.subject_type, changes.subject_id, changes.field
            order by changes.at desc, changes.source_order desc, changes.value desc
        ) as place
    from changes
    where changes.at <= {{ as_of() }}

),

final as (

    select
        changed_later.subject_type,
        changed_later.subject_id,
        changed_later.field,
        before.value
    from changed_later
    left join before
        on changed_later.subject_type = before.subject_type
        and changed_later.subject_id = before.subject_id
        and changed_later.field = before.field
        and before.place = 1

)

select * from final
