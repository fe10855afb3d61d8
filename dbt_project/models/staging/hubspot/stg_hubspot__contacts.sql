{% set property = hubspot_properties('contacts') %}
with source as (

    {{ newest_version(source('raw_hubspot', 'contacts'), ['id']) }}

),

parsed as (

    select
        *,
        {{ hubspot_record(property.values() | list + ['hs_object_source', 'hs_merged_object_ids']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", 'id') }} as lead_id,
        created_at,
        {{ hubspot_created_by(clean('properties.hs_object_source')) }} as created_by,
        {% for column in ['first_name', 'last_name', 'email', 'phone', 'postcode', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type', 'status'] -%}
        {{ clean('properties."' ~ property[column] ~ '"') }} as {{ column }},
        {% endfor -%}
        {{ source_id("'hubspot'", 'properties."' ~ property['owner_id'] ~ '"') }} as owner_id,
        coalesce(is_archived, false) as is_deleted,
        cast(null as varchar) as merged_into_id,
        coalesce({{ word_boolean('properties."' ~ property['is_test'] ~ '"') }}, false) as is_test,
        archived_at as removed_at,
        {{ clean('properties.hs_merged_object_ids') }} as merged_ids
    from parsed

)

select * from renamed
