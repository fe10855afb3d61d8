-- What is linked to a record that does not count is not linked here; what is linked to nothing else is left out.
with activities as (

    select
        activities.*,
        leads.lead_id as counted_lead_id,
        deals.deal_id as counted_deal_id,
        case when deals.deal_id is not null then 'deal' else 'lead' end as subject_type,
        coalesce(deals.deal_id, leads.lead_id) as subject_id
    from {{ ref('int_activities') }} as activities
    left join {{ ref('int_leads') }} as leads on activities.lead_id = leads.lead_id and leads.is_counted
    left join {{ ref('int_deals') }} as deals on activities.deal_id = deals.deal_id and deals.is_counted
    where leads.lead_id is not null or deals.deal_id is not null

),

dated as (

    select
        activities.*,
        -- an appointment whose time has come, and of which is known what became of it
        activities.type = 'meeting'
        and activities.outcome in ('held', 'no_show', 'canceled')
        and activities.at <= {{ as_of() }} as is_judged,
        {{ record_segments('records') }},
        {{ business_date('activities.at', 'records.timezone') }} as activity_date
    from activities
    inner join {{ ref('int_segments') }} as records
        on activities.subject_type = records.subject_type and activities.subject_id = records.subject_id

),

final as (

    select
        dated.activity_id,
        dated.type,
        dated.direction,
        dated.is_automated,
        dated.outcome,
        dated.created_at,
        dated.at,
        dated.activity_date,
        dated.counted_lead_id as lead_id,
        dated.counted_deal_id as deal_id,
        dated.user_id,
        dated.duration_seconds,
        classes.class as activity_class,
        case when dated.is_judged then dated.outcome = 'held' end as is_held,
        case when dated.is_judged then dated.outcome = 'no_show' end as is_no_show,
        case when dated.is_judged then dated.outcome = 'canceled' end as is_canceled,
        dated.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        dated.channel,
        dated.campaign,
        dated.service_line,
        dated.job_type,
        dated.customer_type,
        versions.process_version,
        dated.pipeline
    from dated
    left join {{ source('process', 'activity_classes') }} as classes on dated.type = classes.type
    {{ owner_at('owners', 'dated.subject_type', 'dated.subject_id', 'dated.known_at') }}
    {{ user_of('users', 'coalesce(dated.user_id, owners.owner_id)') }}
    {{ version_on('versions', 'dated.activity_date') }}

)

select * from final
