with newest as (

    {{ newest_rows_of_files(source('raw_files', 'users'), ['user_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'user_id') }} as user_id,
        {{ clean('name') }} as name,
        {{ clean('email') }} as email,
        {{ clean('role') }} as role,
        {{ clean('team') }} as team,
        {{ clean('branch') }} as branch,
        {{ clean('manager') }} as manager,
        coalesce(is_active, true) as is_active,
        updated_at
    from newest

)

select * from renamed
