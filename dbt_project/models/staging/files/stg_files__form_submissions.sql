with newest as (

    {{ newest_rows_of_files(source('raw_files', 'form_submissions'), ['submission_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'submission_id') }} as submission_id,
        {{ clean('form_id') }} as form_id,
        {{ clean('form') }} as form,
        submitted_at,
        {{ clean('first_name') }} as first_name,
        {{ clean('last_name') }} as last_name,
        {{ clean('email') }} as email,
        {{ clean('phone') }} as phone,
        {{ clean('page') }} as page,
        {{ clean('channel') }} as channel,
        {{ clean('campaign') }} as campaign,
        {{ source_id('source', 'lead_id') }} as lead_id,
        updated_at
    from newest

)

select * from renamed
