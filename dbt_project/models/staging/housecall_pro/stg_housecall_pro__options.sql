{{ config(materialized='table') }}
-- The options of all versions of estimates: what was offered, and whether it was approved or declined.
with estimate_versions as (

    select
        *,
        row_number() over (partition by id order by _load_id desc, _row desc) = 1 as is_newest,
        {{ json_struct('record', {
            'options': [{'id': 'varchar', 'total_amount': 'varchar', 'approval_status': 'varchar', 'created_at': 'varchar', 'updated_at': 'varchar'}],
        }) }} as estimate
    from {{ source('raw_housecall_pro', 'estimates') }}

),

lists as (

    select id, _load_id, _row, is_newest, estimate.options as options from estimate_versions

),

items as (

    {{ unnest_list('lists', ['id', '_load_id', '_row', 'is_newest'], 'options') }}

),

options as (

    select
        id,
        item.id as option_id,
        is_newest,
        coalesce(lower(item.approval_status) like '%approved%', false) as is_approved,
        coalesce(lower(item.approval_status) like '%declined%', false) as is_declined,
        {{ cents('item.total_amount') }} as amount,
        {{ parse_timestamp('item.created_at') }} as created_at,
        {{ parse_timestamp('item.updated_at') }} as modified_at
    from items

)

select * from options
