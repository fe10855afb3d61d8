{% set property = hubspot_properties('contacts') %}
with source as (

    {{ newest_version(source('raw_hubspot', 'contacts'), ['id']) }}

),

absences as (

    {{ absent_records('hubspot', 'contacts') }}

),

claims as (

    {{ hubspot_claims('contacts') }}

),

survivors as (

    {{ hubspot_survivors('claims') }}

),

{{ hubspot_lead_contacts_cte() }}

parsed as (

    select
        *,
        {{ hubspot_record(property.values() | list + ['associatedcompanyid']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as contact_id,
        {% for column in ['first_name', 'last_name', 'email', 'phone', 'postcode'] -%}
        {{ clean('parsed.properties."' ~ property[column] ~ '"') }} as {{ column }},
        {% endfor -%}
        {{ source_id("'hubspot'", 'parsed.properties.associatedcompanyid') }} as account_id,
        {{ hubspot_lead_id('parsed.id') }} as lead_id,
        parsed.created_at,
        coalesce(parsed.is_archived, false) or absences.id is not null as is_deleted,
        {{ source_id("'hubspot'", 'survivors.survivor_id') }} as merged_into_id
    from parsed
    left join absences on parsed.id = absences.id
    left join survivors on parsed.id = survivors.retired_id
    {{ hubspot_join_lead('parsed.id', "timestamp '9999-12-30'") }}

)

select * from renamed
