-- All activities up to as_of, of the CRM, the telephone system and the calendar, linked to the surviving lead and deal.
with records as (

    select * from {{ ref('int_activity_records') }}

)

select {{ star_except('records', ['entity', 'left_out', 'recorded_id', 'is_abandoned', 'is_lead', 'wait_seconds', 'queue', 'agent', 'channel', 'campaign', 'customer_number']) }}
from records
where left_out is null
