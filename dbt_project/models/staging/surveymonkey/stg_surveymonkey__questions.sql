-- Questions of the surveys as they are, with what each asks for. A question that was taken out keeps its answers, but nobody knows what it asked.
with source as (

    {{ newest_version(source('raw_surveymonkey', 'surveys'), ['id']) }}

),

surveys as (

    select
        id as survey_id,
        {{ json_struct('record', {
            'pages': [{'questions': [{
                'id': 'varchar', 'family': 'varchar', 'subtype': 'varchar', 'headings': [{'heading': 'varchar'}],
                'answers': {'choices': [{'id': 'varchar', 'text': 'varchar', 'weight': 'varchar', 'position': 'varchar'}]},
            }]}],
        }) }}.pages as pages
    from source

),

pages as (

    {{ unnest_list('surveys', ['survey_id'], 'pages') }}

),

lists as (

    select survey_id, item.questions as questions from pages

),

questions as (

    {{ unnest_list('lists', ['survey_id'], 'questions') }}

),

worded as (

    select
        survey_id,
        item.id as question_id,
        {{ clean(without_tags(first_item('item.headings') ~ '.heading')) }} as title,
        case
            when item.family = 'matrix' or item.family = 'single_choice' then 'scale'
            when item.family = 'open_ended' and item.subtype = 'essay' then 'long_text'
            when item.family = 'open_ended' then 'text'
            when item.family = 'demographic' then 'text'
        end as kind,
        coalesce({{ list_length('item.answers.choices') }}, 0) as steps,
        item.answers.choices as choices
    from questions

),

final as (

    select
        *,
        {{ question_role('surveymonkey', 'kind', 'steps', 'title', 'question_id') }} as role
    from worded

)

select * from final
