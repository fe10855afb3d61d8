-- Customers with their first e-mail address and telephone number. A customer that was merged into another names it.
with customers as (

    {{ newest_version(source('raw_servicetitan', 'customers'), ['id']) }}

),

methods as (

    {{ newest_version(source('raw_servicetitan', 'customer_contacts'), ['id']) }}

),

parsed_methods as (

    select
        id,
        {{ json_struct('record', {'customerId': 'varchar', 'type': 'varchar', 'value': 'varchar'}) }} as method
    from methods
    where coalesce(is_active, true)

),

kinds as (

    select
        method.customerId as customer_id,
        case when lower(method.type) like '%email%' then 'email' when lower(method.type) like '%phone%' then 'phone' end as kind,
        {{ clean('method.value') }} as value,
        {{ try_cast('id', 'bigint') }} as number
    from parsed_methods

),

firsts as (

    select
        customer_id,
        kind,
        value,
        row_number() over (partition by customer_id, kind order by number) as place
    from kinds
    where kind is not null and value is not null

),

parsed as (

    select
        *,
        {{ json_struct('record', {'name': 'varchar', 'type': 'varchar', 'address': {'zip': 'varchar'}, 'mergedToId': 'varchar'}) }} as customer
    from customers

),

final as (

    select
        {{ source_id("'servicetitan'", 'parsed.id') }} as contact_id,
        cast(null as varchar) as first_name,
        {{ clean('parsed.customer.name') }} as last_name,
        emails.value as email,
        phones.value as phone,
        {{ clean('parsed.customer.address.zip') }} as postcode,
        {{ source_id("'servicetitan'", 'parsed.id') }} as account_id,
        cast(null as varchar) as lead_id,
        parsed.created_at,
        not coalesce(parsed.is_active, true) as is_deleted,
        {{ source_id("'servicetitan'", 'parsed.customer.mergedToId') }} as merged_into_id
    from parsed
    left join firsts as emails on parsed.id = emails.customer_id and emails.kind = 'email' and emails.place = 1
    left join firsts as phones on parsed.id = phones.customer_id and phones.kind = 'phone' and phones.place = 1

)

select * from final
