with newest as (

    {{ newest_rows_of_files(source('raw_files', 'survey_answers'), ['response_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'response_id') }} as response_id,
        {{ clean('form_id') }} as form_id,
        submitted_at,
        nps_score,
        csat_score,
        cast(null as varchar) as other_scale,
        {{ clean('comment') }} as comment,
        {{ clean('email') }} as email,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        updated_at
    from newest

)

select * from renamed
