with superseded_deals as (

    {{ superseded_rows_of_files(source('raw_files', 'deals'), ['deal_id']) }}

),

superseded_leads as (

    {{ superseded_rows_of_files(source('raw_files', 'leads'), ['lead_id']) }}

),

superseded as (

    select source, _file, _line, 'deal' as subject_type, deal_id as subject_id from superseded_deals
    union
    select source, _file, _line, 'lead' as subject_type, lead_id as subject_id from superseded_leads

),

-- events that the date columns of a record tell of are called like this (ingestion.files.mapping.sql); they leave with the row that they came from
current_events as (

    select events.*
    from {{ source('raw_files', 'stage_events') }} as events
    left join superseded
        on events.source = superseded.source
        and events._file = superseded._file
        and events._line = superseded._line
        and events.subject_type = superseded.subject_type
        and events.subject_id = superseded.subject_id
        and events.event_id = events.subject_id || ':' || events.stage
    where superseded.subject_id is null

),

newest as (

    -- numbers of events that begin again in another file, for other records, are other events
    {{ newest_rows_of_files('current_events', ['event_id', 'subject_type', 'subject_id']) }}

),

changes as (

    {{ changes_of_snapshots('newest') }}

),

single as (

    {{ events_of_overlapping_files('changes', ['subject_type', 'subject_id', 'stage', 'pipeline', '"at"', 'owner_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'event_id') }} as event_id,
        coalesce(lower({{ clean('subject_type') }}), 'deal') as subject_type,
        {{ source_id('source', 'subject_id') }} as subject_id,
        {{ clean('stage') }} as stage,
        {{ clean('pipeline') }} as pipeline,
        "at",
        {{ source_id('source', 'owner_id') }} as owner_id,
        coalesce(source_order, {{ place_in_files() }}) as source_order,
        -- what dates of a record, or a snapshot, tell of is in the order of the process: nobody said another
        source_order is not null and not coalesce(event_id in (subject_id || ':' || stage, subject_id || '@' || _file), false) as is_ordered,
        updated_at
    from single

)

select * from renamed
