with moves as (

    select
        moves.*,
        lead(moves.moved_at) over (partition by moves.case_id order by moves.sequence) as left_at,
        lead(moves.time_precision) over (partition by moves.case_id order by moves.sequence) as exit_precision,
        lead(moves.owner_id) over (partition by moves.case_id order by moves.sequence) as exit_owner_id,
        lead(moves.kind) over (partition by moves.case_id order by moves.sequence) as exit_kind,
        lead(moves.to_stage) over (partition by moves.case_id order by moves.sequence) as exit_to_stage
    from {{ ref('int_stage_moves') }} as moves
    inner join {{ ref('int_cases') }} as cases on moves.case_id = cases.case_id
    where cases.is_counted

),

-- the time of a stay runs on the clock of the record whose event began it
visits as (

    select
        moves.*,
        records.timezone,
        {{ record_segments('records') }},
        coalesce(moves.moved_at, {{ as_of() }}) as owned_at,
        {{ business_date('moves.moved_at', 'records.timezone') }} as entered_date,
        case when moves.time_precision = 'moment' then {{ business_hour('moves.moved_at', 'records.timezone') }} end as entered_hour,
        {{ business_date('moves.left_at', 'records.timezone') }} as left_date,
        row_number() over (partition by moves.case_id, moves.to_stage order by moves.sequence) as visit_number
    from moves
    inner join {{ ref('int_segments') }} as records
        on moves.subject_type = records.subject_type and moves.subject_id = records.subject_id

),

clocked as (

    select
        visits.case_id,
        visits.sequence,
        {{ open_microseconds('began', 'visits.moved_at', 'ended', 'visits.left_at') }} / 1e6 / 3600 as open_hours
    from visits
    {{ opening_before('began', 'visits.branch', 'visits.moved_at') }}
    {{ opening_before('ended', 'visits.branch', 'visits.left_at') }}
    where visits.time_precision = 'moment' and visits.exit_precision = 'moment'

),

final as (

    select
        visits.case_id,
        cases.lead_id,
        cases.deal_id,
        visits.sequence,
        visits.to_stage as stage,
        visits.to_order as stage_order,
        visits.visit_number,
        visits.moved_at as entered_at,
        visits.entered_date,
        visits.entered_hour,
        visits.left_at,
        visits.left_date,
        visits.exit_kind,
        visits.exit_to_stage,
        visits.time_precision,
        visits.exit_precision,
        case
            when 'day' in (visits.time_precision, visits.exit_precision) then {{ whole_days_between('visits.entered_date', 'visits.left_date') }}
            else {{ local_days_between('visits.moved_at', 'visits.left_at', 'visits.timezone') }}
        end as days,
        clocked.open_hours,
        coalesce(visits.owner_id, entry_owners.owner_id) as owner_entry,
        coalesce(visits.exit_owner_id, exit_owners.owner_id) as owner_exit,
        visits.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        visits.channel,
        visits.campaign,
        visits.service_line,
        visits.job_type,
        visits.customer_type,
        versions.process_version,
        exit_versions.process_version as exit_process_version,
        visits.pipeline
    from visits
    inner join {{ ref('int_cases') }} as cases on visits.case_id = cases.case_id
    left join clocked on visits.case_id = clocked.case_id and visits.sequence = clocked.sequence
    {{ owner_at('entry_owners', 'visits.subject_type', 'visits.subject_id', 'visits.owned_at') }}
    {{ owner_at('exit_owners', 'visits.subject_type', 'visits.subject_id', 'visits.left_at') }}
    {{ user_of('users', 'coalesce(visits.owner_id, entry_owners.owner_id)') }}
    {{ version_on('versions', 'visits.entered_date') }}
    {{ version_on('exit_versions', 'visits.left_date') }}

)

select * from final
