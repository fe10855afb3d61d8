with branches as (

    select * from {{ source('process', 'branches') }}

),

final as (

    select
        branches.branch,
        branches.label,
        coalesce(branches.timezone, run.timezone) as timezone
    from branches
    cross join {{ source('process', 'run') }} as run

)

select * from final
