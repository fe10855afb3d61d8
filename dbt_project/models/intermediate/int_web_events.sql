with united as (

    {{ canonical('web_events') }}

),

known as (

    select *
    from united
    where "at" <= {{ as_of() }}

)

select * from known
