with answers as (

    -- a score outside of its scale is none: kpi_left_out lists it
    select
        {{ star_except('answers', ['nps_score', 'csat_score']) }},
        case when answers.nps_score between 0 and 10 then answers.nps_score end as nps_score,
        case when answers.csat_score between 1 and 5 then answers.csat_score end as csat_score,
        case when answers.deal_id is not null then 'deal' when answers.lead_id is not null then 'lead' end as subject_type,
        coalesce(answers.deal_id, answers.lead_id) as subject_id
    from {{ ref('int_survey_answers') }} as answers

),

-- linked to a counted record, or to none
counted as (

    select
        answers.*,
        {{ record_segments('records') }},
        {{ business_date('answers.submitted_at', 'coalesce(records.timezone, run.timezone)') }} as submitted_date,
        {{ business_hour('answers.submitted_at', 'coalesce(records.timezone, run.timezone)') }} as submitted_hour
    from answers
    cross join {{ source('process', 'run') }} as run
    left join {{ ref('int_segments') }} as records
        on answers.subject_type = records.subject_type and answers.subject_id = records.subject_id
    where records.subject_id is null or records.is_counted

),

final as (

    select
        counted.response_id,
        counted.form_id,
        counted.submitted_at,
        counted.submitted_date,
        counted.submitted_hour,
        {{ weekday_of('counted.submitted_date') }} as submitted_weekday,
        leads.lead_id,
        counted.deal_id,
        counted.nps_score,
        counted.csat_score,
        case when counted.nps_score >= 9 then 100 when counted.nps_score >= 7 then 0 when counted.nps_score >= 0 then -100 end as nps_points,
        counted.csat_score >= 4 as is_satisfied,
        counted.comment,
        counted.branch,
        coalesce(closers.rep, users.rep) as rep,
        coalesce(closers.user_id, users.user_id) as rep_id,
        coalesce(closers.team, users.team) as team,
        counted.channel,
        counted.campaign,
        counted.service_line,
        counted.job_type,
        counted.customer_type,
        versions.process_version,
        counted.pipeline
    from counted
    left join {{ ref('fct_lead') }} as leads on counted.lead_id = leads.lead_id
    left join {{ ref('fct_deal') }} as deals on counted.deal_id = deals.deal_id
    {{ user_of('closers', 'deals.rep_closed_id') }}
    {{ owner_at('owners', "'lead'", 'counted.lead_id', 'counted.submitted_at') }}
    {{ user_of('users', 'case when closers.user_id is null then owners.owner_id end') }}
    {{ version_on('versions', 'counted.submitted_date') }}

)

select * from final
