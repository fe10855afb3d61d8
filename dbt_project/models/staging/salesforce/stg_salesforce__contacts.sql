with source as (

    {{ newest_version(source('raw_salesforce', 'contacts'), ['id']) }}

),

parsed as (

    select
        *,
        {{ salesforce_record(['FirstName', 'LastName', 'Email', 'Phone', 'MailingPostalCode', 'AccountId', 'MasterRecordId']) }} as fields
    from source

),

renamed as (

    select
        {{ source_id("'salesforce'", 'parsed.id') }} as contact_id,
        {{ clean('parsed.fields.FirstName') }} as first_name,
        {{ clean('parsed.fields.LastName') }} as last_name,
        {{ clean('parsed.fields.Email') }} as email,
        {{ clean('parsed.fields.Phone') }} as phone,
        {{ clean('parsed.fields.MailingPostalCode') }} as postcode,
        {{ source_id("'salesforce'", 'parsed.fields.AccountId') }} as account_id,
        {{ source_id("'salesforce'", 'leads.lead_id') }} as lead_id,
        parsed.created_at,
        coalesce(parsed.is_deleted, false) as is_deleted,
        {{ source_id("'salesforce'", 'parsed.fields.MasterRecordId') }} as merged_into_id
    from parsed
    left join {{ ref('stg_salesforce__lead_contacts') }} as leads on parsed.id = leads.contact_id and leads.is_newest

)

select * from renamed
