-- What the stages of a source are called there, of those that tell; deleted ones too.
with united as (

    {{ stage_labels() }}

),

-- leads may have several pipelines: a stage id is of one of them
final as (

    select
        source,
        pipeline,
        source_stage,
        min(label) as label,
        min(kind) as kind,
        coalesce(min(case when is_deleted then 1 else 0 end) = 1, false) as is_deleted
    from united
    group by source, pipeline, source_stage

)

select * from final
