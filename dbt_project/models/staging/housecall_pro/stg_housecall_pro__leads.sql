-- A lead has no date. The first one of a customer that had nothing before came when the customer was made; any other with its first estimate or job,
-- else when it was first seen.
with versions as (

    select
        id,
        record,
        _load_id,
        _row,
        min(_loaded_at) over (partition by id) as first_seen_at
    from {{ source('raw_housecall_pro', 'leads') }}

),

source as (

    {{ newest_version('versions', ['id']) }}

),

absences as (

    {{ absent_records('housecall_pro', 'leads') }}

),

parsed as (

    select
        id,
        first_seen_at,
        {{ json_struct('record', {
            'number': 'varchar', 'status': 'varchar', 'lead_source': 'varchar', 'lost_at': 'varchar', 'customer': {'id': 'varchar'},
            'address': {'zip': 'varchar'}, 'assigned_employee': {'id': 'varchar'},
        }) }} as lead
    from source

),

sales as (

    select * from {{ ref('stg_housecall_pro__sales') }}

),

own_sales as (

    select
        conversions.lead_key,
        min(sales.created_at) as first_at
    from {{ ref('stg_housecall_pro__conversions') }} as conversions
    inner join sales on conversions.sale_id = sales.id
    group by conversions.lead_key

),

other_sales as (

    select
        parsed.id,
        min(sales.created_at) as first_at
    from parsed
    inner join sales on parsed.lead.customer.id = sales.customer_id
    where not exists (
        select 1 from {{ ref('stg_housecall_pro__conversions') }} as conversions
        where conversions.lead_key = parsed.id and conversions.sale_id = sales.id
    )
    group by parsed.id

),

dated as (

    select
        parsed.*,
        contacts.first_name,
        contacts.last_name,
        contacts.email,
        contacts.phone,
        contacts.postcode,
        contacts.channel,
        coalesce(own_sales.first_at, parsed.first_seen_at) as known_at,
        contacts.created_at as customer_at,
        row_number() over (partition by parsed.lead.customer.id order by {{ try_cast('parsed.lead.number', 'bigint') }}, parsed.id) as place,
        other_sales.first_at as other_at
    from parsed
    left join {{ ref('stg_housecall_pro__contacts') }} as contacts on {{ source_id("'housecall_pro'", 'parsed.lead.customer.id') }} = contacts.contact_id
    left join own_sales on parsed.id = own_sales.lead_key
    left join other_sales on parsed.id = other_sales.id

),

final as (

    select
        {{ source_id("'housecall_pro'", 'dated.id') }} as lead_id,
        case
            when dated.place = 1 and dated.customer_at <= dated.known_at and (dated.other_at is null or dated.other_at >= dated.known_at) then dated.customer_at
            else dated.known_at
        end as created_at,
        cast(null as varchar) as created_by,
        dated.first_name,
        dated.last_name,
        dated.email,
        dated.phone,
        coalesce(dated.postcode, {{ clean('dated.lead.address.zip') }}) as postcode,
        cast(null as varchar) as branch,
        coalesce({{ clean('dated.lead.lead_source') }}, dated.channel) as channel,
        cast(null as varchar) as campaign,
        cast(null as varchar) as service_line,
        cast(null as varchar) as job_type,
        cast(null as varchar) as customer_type,
        {{ clean('dated.lead.status') }} as status,
        {{ parse_timestamp('dated.lead.lost_at') }} as lost_at,
        {{ source_id("'housecall_pro'", 'dated.lead.assigned_employee.id') }} as owner_id,
        absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id,
        false as is_test,
        absences.since as removed_at,
        cast(null as varchar) as merged_ids
    from dated
    left join absences on dated.id = absences.id

)

select * from final
