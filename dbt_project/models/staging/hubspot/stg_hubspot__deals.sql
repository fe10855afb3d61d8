{% set property = hubspot_properties('deals') %}
with source as (

    {{ newest_version(source('raw_hubspot', 'deals'), ['id']) }}

),

minted as (

    {{ hubspot_minted('deals') }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('deals', ['companies']) }}

),

{{ hubspot_lead_contacts_cte() }}

-- a deal that a merge made is as old as the one with which it began
begun as (

    select
        source.id,
        least(source.created_at, minted.created_at) as created_at
    from source
    left join minted on source.id = minted.survivor_id and minted.place = 1

),

main_contacts as (

    {{ hubspot_main_contacts('deals', 'select id, created_at from begun', with_merges=true) }}

),

absences as (

    {{ absent_records('hubspot', 'deals') }}

),

company_claims as (

    {{ hubspot_claims('companies') }}

),

-- one survivor a company
survivors as (

    {{ hubspot_survivors('company_claims') }}

),

parsed as (

    select
        *,
        {{ hubspot_record(property.values() | list + ['hs_object_source', 'hs_merged_object_ids', 'hs_calculated_merged_vids', 'hs_is_closed']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as deal_id,
        {{ hubspot_lead_id('main_contacts.contact_id') }} as lead_id,
        {{ source_id("'hubspot'", 'coalesce(survivors.survivor_id, links.company_id)') }} as account_id,
        cast(null as varchar) as product_id,
        {% for column in ['name', 'pipeline', 'stage', 'currency', 'loss_reason', 'budget_band', 'need', 'next_step', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type'] -%}
        {{ clean('parsed.properties."' ~ property[column] ~ '"') }} as {{ column }},
        {% endfor -%}
        {{ try_cast(clean('parsed.properties."' ~ property['amount'] ~ '"'), 'decimal(18, 2)') }} as amount,
        least(parsed.created_at, minted.created_at) as created_at,
        case
            when lower(parsed.properties.hs_is_closed) = 'true'
                then {{ parse_timestamp(clean('parsed.properties."' ~ property['expected_close_date'] ~ '"')) }}
        end as closed_at,
        {{ parse_date(clean('parsed.properties."' ~ property['expected_close_date'] ~ '"')) }} as expected_close_date,
        {{ word_boolean('parsed.properties."' ~ property['is_decision_maker'] ~ '"') }} as is_decision_maker,
        {{ parse_date(clean('parsed.properties."' ~ property['wanted_by'] ~ '"')) }} as wanted_by,
        {{ source_id("'hubspot'", 'parsed.properties."' ~ property['owner_id'] ~ '"') }} as owner_id,
        coalesce(parsed.is_archived, false) or absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id,
        coalesce({{ word_boolean('parsed.properties."' ~ property['is_test'] ~ '"') }}, false) as is_test,
        coalesce(parsed.archived_at, absences.since) as removed_at,
        {{ hubspot_merged_ids('parsed.properties') }} as merged_ids
    from parsed
    left join links on parsed.id = links.from_id
    left join main_contacts on parsed.id = main_contacts.from_id
    left join survivors on links.company_id = survivors.retired_id
    {{ hubspot_join_lead('main_contacts.contact_id', 'parsed.created_at') }}
    left join absences on parsed.id = absences.id
    left join minted on parsed.id = minted.survivor_id and minted.place = 1

)

select * from renamed
