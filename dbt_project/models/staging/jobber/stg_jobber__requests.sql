{{ config(materialized='table') }}
-- Every version of every request: the present one is a lead, the others say how its status was before.
with source as (

    select * from {{ source('raw_jobber', 'requests') }}

),

final as (

    select
        id,
        created_at,
        modified_at,
        _load_id,
        _row,
        row_number() over (partition by id order by _load_id desc, _row desc) = 1 as is_newest,
        {{ json_struct('record', {
            'requestStatus': 'varchar', 'source': 'varchar', 'companyName': 'varchar', 'contactName': 'varchar', 'email': 'varchar',
            'phone': 'varchar', 'client': {'id': 'varchar'}, 'assessment': {'startAt': 'varchar', 'completedAt': 'varchar'},
        }) }} as request
    from source

)

select * from final
