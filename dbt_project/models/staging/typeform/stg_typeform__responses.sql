with source as (

    {{ newest_version(source('raw_typeform', 'responses'), ['form_id', 'response_id']) }}

),

forms as (

    {{ newest_version(source('raw_typeform', 'forms'), ['form_id']) }}

),

form_fields as (

    select
        form_id,
        {{ json_struct('record', {'fields': [{'id': 'varchar', 'title': 'varchar', 'properties': {'steps': 'integer'}}]}) }}.fields as fields
    from forms

),

questions as (

    {{ unnest_list('form_fields', ['form_id'], 'fields') }}

),

parsed as (

    select
        form_id,
        response_id,
        submitted_at,
        {{ json_struct('record', {
            'answers': [{'field': {'id': 'varchar', 'ref': 'varchar', 'type': 'varchar'}, 'type': 'varchar', 'number': 'bigint', 'text': 'varchar', 'email': 'varchar'}],
            'hidden': {'lead_id': 'varchar', 'deal_id': 'varchar', 'email': 'varchar'},
        }) }} as response
    from source

),

answers as (

    {{ unnest_list('parsed', ['form_id', 'response_id'], 'response.answers') }}

),

kinds as (

    select
        answers.form_id,
        answers.response_id,
        answers.item,
        answers.item.field.ref as reference,
        questions.item.title,
        case lower(answers.item.field.type)
            when 'nps' then 'nps' when 'rating' then 'scale' when 'opinion_scale' then 'scale' when 'long_text' then 'long_text'
            when 'short_text' then 'text' when 'email' then 'email'
        end as kind,
        coalesce(questions.item.properties.steps, case lower(answers.item.field.type) when 'opinion_scale' then 11 else 5 end) as steps
    from answers
    left join questions on answers.form_id = questions.form_id and answers.item.field.id = questions.item.id

),

named as (

    select
        *,
        {{ question_role('typeform', 'kind', 'steps', 'title', 'reference') }} as role
    from kinds

),

scores as (

    select
        form_id,
        response_id,
        max(case when role = 'nps' then item.number end) as nps_score,
        max(case when role = 'csat' then item.number end) as csat_score,
        max(case when role = 'comment' then item.text end) as comment,
        max(case when item.type = 'email' then item.email end) as email
    from named
    group by form_id, response_id

),

renamed as (

    select
        {{ source_id("'typeform'", "parsed.form_id || ':' || parsed.response_id") }} as response_id,
        parsed.form_id,
        parsed.submitted_at,
        scores.nps_score,
        scores.csat_score,
        {{ clean('scores.comment') }} as comment,
        coalesce({{ clean('scores.email') }}, {{ clean('parsed.response.hidden.email') }}) as email,
        {{ source_id("'" ~ var('typeform_records') ~ "'", 'parsed.response.hidden.lead_id') }} as lead_id,
        {{ source_id("'" ~ var('typeform_records') ~ "'", 'parsed.response.hidden.deal_id') }} as deal_id
    from parsed
    left join scores on parsed.form_id = scores.form_id and parsed.response_id = scores.response_id

)

select * from renamed
