with moves as (

    select
        moves.*,
        records.source,
        records.timezone,
        {{ record_segments('records') }},
        {{ business_date('moves.moved_at', 'records.timezone') }} as moved_date
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
        owners.owner_id,
        moves.source,
        -- every source of today has a history of its own: no move is guessed from the versions of successive loads
        false as is_observed,
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
    {{ owner_at('owners', 'moves.subject_type', 'moves.subject_id', 'moves.moved_at') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ version_on('versions', 'moves.moved_date') }}

)

select * from final
