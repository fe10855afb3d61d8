with variants as (
    select case_id, string_agg(activity, ' > ' order by place) as variant
    from {{ ref('int_process_events') }}
    group by case_id
),

counted as (
    select variant, count(*) as n
    from variants
    group by variant
),

final as (
    select
        counted.variant,
        counted.n,
        {{ ratio_of('counted.n', 'sum(counted.n) over ()') }} as share,
        row_number() over (order by counted.n desc, counted.variant) as rank,
        {{ kpi_stamp() }}
    from counted
    cross join {{ source('process', 'run') }} as run
)

select * from final
