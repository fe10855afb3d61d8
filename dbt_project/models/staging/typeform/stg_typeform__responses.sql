with source as (

    {{ newest_version(source('raw_typeform', 'responses'), ['form_id', 'response_id']) }}

),

forms as (

    {{ newest_version(source('raw_typeform', 'forms'), ['form_id']) }}

),

form_fields as (

    select
        form_id,
        {{ json_struct('record', {'fields': [{'id': 'varchar', 'title': 'varchar', 'properties': {
            'steps': 'integer', 'start_at_one': 'boolean',
            'fields': [{'id': 'varchar', 'title': 'varchar', 'properties': {'steps': 'integer', 'start_at_one': 'boolean'}}],
        }}]}) }}.fields as fields
    from forms

),

form_questions as (

    {{ unnest_list('form_fields', ['form_id'], 'fields') }}

),

-- questions that stand in a group
group_questions as (

    {{ unnest_list('form_questions', ['form_id'], 'item.properties.fields') }}

),

questions as (

    select form_id, item.id as field_id, item.title as title, item.properties.steps as steps, item.properties.start_at_one as starts_at_one from form_questions
    union all
    select form_id, item.id, item.title, item.properties.steps, item.properties.start_at_one from group_questions

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
        questions.title,
        case lower(answers.item.field.type)
            when 'nps' then 'nps' when 'rating' then 'scale' when 'opinion_scale' then 'scale' when 'long_text' then 'long_text'
            when 'short_text' then 'text' when 'email' then 'email'
        end as kind,
        coalesce(questions.steps, case when lower(answers.item.field.type) in ('nps', 'opinion_scale') then 11 else 5 end) as steps,
        -- stars are counted from one, recommendations from zero, other scales as the form says
        case lower(answers.item.field.type) when 'rating' then 1 when 'opinion_scale' then case when questions.starts_at_one then 1 else 0 end else 0 end as first_step
    from answers
    left join questions on answers.form_id = questions.form_id and answers.item.field.id = questions.field_id

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
        max(case when role = 'nps' then {{ scale_score('role', 'item.number', 'first_step', 'steps') }} end) as nps_score,
        max(case when role = 'csat' then {{ scale_score('role', 'item.number', 'first_step', 'steps') }} end) as csat_score,
        max({{ other_scale('role', 'item.number', 'first_step', 'steps') }}) as other_scale,
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
        scores.other_scale,
        {{ clean('scores.comment') }} as comment,
        coalesce({{ clean('scores.email') }}, {{ clean('parsed.response.hidden.email') }}) as email,
        {{ source_id("'" ~ var('typeform_records') ~ "'", 'parsed.response.hidden.lead_id') }} as lead_id,
        {{ source_id("'" ~ var('typeform_records') ~ "'", 'parsed.response.hidden.deal_id') }} as deal_id
    from parsed
    left join scores on parsed.form_id = scores.form_id and parsed.response_id = scores.response_id

)

select * from renamed
