with source as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

all_links as (

    {{ unnest_list('source', ['from_type', 'from_id', 'to_type'], 'to_ids') }}

),

renamed as (

    select
        from_type,
        {{ source_id("'hubspot'", 'from_id') }} as from_id,
        to_type,
        {{ source_id("'hubspot'", 'item') }} as to_id,
        position
    from all_links

)

select * from renamed
