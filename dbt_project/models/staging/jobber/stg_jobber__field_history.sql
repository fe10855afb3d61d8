-- Amounts and owners of quotes: what the first version that we know says holds since the quote was made, later ones since their change.
with quotes as (

    select * from {{ ref('stg_jobber__quotes') }}

),

amounts as (

    {{ version_changes('quotes', 'id', 'cast(amount as varchar)', 'created_at', 'modified_at') }}

),

owners as (

    {{ version_changes('quotes', 'id', 'owner_id', 'created_at', 'modified_at') }}

),

united as (

    select id, 'amount' as field, value, "at", place from amounts
    union all
    select id, 'owner_id', value, "at", place from owners
    where value is not null or place > 1

),

final as (

    select
        {{ source_id("'jobber'", 'id') }} || ':' || field || ':' || place as event_id,
        'deal' as subject_type,
        {{ source_id("'jobber'", 'id') }} as subject_id,
        field,
        value,
        "at",
        place as source_order
    from united

)

select * from final
