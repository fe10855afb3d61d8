-- Which contact a lead became, and when it counts for it: a customer who returns is a lead again, and what happens on the contact belongs to the newest
-- lead at that time, before the first one to that one. A deleted lead has its contact only where there is no other.
with source as (

    {{ newest_version(source('raw_salesforce', 'leads'), ['id']) }}

),

parsed as (

    select
        id,
        created_at,
        coalesce(is_deleted, false) as is_deleted,
        {{ salesforce_record(['ConvertedContactId']) }} as fields
    from source

),

converted as (

    select
        {{ clean('fields.ConvertedContactId') }} as contact_id,
        id as lead_id,
        created_at,
        case when is_deleted then 1 else 0 end as is_gone
    from parsed
    where {{ clean('fields.ConvertedContactId') }} is not null

),

final as (

    select
        contact_id,
        lead_id,
        case when row_number() over contact = 1 then timestamp '1900-01-01' else created_at end as valid_from,
        coalesce(lead(created_at) over contact, timestamp '9999-12-31') as valid_to,
        lead(lead_id) over contact is null as is_newest
    from (select *, min(is_gone) over (partition by contact_id) as least_gone from converted) as converted
    where is_gone = least_gone
    window contact as (partition by contact_id order by created_at, lead_id)

)

select * from final
