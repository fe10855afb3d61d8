-- Answers to the questions that hold scores, comment and e-mail address. Of a scale the number counts that the choices say, else their weight.
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

listed_choices as (

    {{ unnest_list('choice_lists', ['survey_id', 'question_id'], 'choices') }}

),

choices as (

    select
        *,
        row_number() over (
            partition by survey_id, question_id, coalesce(item.is_na, false) order by {{ try_cast('item.position', 'bigint') }}, position
        ) as place
    from listed_choices

),

named as (

    select
        answered.id,
        questions.role,
        {{ first_item('answered.item.answers') }}.text as text,
        questions.first_step,
        questions.span,
        case
            when coalesce(choices.item.is_na, false) then null
            when questions.scored_by = 'place' then choices.place + questions.first_step - 1
            when questions.scored_by = 'text' then {{ number_in_text('choices.item.text') }}
            when questions.scored_by = 'weight' then {{ try_cast('choices.item.weight', 'bigint') }}
        end as score,
        case when not coalesce(choices.item.is_na, false) then choices.item.text end as choice
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
        max(case when role = 'nps' then {{ scale_score('role', 'score', 'first_step', 'span') }} end) as nps_score,
        max(case when role = 'csat' then {{ scale_score('role', 'score', 'first_step', 'span') }} end) as csat_score,
        max(case
            when role in ('nps', 'csat') and score is null then role || ': ' || choice
            else {{ other_scale('role', 'score', 'first_step', 'span') }}
        end) as other_scale,
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
        scores.other_scale,
        {{ clean('scores.comment') }} as comment,
        coalesce({{ clean('scores.email') }}, {{ clean('parsed.response.custom_variables.email') }}, {{ clean('parsed.response.metadata.contact.email.value') }}) as email,
        {{ source_id("'" ~ var('surveymonkey_records') ~ "'", 'parsed.response.custom_variables.lead_id') }} as lead_id,
        {{ source_id("'" ~ var('surveymonkey_records') ~ "'", 'parsed.response.custom_variables.deal_id') }} as deal_id
    from parsed
    left join scores on parsed.id = scores.id

)

select * from final
