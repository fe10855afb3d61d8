{{ config(materialized='table') }}
-- One inbound need can be a call, an online booking and a lead at once: the lead is it, else the booking, else the lead call.
with leads as (

    {{ newest_version(source('raw_servicetitan', 'leads'), ['id']) }}

),

bookings as (

    {{ newest_version(source('raw_servicetitan', 'bookings'), ['id']) }}

),

calls as (

    {{ newest_version(source('raw_servicetitan', 'calls'), ['id']) }}

),

jobs as (

    {{ newest_version(source('raw_servicetitan', 'jobs'), ['id']) }}

),

parsed_leads as (

    select
        *,
        {{ json_struct('record', {
            'status': 'varchar', 'customerId': 'varchar', 'campaignId': 'varchar', 'callId': 'varchar', 'manualCallId': 'varchar', 'bookingId': 'varchar',
            'jobTypeId': 'varchar', 'businessUnitId': 'varchar', 'captureSource': 'varchar', 'leadCustomerName': 'varchar', 'leadPhone': 'varchar',
            'leadEmail': 'varchar',
        }) }} as lead
    from leads

),

parsed_jobs as (

    select {{ json_struct('record', {'customerId': 'varchar', 'bookingId': 'varchar', 'leadCallId': 'varchar'}) }} as job from jobs

),

parsed_bookings as (

    select
        *,
        {{ json_struct('record', {'name': 'varchar', 'status': 'varchar', 'campaignId': 'varchar', 'businessUnitId': 'varchar', 'jobTypeId': 'varchar', 'jobId': 'varchar'}) }} as booking
    from bookings

),

parsed_calls as (

    select
        *,
        {{ json_struct('record', {
            'direction': 'varchar', 'type': 'varchar', 'from': 'varchar', 'campaign': {'id': 'varchar'}, 'lead': {'id': 'varchar'},
            'customer': {'id': 'varchar'}, 'job': {'id': 'varchar'},
        }) }} as call
    from calls

),

-- by call and booking: whether all that came of it is work that was promised before
service_only as (

    select call_id, booking_id from {{ ref('stg_servicetitan__visits') }}
    where is_service

),

sellable as (

    select call_id, booking_id from {{ ref('stg_servicetitan__visits') }}
    where not is_service

),

united as (

    select
        id as key,
        'lead' as kind,
        id,
        created_at,
        modified_at,
        not coalesce(is_active, true) as is_deleted,
        {{ clean('lead.status') }} as status,
        lead.customerId as customer_id,
        lead.campaignId as campaign_id,
        lead.jobTypeId as job_type_id,
        lead.businessUnitId as unit_id,
        coalesce(lead.callId, lead.manualCallId) as call_id,
        lead.bookingId as booking_id,
        case
            when lead.bookingId is not null then 'form'
            when coalesce(lead.callId, lead.manualCallId) is not null then 'call'
            else coalesce(lower({{ clean('lead.captureSource') }}), 'rep')
        end as created_by,
        {{ clean('lead.leadCustomerName') }} as name,
        {{ clean('lead.leadPhone') }} as phone,
        {{ clean('lead.leadEmail') }} as email
    from parsed_leads
    union all
    select
        'booking-' || parsed_bookings.id,
        'booking',
        parsed_bookings.id,
        parsed_bookings.created_at,
        parsed_bookings.modified_at,
        not coalesce(parsed_bookings.is_active, true),
        case lower(parsed_bookings.booking.status) when 'dismissed' then 'Dismissed' when 'converted' then 'Converted' else 'Open' end,
        parsed_jobs.job.customerId,
        parsed_bookings.booking.campaignId,
        parsed_bookings.booking.jobTypeId,
        parsed_bookings.booking.businessUnitId,
        null,
        parsed_bookings.id,
        'form',
        {{ clean('parsed_bookings.booking.name') }},
        null,
        null
    from parsed_bookings
    left join parsed_jobs on parsed_bookings.id = parsed_jobs.job.bookingId
    where parsed_bookings.id not in (select lead.bookingId from parsed_leads where lead.bookingId is not null)
        and (
            parsed_bookings.id not in (select booking_id from service_only where booking_id is not null)
            or parsed_bookings.id in (select booking_id from sellable where booking_id is not null)
        )
    union all
    select
        'call-' || parsed_calls.id,
        'call',
        parsed_calls.id,
        parsed_calls.created_at,
        parsed_calls.modified_at,
        not coalesce(parsed_calls.is_active, true),
        case parsed_calls.call.type when 'Booked' then 'Converted' else 'Open' end,
        coalesce(parsed_calls.call.customer.id, parsed_jobs.job.customerId),
        parsed_calls.call.campaign.id,
        null,
        null,
        parsed_calls.id,
        null,
        'call',
        null,
        {{ clean('parsed_calls.call."from"') }},
        null
    from parsed_calls
    left join parsed_jobs on parsed_calls.id = parsed_jobs.job.leadCallId
    where lower(parsed_calls.call.direction) = 'inbound' and parsed_calls.call.type in ('Booked', 'Unbooked')
        and parsed_calls.call.lead.id is null
        and parsed_calls.id not in (select coalesce(lead.callId, lead.manualCallId) from parsed_leads where coalesce(lead.callId, lead.manualCallId) is not null)
        -- a call about work that was sold or promised before is none
        and (parsed_calls.call.job.id is null or parsed_jobs.job is not null)
        and (
            parsed_calls.id not in (select call_id from service_only where call_id is not null)
            or parsed_calls.id in (select call_id from sellable where call_id is not null)
        )

)

-- a booking or a call may have led to two jobs
select {{ star_except('numbered', ['place']) }}
from (
    select
        *,
        row_number() over (partition by key order by customer_id) as place
    from united
) as numbered
where place = 1
