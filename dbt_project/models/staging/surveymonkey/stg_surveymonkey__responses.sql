-- Answers to the questions that hold scores, comment and e-mail address. Of a scale the weight counts, or the word where it is a number.
with source as (

    {{ newest_version(source('raw_surveymonkey', 'responses'), ['id']) }}

),

absences as (

    {{ absent_records('surveymonkey', 'responses') }}

),

parsed as (

    select
        source.id,
        source.survey_id,
        source.modified_at,
        {{ json_struct('record', {
            'response_status': 'varchar', 'custom_variables': {'lead_id': 'varchar', 'deal_id': 'varchar', 'email': 'varchar'},
            'metadata': {'contact': {'email': {'value': 'varchar'}}},
            'pages': [{'questions': [{'id': 'varchar', 'answers': [{'choice_id': 'varchar', 'text': 'varchar'}]}]}],
        }) }} as response
    from source
    left join absences on source.id = absences.id
    where absences.id is null

),

lists as (

    select id, survey_id, response.pages as pages from parsed

),

pages as (

    {{ unnest_list('lists', ['id', 'survey_id'], 'pages') }}

),

page_questions as (

    select id, survey_id, item.questions as questions from pages

),

answered as (

    {{ unnest_list('page_questions', ['id', 'survey_id'], 'questions') }}

),

choice_lists as (

    select survey_id, question_id, choices from {{ ref('stg_surveymonkey__questions') }}

),

choices as (

    {{ unnest_list('choice_lists', ['survey_id', 'question_id'], 'choices') }}

),

named as (

    select
        answered.id,
        questions.role,
        {{ first_item('answered.item.answers') }}.text as text,
        coalesce({{ try_cast('choices.item.weight', 'bigint') }}, {{ try_cast('choices.item.text', 'bigint') }}) as score
    from answered
    inner join {{ ref('stg_surveymonkey__questions') }} as questions
        on answered.survey_id = questions.survey_id and answered.item.id = questions.question_id
    left join choices
        on answered.survey_id = choices.survey_id and answered.item.id = choices.question_id
        and {{ first_item('answered.item.answers') }}.choice_id = choices.item.id
    where questions.role is not null

),

scores as (

    select
        id,
        max(case when role = 'nps' then score end) as nps_score,
        max(case when role = 'csat' then score end) as csat_score,
        max(case when role = 'comment' then text end) as comment,
        max(case when role = 'email' then text end) as email
    from named
    group by id

),

final as (

    select
        {{ source_id("'surveymonkey'", 'parsed.id') }} as response_id,
        parsed.survey_id as form_id,
        case when parsed.response.response_status = 'completed' then parsed.modified_at end as submitted_at,
        scores.nps_score,
        scores.csat_score,
        {{ clean('scores.comment') }} as comment,
        coalesce({{ clean('scores.email') }}, {{ clean('parsed.response.custom_variables.email') }}, {{ clean('parsed.response.metadata.contact.email.value') }}) as email,
        {{ source_id("'" ~ var('surveymonkey_records') ~ "'", 'parsed.response.custom_variables.lead_id') }} as lead_id,
        {{ source_id("'" ~ var('surveymonkey_records') ~ "'", 'parsed.response.custom_variables.deal_id') }} as deal_id
    from parsed
    left join scores on parsed.id = scores.id

)

select * from final
