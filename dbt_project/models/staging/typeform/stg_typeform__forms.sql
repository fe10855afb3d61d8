with source as (

    {{ newest_version(source('raw_typeform', 'forms'), ['form_id']) }}

),

parsed as (

    select
        form_id,
        title as form_title,
        {{ json_struct('record', {'fields': [{'id': 'varchar', 'ref': 'varchar', 'title': 'varchar', 'type': 'varchar'}]}) }}.fields as fields
    from source

),

questions as (

    {{ unnest_list('parsed', ['form_id', 'form_title'], 'fields') }}

),

renamed as (

    select
        form_id,
        form_title,
        item.id as field_id,
        item.ref as field_ref,
        item.title as question,
        item.type as field_type,
        position
    from questions

)

select * from renamed
