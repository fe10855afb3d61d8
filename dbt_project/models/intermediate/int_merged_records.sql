-- Which record went into which. A survivor can be merged away later, so the chain is followed to its end.
with leads as (

    {{ canonical('leads') }}

),

deals as (

    {{ canonical('deals') }}

),

claims as (

    select 'lead' as subject_type, lead_id as survivor_id, merged_ids from leads where merged_ids is not null
    union all
    select 'deal' as subject_type, deal_id as survivor_id, merged_ids from deals where merged_ids is not null

),

lists as (

    select
        subject_type,
        survivor_id,
        {{ split('merged_ids', ';') }} as ids
    from claims

),

listed as (

    {{ unnest_list('lists', ['subject_type', 'survivor_id'], 'ids') }}

),

links as (

    select subject_type, {{ source_id(id_source('survivor_id'), 'item') }} as record_id, survivor_id from listed
    union
    select 'lead', lead_id, merged_into_id from leads where merged_into_id is not null
    union
    select 'deal', deal_id, merged_into_id from deals where merged_into_id is not null

),

-- one survivor a record: were two records to claim it, the smaller id
single as (

    select
        subject_type,
        record_id,
        min(survivor_id) as survivor_id
    from links
    where record_id is not null and record_id <> survivor_id
    group by subject_type, record_id

),

chains as (

    with recursive chain as (
        select subject_type, record_id, survivor_id, 1 as steps from single
        union all
        select chain.subject_type, chain.record_id, single.survivor_id, chain.steps + 1
        from chain
        inner join single on chain.subject_type = single.subject_type and chain.survivor_id = single.record_id
        where chain.steps < 20 and single.survivor_id <> chain.record_id
    )

    select * from chain

),

ends as (

    select
        *,
        row_number() over (partition by subject_type, record_id order by steps desc, survivor_id) as place
    from chains

),

final as (

    select
        subject_type,
        record_id,
        survivor_id
    from ends
    where place = 1

)

select * from final
