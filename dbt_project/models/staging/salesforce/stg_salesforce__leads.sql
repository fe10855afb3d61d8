{% set fields = salesforce_fields('leads') %}
with source as (

    {{ newest_version(source('raw_salesforce', 'leads'), ['id']) }}

),

statuses as (

    {{ newest_version(source('raw_salesforce', 'lead_statuses'), ['id']) }}

),

-- A lead that became an opportunity has a status of its own, which is no stage: the opportunity's stages count from then on.
converted_statuses as (

    select {{ salesforce_record(['ApiName', 'IsConverted']) }} as fields from statuses

),

parsed as (

    select
        *,
        {{ salesforce_record(fields.values() | list + ['MasterRecordId']) }} as fields
    from source

),

renamed as (

    select
        {{ source_id("'salesforce'", 'parsed.id') }} as lead_id,
        parsed.created_at,
        {% for column in ['created_by', 'first_name', 'last_name', 'email', 'phone', 'postcode', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type'] -%}
        {{ salesforce_value(fields, column) }} as {{ column }},
        {% endfor -%}
        case when converted_statuses.fields.ApiName is null then {{ salesforce_value(fields, 'status') }} end as status,
        {{ salesforce_user('parsed.fields."' ~ fields['owner_id'] ~ '"') }} as owner_id,
        coalesce(parsed.is_deleted, false) as is_deleted,
        {{ source_id("'salesforce'", 'parsed.fields.MasterRecordId') }} as merged_into_id,
        coalesce({{ word_boolean(salesforce_value(fields, 'is_test')) }}, false) as is_test,
        case when parsed.is_deleted then parsed.modified_at end as removed_at,
        cast(null as varchar) as merged_ids
    from parsed
    left join converted_statuses
        on parsed.fields."{{ fields['status'] }}" = converted_statuses.fields.ApiName and {{ word_boolean('converted_statuses.fields.IsConverted') }}

)

select * from renamed
