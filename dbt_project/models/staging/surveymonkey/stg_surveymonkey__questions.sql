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
                'answers': {'choices': [{'id': 'varchar', 'text': 'varchar', 'weight': 'varchar', 'position': 'varchar', 'is_na': 'boolean'}]},
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
        item.answers.choices as choices
    from questions

),

all_choices as (

    {{ unnest_list('worded', ['survey_id', 'question_id'], 'choices') }}

),

-- A choice that is no step of the scale (not applicable) has no score.
numbered as (

    select
        survey_id,
        question_id,
        {{ number_in_text('item.text') }} as in_text,
        {{ try_cast('item.weight', 'bigint') }} as weight,
        row_number() over (partition by survey_id, question_id order by {{ try_cast('item.position', 'bigint') }}, position) as place
    from all_choices
    where not coalesce(item.is_na, false)

),

-- The numbers that stand in the choices are the scale, also where only some have one ("Not at all likely", 1, 2 ...). Where none do, the weights are,
-- if each choice has one of its own: NPS questions weigh detractors, passives and promoters with -100, 0 and 100, which are no steps.
judged as (

    select
        survey_id,
        question_id,
        count(*) as steps,
        case
            when count(distinct in_text) = count(*) then 'text'
            when count(in_text) > 1 and min(in_text - place) = max(in_text - place) then 'place'
            when count(distinct weight) = count(*) then 'weight'
        end as scored_by,
        min(in_text) as first_text,
        max(in_text) as last_text,
        min(in_text - place) as before_first,
        min(weight) as first_weight,
        max(weight) as last_weight
    from numbered
    group by survey_id, question_id

),

-- `span`: how many steps there are from the first to the last; more than choices where there are gaps
scales as (

    select
        *,
        case scored_by when 'text' then first_text when 'place' then before_first + 1 when 'weight' then first_weight end as first_step,
        case scored_by when 'text' then last_text - first_text + 1 when 'place' then steps when 'weight' then last_weight - first_weight + 1 end as span
    from judged

),

scaled as (

    select
        worded.*,
        coalesce(scales.steps, 0) as steps,
        scales.scored_by,
        scales.first_step,
        scales.span
    from worded
    left join scales on worded.survey_id = scales.survey_id and worded.question_id = scales.question_id

),

final as (

    select
        *,
        {{ question_role('surveymonkey', 'kind', 'steps', 'title', 'question_id') }} as role
    from scaled

)

select * from final
