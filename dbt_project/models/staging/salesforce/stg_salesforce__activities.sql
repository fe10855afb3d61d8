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
        {{ salesforce_record(['TaskSubtype', 'CallType', 'CallDisposition', 'CallDurationInSeconds', 'ActivityDate', 'OwnerId', 'WhoId', 'WhatId', 'CreatedById']) }} as fields
    from tasks

),

from_tasks as (

    select
        tasks.id,
        case tasks.fields.TaskSubtype when 'Call' then 'call' when 'Email' then 'email' when 'ListEmail' then 'email' else 'task' end as type,
        case
            when tasks.fields.TaskSubtype = 'Call' then case tasks.fields.CallType when 'Inbound' then 'inbound' else 'outbound' end
            when tasks.fields.TaskSubtype in ('Email', 'ListEmail') then case when messages.is_incoming then 'inbound' else 'outbound' end
        end as direction,
        coalesce(tasks.fields.TaskSubtype = 'ListEmail' or (messages.is_automated and not messages.is_incoming), false) as is_automated,
        case when tasks.fields.TaskSubtype = 'Call' then
            case
                when lower(tasks.fields.CallDisposition) in ('missed', 'abandoned') then 'missed'
                when lower(tasks.fields.CallDisposition) in ('no answer', 'no_answer', 'left voicemail', 'voicemail') then 'no_answer'
                when lower(tasks.fields.CallDisposition) in ('busy') then 'busy'
                when lower(tasks.fields.CallDisposition) in ('failed', 'wrong number') then 'failed'
                when {{ try_cast('tasks.fields.CallDurationInSeconds', 'double') }} > 0 or lower(tasks.fields.CallDisposition) in ('answered', 'connected', 'completed') then 'answered'
            end
        end as outcome,
        tasks.created_at,
        case
            when tasks.fields.TaskSubtype in ('Call', 'Email', 'ListEmail') then tasks.created_at
            else coalesce(cast({{ try_cast('tasks.fields.ActivityDate', 'date') }} as timestamp), tasks.created_at)
        end as at,
        {{ try_cast('tasks.fields.CallDurationInSeconds', 'double') }} as duration_seconds,
        tasks.fields.OwnerId as owner_id,
        tasks.fields.WhoId as who_id,
        tasks.fields.WhatId as what_id,
        tasks.is_deleted
    from parsed_tasks as tasks
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

from_events as (

    select
        id,
        'meeting' as type,
        cast(null as varchar) as direction,
        fields.CreatedById in (select id from software) as is_automated,
        {% if event['outcome'] -%}
        case lower(fields."{{ event['outcome'] }}")
            when 'held' then 'held' when 'completed' then 'held'
            when 'no show' then 'no_show' when 'no_show' then 'no_show'
            when 'canceled' then 'canceled' when 'cancelled' then 'canceled'
            else 'scheduled'
        end
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
    left join {{ ref('stg_salesforce__lead_contacts') }} as contacts on united.who_id = contacts.contact_id

)

select * from renamed
