with source as (

    {{ newest_version(source('raw_calendly', 'routing_form_submissions'), ['uri']) }}

),

forms as (

    {{ newest_version(source('raw_calendly', 'routing_forms'), ['uri']) }}

),

parsed as (

    select
        uri,
        created_at,
        {{ json_struct('record', {
            'routing_form': 'varchar', 'questions_and_answers': [{'question': 'varchar', 'answer': 'varchar'}],
            'tracking': {'utm_source': 'varchar', 'utm_campaign': 'varchar'},
        }) }} as submission
    from source

),

lists as (

    select uri, submission.questions_and_answers as answers from parsed

),

answers as (

    {{ unnest_list('lists', ['uri'], 'answers') }}

),

persons as (

    select
        uri,
        min(case when lower(item.question) like '%mail%' and item.answer like '%@%' then item.answer end) as email,
        min(case when lower(item.question) like '%phone%' then item.answer end) as phone,
        min(case when lower(item.question) like '%name%' then item.answer end) as name
    from answers
    group by uri

),

final as (

    select
        {{ source_id("'calendly'", last_part('parsed.uri', '/')) }} as submission_id,
        {{ source_id("'calendly'", last_part('parsed.submission.routing_form', '/')) }} as form_id,
        {{ clean(json_struct('forms.record', {'name': 'varchar'}) ~ '.name') }} as form,
        parsed.created_at as submitted_at,
        cast(null as varchar) as first_name,
        {{ clean('persons.name') }} as last_name,
        {{ clean('persons.email') }} as email,
        {{ clean('persons.phone') }} as phone,
        cast(null as varchar) as page,
        {{ clean('parsed.submission.tracking.utm_source') }} as channel,
        {{ clean('parsed.submission.tracking.utm_campaign') }} as campaign,
        cast(null as varchar) as lead_id
    from parsed
    left join persons on parsed.uri = persons.uri
    left join forms on parsed.submission.routing_form = forms.uri

)

select * from final
