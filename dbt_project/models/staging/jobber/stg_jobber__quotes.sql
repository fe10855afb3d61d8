{{ config(materialized='table') }}
-- Every version of every quote: the present one is a deal, the others say what it was before.
with source as (

    select * from {{ source('raw_jobber', 'quotes') }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {
            'title': 'varchar', 'quoteNumber': 'varchar', 'quoteStatus': 'varchar', 'sentAt': 'varchar', 'transitionedAt': 'varchar',
            'lastTransitioned': {'approvedAt': 'varchar', 'changesRequestedAt': 'varchar', 'convertedAt': 'varchar'},
            'amounts': {'total': 'varchar'}, 'salesperson': {'id': 'varchar'}, 'request': {'id': 'varchar'}, 'client': {'id': 'varchar'},
        }) }} as quote
    from source

),

final as (

    select
        id,
        created_at,
        modified_at,
        _load_id,
        _row,
        row_number() over (partition by id order by _load_id desc, _row desc) = 1 as is_newest,
        coalesce({{ clean('quote.title') }}, 'Quote ' || {{ clean('quote.quoteNumber') }}) as name,
        lower({{ clean('quote.quoteStatus') }}) as status,
        {{ parse_timestamp('quote.sentAt') }} as sent_at,
        {{ parse_timestamp('quote.lastTransitioned.changesRequestedAt') }} as changes_requested_at,
        coalesce({{ parse_timestamp('quote.lastTransitioned.approvedAt') }}, {{ parse_timestamp('quote.lastTransitioned.convertedAt') }}) as approved_at,
        coalesce({{ parse_timestamp('quote.transitionedAt') }}, modified_at) as status_since,
        {{ try_cast('quote.amounts.total', 'decimal(18, 2)') }} as amount,
        {{ source_id("'jobber'", 'quote.salesperson.id') }} as owner_id,
        {{ source_id("'jobber'", 'quote.request.id') }} as lead_id,
        {{ source_id("'jobber'", 'quote.client.id') }} as client_id
    from parsed

)

select * from final
