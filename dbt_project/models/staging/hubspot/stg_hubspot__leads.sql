{% set property = hubspot_properties('leads') %}
{% set contact_property = hubspot_properties('contacts') %}
with source as (

    {{ newest_version(source('raw_hubspot', 'leads'), ['id']) }}

),

contacts as (

    {{ newest_version(source('raw_hubspot', 'contacts'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('leads', ['contacts']) }}

),

claims as (

    {{ hubspot_claims('contacts') }}

),

-- one survivor a contact
survivors as (

    {{ hubspot_survivors('claims') }}

),

parsed as (

    select
        *,
        {{ hubspot_record(property.values() | list + ['hs_object_source']) }} as properties
    from source

),

persons as (

    select
        id,
        {{ hubspot_record(contact_property.values() | list) }} as properties
    from contacts

),

renamed as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as lead_id,
        parsed.created_at,
        {{ hubspot_created_by(clean('parsed.properties.hs_object_source')) }} as created_by,
        {% for column in ['first_name', 'last_name', 'email', 'phone', 'postcode'] -%}
        {{ clean('persons.properties."' ~ contact_property[column] ~ '"') }} as {{ column }},
        {% endfor -%}
        {% for column in ['branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type'] -%}
        coalesce({{ clean('parsed.properties."' ~ property[column] ~ '"') }}, {{ clean('persons.properties."' ~ contact_property[column] ~ '"') }}) as {{ column }},
        {% endfor -%}
        {{ clean('parsed.properties."' ~ property['status'] ~ '"') }} as status,
        {{ source_id("'hubspot'", 'parsed.properties."' ~ property['owner_id'] ~ '"') }} as owner_id,
        coalesce(parsed.is_archived, false) as is_deleted,
        cast(null as varchar) as merged_into_id,
        coalesce(
            {{ word_boolean('parsed.properties."' ~ property['is_test'] ~ '"') }},
            {{ word_boolean('persons.properties."' ~ contact_property['is_test'] ~ '"') }},
            false
        ) as is_test,
        parsed.archived_at as removed_at,
        cast(null as varchar) as merged_ids
    from parsed
    left join links on parsed.id = links.from_id
    left join survivors on links.contact_id = survivors.retired_id
    left join persons on coalesce(survivors.survivor_id, links.contact_id) = persons.id

)

select * from renamed
