with united as (

    {{ canonical('deals') }}

),

logged as (

    {{ canonical('stage_events') }}

),

-- An event log can tell of deals that no record describes.
from_events as (

    select
        subject_id as deal_id,
        pipeline,
        stage,
        owner_id,
        min("at") over (partition by subject_id) as created_at,
        row_number() over (partition by subject_id order by "at" desc, source_order desc, event_id desc) as place
    from logged
    where subject_type = 'deal' and subject_id is not null

),

derived as (

    select
        from_events.deal_id,
        from_events.pipeline,
        from_events.stage,
        from_events.owner_id,
        from_events.created_at,
        false as is_deleted,
        false as is_test,
        true as is_derived
    from from_events
    left join united on from_events.deal_id = united.deal_id
    where from_events.place = 1 and united.deal_id is null

),

all_records as (

    {{ union_by_name(['united', 'derived']) }}

),

everything as (

    select {{ star_with_spelled_segments('all_records') }}
    from all_records
    {{ join_segment_spellings('all_records') }}

),

-- Deals follow the survivor of their lead.
linked as (

    select
        {{ star_except('everything', ['merged_into_id', 'lead_id', 'owner_id', 'pipeline', 'amount', 'expected_close_date', 'is_deleted']) }},
        {{ value_at_as_of('owners', 'everything.owner_id') }} as owner_id,
        {{ value_at_as_of('pipelines', 'everything.pipeline') }} as pipeline,
        {{ value_at_as_of('amounts', 'everything.amount', 'decimal(18, 2)') }} as amount,
        {{ value_at_as_of('close_dates', 'everything.expected_close_date', 'date') }} as expected_close_date,
        everything.is_deleted and coalesce(everything.removed_at <= {{ as_of() }}, true) as is_deleted,
        coalesce(lead_merges.survivor_id, everything.lead_id) as linked_lead_id,
        deal_merges.survivor_id as merged_into_id
    from everything
    {{ join_value_at_as_of('owners', 'deal', 'everything.deal_id', 'owner_id') }}
    {{ join_value_at_as_of('pipelines', 'deal', 'everything.deal_id', 'pipeline') }}
    {{ join_value_at_as_of('amounts', 'deal', 'everything.deal_id', 'amount') }}
    {{ join_value_at_as_of('close_dates', 'deal', 'everything.deal_id', 'expected_close_date') }}
    left join {{ ref('int_merged_records') }} as deal_merges
        on deal_merges.subject_type = 'deal' and everything.deal_id = deal_merges.record_id
    left join {{ ref('int_merged_records') }} as lead_merges
        on lead_merges.subject_type = 'lead' and everything.lead_id = lead_merges.record_id

),

-- What people say does not count: a rule that names a deal, with the columns of its lead.
ruled as (

    select
        deal.deal_id,
        cast(case
            {% for rule in var('deal_exclusions') -%}
            when {{ rule['sql'] }} then '{{ rule['reason'] | replace("'", "''") }}'
            {% endfor -%}
            when false then null
        end as varchar) as reason
    from linked as deal
    left join {{ ref('int_leads') }} as lead on deal.linked_lead_id = lead.lead_id

),

final as (

    select
        {{ star_except('linked', ['is_derived', 'branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type']) }},
        coalesce(linked.is_derived, false) as is_derived,
        leads.lead_id,
        linked.branch as own_branch,
        linked.channel as own_channel,
        linked.campaign as own_campaign,
        linked.service_line as own_service_line,
        linked.job_type as own_job_type,
        linked.customer_type as own_customer_type,
        coalesce(linked.branch, leads.branch, users.branch) as branch,
        coalesce(linked.channel, leads.channel) as channel,
        coalesce(linked.campaign, leads.campaign) as campaign,
        coalesce(linked.service_line, leads.service_line) as service_line,
        coalesce(linked.job_type, leads.job_type) as job_type,
        coalesce(linked.customer_type, leads.customer_type) as customer_type,
        case
            when linked.created_at > {{ as_of() }} then 'after_as_of'
            when linked.merged_into_id is not null then 'merged'
            when linked.is_deleted then 'deleted'
            when ruled.reason is not null then ruled.reason
            when linked.is_test then 'test'
            when leads.exclusion_reason is not null then 'lead_' || leads.exclusion_reason
        end as exclusion_reason
    from linked
    inner join ruled on linked.deal_id = ruled.deal_id
    left join {{ ref('int_leads') }} as leads on linked.linked_lead_id = leads.lead_id
    left join {{ ref('int_users') }} as users on linked.owner_id = users.user_id

),

placed as (

    select
        final.*,
        final.exclusion_reason is null as is_counted,
        coalesce(branches.timezone, run.timezone) as timezone
    from final
    cross join {{ source('process', 'run') }} as run
    left join {{ source('process', 'branches') }} as branches on final.branch = branches.branch

)

select * from placed
