{# Where the company has no branches (channels) in process.yml, or a source no users, nobody can say that one is unknown. #}
with records as (
    select 'lead' as record_type, lead_id as record_id, branch, channel, owner_id, cast(null as decimal(18, 2)) as amount
    from {{ ref('int_leads') }}
    where is_counted
    union all
    select 'deal', deals.deal_id, deals.own_branch, deals.own_channel, deals.owner_id, marts.amount
    from {{ ref('int_deals') }} as deals
    inner join {{ ref('fct_deal') }} as marts on deals.deal_id = marts.deal_id
),

sources_with_users as (
    select distinct {{ id_source('user_id') }} as source
    from {{ ref('int_users') }}
    where not is_derived
),

findings as (
    select 'branch' as field, records.branch as value, 1 as records, records.amount
    from records
    left join {{ source('process', 'branches') }} as branches on records.branch = branches.branch
    where records.branch is not null and branches.branch is null and exists (select 1 from {{ source('process', 'branches') }})
    union all
    select 'channel', records.channel, 1, records.amount
    from records
    left join {{ source('process', 'channels') }} as channels on records.channel = channels.channel
    where records.channel is not null and channels.channel is null and exists (select 1 from {{ source('process', 'channels') }})
    union all
    select 'owner', {{ id_in_source('records.owner_id') }}, 1, records.amount
    from records
    inner join sources_with_users on {{ id_source('records.owner_id') }} = sources_with_users.source
    left join {{ ref('int_users') }} as users on records.owner_id = users.user_id and not users.is_derived
    where records.owner_id is not null and users.user_id is null
    union all
    select 'currency', stated.currency, 1, stated.amount
    from {{ ref('fct_deal') }} as marts
    inner join {{ ref('int_deals') }} as stated on marts.deal_id = stated.deal_id
    where stated.currency is not null and stated.amount between 0 and {{ largest_amount() }} and marts.amount is null
    union all
    select field, value, records, null from {{ ref('int_unmapped_outcomes') }}
),

summed as (
    select field, value, cast(sum(records) as bigint) as records, cast(sum(amount) as decimal(18, 2)) as amount
    from findings
    group by field, value
),

final as (
    select summed.field, summed.value, summed.records, summed.amount, {{ kpi_stamp() }}
    from summed
    cross join {{ source('process', 'run') }} as run
)

select * from final
