{% set fields = salesforce_fields('deals') %}
with source as (

    {{ newest_version(source('raw_salesforce', 'opportunities'), ['id']) }}

),

roles as (

    {{ newest_version(source('raw_salesforce', 'opportunity_contact_roles'), ['id']) }}

),

parsed_roles as (

    select
        id,
        {{ salesforce_record(['OpportunityId', 'ContactId', 'IsPrimary']) }} as fields
    from roles
    where not coalesce(is_deleted, false)

),

leads as (

    {{ newest_version(source('raw_salesforce', 'leads'), ['id']) }}

),

parsed_leads as (

    select
        id,
        created_at,
        coalesce(is_deleted, false) as is_deleted,
        {{ clean(salesforce_record(['ConvertedOpportunityId']) ~ '.ConvertedOpportunityId') }} as opportunity_id
    from leads

),

-- what a lead says of itself comes first; of several leads that became one opportunity the newest
converted as (

    select
        opportunity_id,
        id as lead_id,
        row_number() over (partition by opportunity_id order by is_deleted, created_at desc, id) as place
    from parsed_leads
    where opportunity_id is not null

),

-- an opportunity of several persons belongs to the primary one, and to the newest lead that this person was when it came
persons as (

    select
        parsed_roles.fields.OpportunityId as opportunity_id,
        contacts.lead_id,
        row_number() over (
            partition by parsed_roles.fields.OpportunityId
            order by coalesce({{ word_boolean('parsed_roles.fields.IsPrimary') }}, false) desc, parsed_roles.id
        ) as place
    from parsed_roles
    inner join source as opportunities on parsed_roles.fields.OpportunityId = opportunities.id
    inner join {{ ref('stg_salesforce__lead_contacts') }} as contacts
        on parsed_roles.fields.ContactId = contacts.contact_id
        and opportunities.created_at >= contacts.valid_from
        and opportunities.created_at < contacts.valid_to

),

parsed as (

    select
        *,
        {{ salesforce_record(fields.values() | list + ['AccountId', 'ContactId']) }} as fields
    from source

),

renamed as (

    select
        {{ source_id("'salesforce'", 'parsed.id') }} as deal_id,
        {{ source_id("'salesforce'", 'coalesce(converted.lead_id, persons.lead_id, contacts.lead_id)') }} as lead_id,
        {{ source_id("'salesforce'", 'parsed.fields.AccountId') }} as account_id,
        cast(null as varchar) as product_id,
        coalesce({{ salesforce_value(fields, 'pipeline') }}, 'default') as pipeline,
        {% for column in ['name', 'stage', 'currency', 'loss_reason', 'budget_band', 'need', 'next_step', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type'] -%}
        {{ salesforce_value(fields, column) }} as {{ column }},
        {% endfor -%}
        {{ try_cast(salesforce_value(fields, 'amount'), 'decimal(18, 2)') }} as amount,
        parsed.created_at,
        cast(null as timestamp) as closed_at,
        {{ try_cast(salesforce_value(fields, 'expected_close_date'), 'date') }} as expected_close_date,
        {{ word_boolean(salesforce_value(fields, 'is_decision_maker')) }} as is_decision_maker,
        {{ try_cast(salesforce_value(fields, 'wanted_by'), 'date') }} as wanted_by,
        {{ salesforce_user('parsed.fields."' ~ fields['owner_id'] ~ '"') }} as owner_id,
        coalesce(parsed.is_deleted, false) as is_deleted,
        cast(null as varchar) as merged_into_id,
        coalesce({{ word_boolean(salesforce_value(fields, 'is_test')) }}, false) as is_test,
        case when parsed.is_deleted then parsed.modified_at end as removed_at,
        cast(null as varchar) as merged_ids
    from parsed
    left join converted on parsed.id = converted.opportunity_id and converted.place = 1
    left join persons on parsed.id = persons.opportunity_id and persons.place = 1
    left join {{ ref('stg_salesforce__lead_contacts') }} as contacts
        on parsed.fields.ContactId = contacts.contact_id
        and parsed.created_at >= contacts.valid_from
        and parsed.created_at < contacts.valid_to

)

select * from renamed
