-- Which contact a lead became.
with source as (

    {{ newest_version(source('raw_salesforce', 'leads'), ['id']) }}

),

parsed as (

    select
        id,
        coalesce(is_deleted, false) as is_deleted,
        {{ salesforce_record(['ConvertedContactId', 'ConvertedOpportunityId']) }} as fields
    from source

),

-- a contact belongs to one lead: one that is not deleted before any other
ranked as (

    select
        {{ clean('fields.ConvertedContactId') }} as contact_id,
        id as lead_id,
        row_number() over (partition by fields.ConvertedContactId order by is_deleted, id) as place
    from parsed
    where {{ clean('fields.ConvertedContactId') }} is not null

),

final as (

    select
        contact_id,
        lead_id
    from ranked
    where place = 1

)

select * from final
