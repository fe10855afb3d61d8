-- "Next" is the next of the open stages, won after the last open one; after won the stages of the work that was sold.
with stages as (

    select
        *,
        kind in ('open', 'won', 'post_sale') as is_on_path
    from {{ source('process', 'stages') }}

),

final as (

    select
        stage,
        stage_order,
        label,
        kind,
        object,
        first_touch_minutes,
        days_in_stage,
        case when is_on_path then lead(stage) over (partition by is_on_path order by stage_order) end as next_stage,
        stage_order = min(stage_order) over () as is_first
    from stages

)

select * from final
