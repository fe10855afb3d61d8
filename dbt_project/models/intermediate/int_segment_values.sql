-- How a segment is written, by its word: values that differ only in case or in blanks around them are one. The spelling is that of process.yml,
-- else that of the record that was created first, so that a later record changes nothing.
with leads as (

    {{ canonical('leads') }}

),

deals as (

    {{ canonical('deals') }}

),

fields as (

    select names.field
    from (values {% for field in spelled_segments() %}('{{ field }}'){{ ', ' if not loop.last }}{% endfor %}) as names (field)

),

written as (

    select
        fields.field,
        {{ segment_of('fields.field', 'leads') }} as value,
        leads.created_at
    from leads
    cross join fields

    union all

    select
        fields.field,
        {{ segment_of('fields.field', 'deals') }} as value,
        deals.created_at
    from deals
    cross join fields

),

named as (

    select 'branch' as field, branch as value, branch as spelling, 1 as rank from {{ source('process', 'branches') }}
    union all
    select 'branch', label, branch, 2 from {{ source('process', 'branches') }}
    union all
    select 'service_line', service_line, service_line, 1 from {{ source('process', 'gross_margin') }}
    union all
    select 'channel', channel, channel, 1 from {{ source('process', 'channels') }}
    union all
    select segment_type, segment, segment, 3 from {{ source('process', 'targets') }} where segment is not null

),

spellings as (

    select field, {{ segment_word('value') }} as word, spelling, rank, cast(null as timestamp) as created_at from named
    union all
    select field, {{ segment_word('value') }} as word, trim(value) as spelling, 4 as rank, created_at
    from written
    where value is not null and coalesce(created_at <= {{ as_of() }}, true)

),

ranked as (

    select
        field,
        word,
        spelling,
        row_number() over (
            partition by field, word
            order by rank, case when created_at is null then 1 else 0 end, created_at, spelling
        ) as place
    from spellings

),

final as (

    select
        field,
        word,
        spelling as value
    from ranked
    where place = 1

)

select * from final
