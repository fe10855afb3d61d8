with united as (

    {{ union_by_name([ref('stg_ga4__events'), ref('stg_files__web_events')]) }}

),

known as (

    select *
    from united
    where "at" <= {{ as_of() }}

)

select * from known
