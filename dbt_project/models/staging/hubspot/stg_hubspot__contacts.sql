{% set property = hubspot_properties('contacts') %}
with source as (

    {{ newest_version(source('raw_hubspot', 'contacts'), ['id']) }}

),

absences as (

    {{ absent_records('hubspot', 'contacts') }}

),

minted as (

    {{ hubspot_minted('contacts') }}

),

parsed as (

    select
        *,
        {{ hubspot_record(property.values() | list + ['hs_object_source', 'hs_merged_object_ids', 'hs_calculated_merged_vids']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as lead_id,
        least(parsed.created_at, minted.created_at) as created_at,
        {{ hubspot_created_by(clean('parsed.properties.hs_object_source')) }} as created_by,
        {% for column in ['first_name', 'last_name', 'email', 'phone', 'postcode', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type', 'status'] -%}
        {{ clean('parsed.properties."' ~ property[column] ~ '"') }} as {{ column }},
        {% endfor -%}
        {{ source_id("'hubspot'", 'parsed.properties."' ~ property['owner_id'] ~ '"') }} as owner_id,
        coalesce(parsed.is_archived, false) or absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id,
        coalesce({{ word_boolean('parsed.properties."' ~ property['is_test'] ~ '"') }}, false) as is_test,
        coalesce(parsed.archived_at, absences.since) as removed_at,
        {{ hubspot_merged_ids('parsed.properties') }} as merged_ids
    from parsed
    left join absences on parsed.id = absences.id
    left join minted on parsed.id = minted.survivor_id and minted.place = 1

)

select * from renamed
