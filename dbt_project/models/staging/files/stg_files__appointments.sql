with newest as (

    {{ newest_rows_of_files(source('raw_files', 'appointments'), ['appointment_id']) }}

),

words as (

    {{ outcome_words('newest', ['status']) }}

),

renamed as (

    select
        {{ source_id('source', 'appointment_id') }} as appointment_id,
        created_at,
        starts_at,
        ends_at,
        coalesce(words.meeting_outcome, {{ clean('status') }}) as status,
        is_self_booked,
        {{ clean('email') }} as email,
        {{ clean('phone') }} as phone,
        {{ clean('first_name') }} as first_name,
        {{ clean('last_name') }} as last_name,
        {{ clean('user_email') }} as user_email,
        {{ source_id('source', 'user_id') }} as user_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'job_id') }} as job_id,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest
    left join words on newest.status = words.written

)

select * from renamed
