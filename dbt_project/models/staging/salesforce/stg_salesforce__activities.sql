{% set event = salesforce_fields('events') %}
with tasks as (

    {{ newest_version(source('raw_salesforce', 'tasks'), ['id']) }}

),

events as (

    {{ newest_version(source('raw_salesforce', 'events'), ['id']) }}

),

emails as (

    {{ newest_version(source('raw_salesforce', 'email_messages'), ['id']) }}

),

users as (

    {{ newest_version(source('raw_salesforce', 'users'), ['id']) }}

),

software as (

    select id from users
    where {{ salesforce_record(['UserType']) }}.UserType = 'AutomatedProcess'

),

messages as (

    select
        {{ clean(salesforce_record(['ActivityId', 'Incoming', 'CreatedById']) ~ '.ActivityId') }} as activity_id,
        coalesce({{ word_boolean(salesforce_record(['ActivityId', 'Incoming', 'CreatedById']) ~ '.Incoming') }}, false) as is_incoming,
        {{ salesforce_record(['ActivityId', 'Incoming', 'CreatedById']) }}.CreatedById in (select id from software) as is_automated,
        row_number() over (partition by {{ salesforce_record(['ActivityId']) }}.ActivityId order by id) as place
    from emails
    where not coalesce(is_deleted, false)

),

parsed_tasks as (

    select
        id,
        created_at,
        coalesce(is_deleted, false) as is_deleted,
        {{ salesforce_record(['TaskSubtype', 'CallType', 'CallDisposition', 'CallDurationInSeconds', 'ActivityDate', 'OwnerId', 'WhoId', 'WhatId', 'CreatedById', 'IsClosed', 'Status', 'CompletedDateTime']) }} as fields
    from tasks

),

task_words as (

    {{ outcome_words('parsed_tasks', ['fields.CallDisposition'], 'salesforce') }}

),

-- A call or an e-mail that is still to be done is a task, whatever it is called. An org may have its own words for a status that is closed.
judged_tasks as (

    select
        parsed_tasks.*,
        coalesce({{ word_boolean('parsed_tasks.fields.IsClosed') }}, lower(parsed_tasks.fields.Status) = 'completed', true) as is_done,
        task_words.call_outcome as outcome
    from parsed_tasks
    left join task_words on parsed_tasks.fields.CallDisposition = task_words.written

),

from_tasks as (

    select
        tasks.id,
        case
            when not tasks.is_done or (tasks.fields.TaskSubtype = 'Call' and tasks.outcome = 'planned') then 'task'
            when tasks.fields.TaskSubtype = 'Call' then 'call'
            when tasks.fields.TaskSubtype in ('Email', 'ListEmail') then 'email'
            else 'task'
        end as type,
        case
            when tasks.fields.TaskSubtype = 'Call' then case lower(tasks.fields.CallType) when 'inbound' then 'inbound' when 'internal' then null else 'outbound' end
            when tasks.fields.TaskSubtype in ('Email', 'ListEmail') then case when messages.is_incoming then 'inbound' else 'outbound' end
        end as direction,
        coalesce(tasks.fields.TaskSubtype = 'ListEmail' or (messages.is_automated and not messages.is_incoming), false) as is_automated,
        case when tasks.fields.TaskSubtype = 'Call' then
            case
                when not tasks.is_done then 'planned'
                when tasks.outcome is not null then tasks.outcome
                when {{ word_key('tasks.fields.CallDisposition') }} is not null then {{ clean('tasks.fields.CallDisposition') }}
                when {{ try_cast('tasks.fields.CallDurationInSeconds', 'double') }} > 0 then 'answered'
            end
        when tasks.is_done and coalesce(tasks.fields.TaskSubtype, 'Task') not in ('Email', 'ListEmail') then 'completed'
        end as outcome,
        tasks.created_at,
        case
            -- one that was planned took place when it was done
            when tasks.is_done and tasks.fields.TaskSubtype in ('Call', 'Email', 'ListEmail')
                then coalesce({{ salesforce_timestamp('tasks.fields.CompletedDateTime') }}, tasks.created_at)
            else coalesce(cast({{ try_cast('tasks.fields.ActivityDate', 'date') }} as timestamp), tasks.created_at)
        end as at,
        {{ try_cast('tasks.fields.CallDurationInSeconds', 'double') }} as duration_seconds,
        tasks.fields.OwnerId as owner_id,
        tasks.fields.WhoId as who_id,
        tasks.fields.WhatId as what_id,
        tasks.is_deleted
    from judged_tasks as tasks
    left join messages on tasks.id = messages.activity_id and messages.place = 1

),

parsed_events as (

    select
        id,
        created_at,
        coalesce(is_deleted, false) as is_deleted,
        {{ salesforce_record([event['outcome'], 'StartDateTime', 'EndDateTime', 'OwnerId', 'WhoId', 'WhatId', 'CreatedById']) }} as fields
    from events

),

{% if event['outcome'] -%}
event_words as (

    {{ outcome_words('parsed_events', ['fields."' ~ event['outcome'] ~ '"'], 'salesforce') }}

),
{%- endif %}

from_events as (

    select
        id,
        'meeting' as type,
        cast(null as varchar) as direction,
        fields.CreatedById in (select id from software) as is_automated,
        {% if event['outcome'] -%}
        coalesce(event_words.meeting_outcome, {{ clean('fields."' ~ event['outcome'] ~ '"') }}, 'scheduled')
        {%- else -%}
        case when {{ salesforce_timestamp('fields.EndDateTime') }} <= {{ as_of() }} then 'held' else 'scheduled' end
        {%- endif %} as outcome,
        created_at,
        {{ salesforce_timestamp('fields.StartDateTime') }} as at,
        {{ seconds_between(salesforce_timestamp('fields.StartDateTime'), salesforce_timestamp('fields.EndDateTime')) }} as duration_seconds,
        fields.OwnerId as owner_id,
        fields.WhoId as who_id,
        fields.WhatId as what_id,
        is_deleted
    from parsed_events
    {% if event['outcome'] -%}
    left join event_words on parsed_events.fields."{{ event['outcome'] }}" = event_words.written
    {%- endif %}

),

united as (

    select * from from_tasks
    union all
    select * from from_events

),

-- a person is a lead, or the contact that a lead became
renamed as (

    select
        {{ source_id("'salesforce'", 'united.id') }} as activity_id,
        united.type,
        united.direction,
        united.is_automated,
        united.outcome,
        united.created_at,
        united.at,
        united.duration_seconds,
        case when united.owner_id not in (select id from software) then {{ salesforce_user('united.owner_id') }} end as user_id,
        {{ source_id("'salesforce'", "case when united.who_id like '00Q%' then united.who_id else contacts.lead_id end") }} as lead_id,
        {{ source_id("'salesforce'", "case when united.what_id like '006%' then united.what_id end") }} as deal_id,
        united.is_deleted
    from united
    left join {{ ref('stg_salesforce__lead_contacts') }} as contacts
        on united.who_id = contacts.contact_id
        -- what is planned exists from when it was set
        and case when united.type in ('meeting', 'task') then united.created_at else united.at end >= contacts.valid_from
        and case when united.type in ('meeting', 'task') then united.created_at else united.at end < contacts.valid_to

)

select * from renamed
