with leads as (

    select
        *,
        {{ business_date('created_at', 'timezone') }} as created_date,
        {{ business_hour('created_at', 'timezone') }} as created_hour
    from {{ ref('int_leads') }}
    where is_counted

),

contacts as (

    select
        contacts.lead_id,
        min(case
            when contacts.is_outreach and not {{ is_after('leads.created_at', 'contacts.at', 'leads.timezone') }} then contacts.at
            when contacts.is_answered_inbound and not {{ is_after(add_minutes('leads.created_at', -60), 'contacts.at', 'leads.timezone') }}
                then greatest(contacts.at, leads.created_at)
        end) as first_touch_at
    from {{ ref('int_lead_contacts') }} as contacts
    inner join leads on contacts.lead_id = leads.lead_id
    group by contacts.lead_id

),

final as (

    select
        leads.lead_id,
        'lead/' || leads.lead_id as case_id,
        {{ id_source('leads.lead_id') }} as source,
        leads.created_at,
        leads.created_date,
        leads.created_hour,
        {{ weekday_of('leads.created_date') }} as created_weekday,
        leads.created_by,
        coalesce(leads.created_by = 'rep', false) as is_rep_created,
        first_owners.first_set_at as first_assigned_at,
        persons.person_key,
        contacts.first_touch_at,
        coalesce(outcomes.outcome, 'open') as outcome,
        coalesce(outcomes.outcome = 'won', false) as is_won,
        coalesce(outcomes.outcome = 'lost', false) as is_lost,
        coalesce(outcomes.outcome, 'open') = 'open' as is_open,
        coalesce(outcomes.is_undated, true) as is_undated,
        case when outcomes.outcome = 'won' then outcomes.closed_at end as won_at,
        case when outcomes.outcome = 'won' then {{ days_to_close('leads.created_at', 'outcomes.closed_at', 'outcomes.close_precision', 'leads.timezone') }} end as days_to_won,
        case
            when coalesce(outcomes.outcome, 'open') = 'open' then {{ local_days_between('leads.created_at', 'run.as_of', 'leads.timezone') }}
            else {{ days_to_close('leads.created_at', 'outcomes.closed_at', 'outcomes.close_precision', 'leads.timezone') }}
        end as days_observed,
        leads.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        leads.channel,
        leads.campaign,
        leads.service_line,
        leads.job_type,
        leads.customer_type,
        versions.process_version,
        cast(null as varchar) as pipeline
    from leads
    cross join {{ source('process', 'run') }} as run
    left join contacts on leads.lead_id = contacts.lead_id
    left join {{ ref('int_lead_persons') }} as persons on leads.lead_id = persons.lead_id
    left join {{ ref('int_outcomes') }} as outcomes on outcomes.record_type = 'case' and 'lead/' || leads.lead_id = outcomes.record_id
    left join {{ ref('int_first_owners') }} as first_owners on first_owners.subject_type = 'lead' and leads.lead_id = first_owners.subject_id
    {{ user_of('users', 'first_owners.owner_id') }}
    {{ version_on('versions', 'leads.created_date') }}

)

select * from final
