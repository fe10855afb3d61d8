{# Which questions are the satisfaction score and the comment: by `ref` or title, lower case. NPS questions have their own type. #}
{% set questions = {'csat': ['csat', 'satisfaction'], 'comment': ['comment', 'comments']} %}
{% do questions.update(var('typeform_questions', {})) %}
with source as (

    {{ newest_version(source('raw_typeform', 'responses'), ['form_id', 'response_id']) }}

),

forms as (

    {{ newest_version(source('raw_typeform', 'forms'), ['form_id']) }}

),

form_fields as (

    select
        form_id,
        {{ json_struct('record', {'fields': [{'id': 'varchar', 'title': 'varchar'}]}) }}.fields as fields
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

named as (

    select
        answers.form_id,
        answers.response_id,
        answers.item,
        lower(answers.item.field.type) as field_type,
        coalesce(lower(answers.item.field.ref) in ({{ text_list(questions['csat']) }}) or lower(questions.item.title) in ({{ text_list(questions['csat']) }}), false) as is_csat,
        coalesce(lower(answers.item.field.ref) in ({{ text_list(questions['comment']) }}) or lower(questions.item.title) in ({{ text_list(questions['comment']) }}), false) as is_comment
    from answers
    left join questions on answers.form_id = questions.form_id and answers.item.field.id = questions.item.id

),

scores as (

    select
        form_id,
        response_id,
        max(case when field_type = 'nps' then item.number end) as nps_score,
        max(case when field_type in ('rating', 'opinion_scale') and is_csat then item.number end) as csat_score,
        max(case when is_comment then item.text end) as comment,
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
