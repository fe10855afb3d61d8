{{ config(materialized='table') }}
-- Who was invited to which appointment, with the answer that is a telephone number.
with events as (

    {{ newest_version(source('raw_calendly', 'scheduled_events'), ['uri']) }}

),

invitees as (

    {{ newest_version(source('raw_calendly', 'invitees'), ['uri']) }}

),

parsed_events as (

    select
        uri,
        {{ json_struct('record', {
            'status': 'varchar', 'start_time': 'varchar', 'end_time': 'varchar', 'event_memberships': [{'user_email': 'varchar'}],
        }) }} as event
    from events

),

parsed as (

    select
        uri,
        created_at,
        {{ json_struct('record', {
            'event': 'varchar', 'email': 'varchar', 'name': 'varchar', 'first_name': 'varchar', 'last_name': 'varchar', 'status': 'varchar',
            'rescheduled': 'boolean', 'old_invitee': 'varchar', 'no_show': {'created_at': 'varchar'}, 'text_reminder_number': 'varchar',
            'questions_and_answers': [{'question': 'varchar', 'answer': 'varchar'}], 'invitee_scheduled_by': 'varchar',
            'payment': {'external_id': 'varchar', 'provider': 'varchar', 'amount': 'varchar', 'currency': 'varchar', 'successful': 'boolean'},
        }) }} as invitee
    from invitees

),

lists as (

    select uri, invitee.questions_and_answers as answers from parsed

),

answers as (

    {{ unnest_list('lists', ['uri'], 'answers') }}

),

phones as (

    select
        uri,
        min(item.answer) as phone
    from answers
    where {{ phone_key('item.answer') }} is not null and (lower(item.question) like '%phone%' or lower(item.question) like '%mobile%' or lower(item.question) like '%cell%')
    group by uri

),

final as (

    select
        {{ last_part('parsed.uri', '/') }} as id,
        parsed.uri,
        parsed.created_at,
        parsed.invitee.old_invitee as old_uri,
        coalesce(parsed.invitee.rescheduled, false) as is_moved,
        parsed.invitee.status = 'canceled' or events.event.status = 'canceled' as is_canceled,
        parsed.invitee.no_show is not null as is_no_show,
        parsed.invitee.invitee_scheduled_by is null as is_self_booked,
        {{ clean('parsed.invitee.email') }} as email,
        coalesce({{ clean('parsed.invitee.text_reminder_number') }}, {{ clean('phones.phone') }}) as phone,
        {{ clean('parsed.invitee.first_name') }} as first_name,
        coalesce({{ clean('parsed.invitee.last_name') }}, {{ clean('parsed.invitee.name') }}) as last_name,
        {{ parse_timestamp('events.event.start_time') }} as starts_at,
        {{ parse_timestamp('events.event.end_time') }} as ends_at,
        {{ first_item('events.event.event_memberships') }}.user_email as user_email,
        parsed.invitee.payment as payment
    from parsed
    inner join parsed_events as events on parsed.invitee.event = events.uri
    left join phones on parsed.uri = phones.uri

)

select * from final
