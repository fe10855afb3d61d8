{% set pair_keys = ['mode', 'from_stage', 'to_stage'] %}

with open_stages as (
    select stage, lead(stage) over (order by stage_order) as next_stage
    from {{ source('process', 'stages') }}
    where kind = 'open'
),

won_stage as (
    select stage
    from {{ source('process', 'stages') }}
    where kind = 'won'
    order by stage_order
    limit 1
),

pairs as (
    select * from {{ ref('fct_stage_conversion') }}
),

-- A case has the same segments, date and furthest stage in all pairs of a stage, so its pair with the next stage stands for all of them: what is
-- added up is an entry, not its pairs, of which a process of 24 stages has 23.
entries as (
    {{ kpi_rollup('pairs', 'entered_date', "
        count(*) as entered, " ~ count_where('is_open') ~ " as still_open
    ", keys=['from_stage', 'furthest_order'], where='is_next_stage') }}
),

stage_pairs as (
    select from_stages.stage as from_stage, to_stages.stage as to_stage, to_stages.stage_order as to_order
    from {{ source('process', 'stages') }} as from_stages
    inner join {{ source('process', 'stages') }} as to_stages
        on to_stages.stage_order > from_stages.stage_order and to_stages.kind in ('open', 'won')
    where from_stages.kind = 'open'
),

reached as (
    select
        entries.period_grain,
        entries.period_start_date,
        entries.segment_type,
        entries.segment,
        'reached' as mode,
        stage_pairs.from_stage,
        stage_pairs.to_stage,
        cast(sum(entries.entered) as bigint) as stage_pair_conversion_rate_n,
        cast(sum(case when entries.furthest_order >= stage_pairs.to_order then entries.entered else 0 end) as bigint) as stage_pair_conversion_rate_y,
        cast(sum(entries.still_open) as double) / sum(entries.entered) as open_share
    from entries
    inner join stage_pairs on entries.from_stage = stage_pairs.from_stage
    group by
        entries.period_grain,
        entries.period_start_date,
        entries.segment_type,
        entries.segment,
        stage_pairs.from_stage,
        stage_pairs.to_stage
),

ended_visits as (
    select visits.*, open_stages.stage as from_stage, coalesce(open_stages.next_stage, won_stage.stage) as to_stage
    from {{ ref('fct_stage_visit') }} as visits
    inner join open_stages on visits.stage = open_stages.stage
    cross join won_stage
    where visits.left_date is not null
),

observations as (
    select
        'adjacent' as mode, from_stage, to_stage, entered_date as on_date, is_adjacent as is_reached, is_open,
        {{ kpi_segments() | join(', ') }}
    from pairs
    where is_next_stage
    union all
    select
        'period' as mode, from_stage, to_stage, left_date as on_date,
        exit_kind in ('advance', 'skip', 'won') as is_reached, cast(null as boolean) as is_open,
        {# the definition names the exit: the version of that day #}
        {{ kpi_segments() | join(', ') | replace('process_version', 'exit_process_version') }}
    from ended_visits
),

rolled as (
    {{ kpi_rollup('observations', 'on_date', kpi_sums('stage_pair_conversion_rate') ~ ',
        avg(case when is_open then 1.0 when not is_open then 0.0 end) as open_share
    ', keys=pair_keys) }}
    union all
    select * from reached
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.mode,
        rolled.from_stage,
        rolled.to_stage,
        {{ kpi_estimate('stage_pair_conversion_rate', 'n') }} as n,
        {{ kpi_estimate('stage_pair_conversion_rate', 'numerator') }} as numerator,
        {{ kpi_estimate('stage_pair_conversion_rate', 'value') }} as conversion_rate,
        {{ kpi_estimate('stage_pair_conversion_rate', 'low') }} as low,
        {{ kpi_estimate('stage_pair_conversion_rate', 'high') }} as high,
        rolled.open_share,
        {{ is_low_n(kpi_estimate('stage_pair_conversion_rate', 'n')) }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
