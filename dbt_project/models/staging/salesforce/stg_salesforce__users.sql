-- People only: integrations and the automated process own records too, but are nobody.
with source as (

    {{ newest_version(source('raw_salesforce', 'users'), ['id']) }}

),

parsed as (

    select
        *,
        {{ salesforce_record(['Name', 'Email', 'IsActive', 'Department', 'Division', 'UserType', 'Title']) }} as fields
    from source

),

renamed as (

    select
        {{ source_id("'salesforce'", 'id') }} as user_id,
        {{ clean('fields.Name') }} as name,
        {{ clean('fields.Email') }} as email,
        cast(null as varchar) as role,
        {{ clean('fields.Department') }} as team,
        {{ mapped_branch('salesforce', 'fields.Department') }} as branch,
        cast(null as varchar) as manager,
        coalesce({{ word_boolean('fields.IsActive') }}, true) as is_active
    from parsed
    where coalesce(fields.UserType, 'Standard') <> 'AutomatedProcess'

)

select * from renamed
