with moves as (

    select
        moves.*,
        records.source,
        records.timezone,
        {{ record_segments('records') }},
        {{ business_date('moves.moved_at', 'records.timezone') }} as moved_date,
        coalesce(moves.moved_at, {{ as_of() }}) as owned_at
    from {{ ref('int_stage_moves') }} as moves
    inner join {{ ref('int_segments') }} as records
        on moves.subject_type = records.subject_type and moves.subject_id = records.subject_id

),

final as (

    select
        moves.case_id,
        cases.lead_id,
        cases.deal_id,
        moves.sequence,
        moves.from_stage,
        moves.to_stage,
        moves.from_order,
        moves.to_order,
        moves.kind,
        moves.moved_at,
        moves.moved_date,
        moves.time_precision,
        -- who did the step, where the source says so
        coalesce(moves.owner_id, owners.owner_id) as owner_id,
        moves.source,
        moves.is_observed,
        cases.is_counted,
        moves.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        moves.channel,
        moves.campaign,
        moves.service_line,
        moves.job_type,
        moves.customer_type,
        versions.process_version,
        moves.pipeline
    from moves
    inner join {{ ref('int_cases') }} as cases on moves.case_id = cases.case_id
    {{ owner_at('owners', 'moves.subject_type', 'moves.subject_id', 'moves.owned_at') }}
    {{ user_of('users', 'coalesce(moves.owner_id, owners.owner_id)') }}
    {{ version_on('versions', 'moves.moved_date') }}

)

select * from final
