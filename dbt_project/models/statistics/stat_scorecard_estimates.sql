{{ config(tags=['after_analysis']) }}

{# One row per target and window (current, baseline, every process version): the estimate with its interval. Every KPI is a list of
   observations (stat_kpi_observations); its kind says which statistic of them it is (macros/kpis.sql). #}
with run as (
    select as_of_date from {{ source('process', 'run') }}
),

compared_windows as (
    {{ scorecard_windows(source('process', 'run'), source('process', 'versions'), ref('fct_lead'), ref('fct_deal')) }}
),

windows as (
    select * from compared_windows
    union all
    select
        'version:' || versions.process_version,
        versions.effective_from,
        least(coalesce(versions.effective_to - 1, run.as_of_date), run.as_of_date),
        compared_windows.is_season_matched
    from {{ source('process', 'versions') }} as versions
    cross join run
    cross join compared_windows
    where compared_windows.window_id = 'current'
),

effective_targets as (
    select
        targets.*,
        coalesce(targets.segment_type, 'total') as of_segment_type,
        coalesce(targets.segment, 'total') as of_segment,
        row_number() over (
            partition by targets.kpi, targets.from_stage, targets.to_stage, coalesce(targets.segment_type, 'total'), coalesce(targets.segment, 'total')
            order by targets.effective_from desc nulls last
        ) as newness
    from {{ source('process', 'targets') }} as targets
    cross join run
    where targets.effective_from is null or targets.effective_from <= run.as_of_date
),

wanted as (
    select
        effective_targets.kpi, effective_targets.from_stage, effective_targets.to_stage,
        effective_targets.of_segment_type as segment_type, effective_targets.of_segment as segment,
        effective_targets.before_value, effective_targets.target_value, effective_targets.direction,
        kpis.kind, kpis.unit
    from effective_targets
    left join {{ ref('stat_kpis') }} as kpis on effective_targets.kpi = kpis.kpi
    where effective_targets.newness = 1
),

matched as (
    select windows.window_id, wanted.kpi, wanted.kind, wanted.from_stage, wanted.to_stage, wanted.segment_type, wanted.segment, observations.y, observations.x
    from wanted
    inner join {{ ref('stat_kpi_observations') }} as observations
        on wanted.kpi = observations.kpi
        and (wanted.from_stage is null or wanted.from_stage = observations.from_stage)
        and (wanted.to_stage is null or wanted.to_stage = observations.to_stage)
        {# a pair that the target names counts, neighbours or not #}
        and (observations.is_asked_of_all or wanted.to_stage is not null)
        and (observations.level is null or observations.level = wanted.segment_type)
        and case wanted.segment_type
            when 'total' then true
            {% for segment in kpi_segments() -%}
            when '{{ segment }}' then coalesce(observations.{{ segment }}, '(none)') = wanted.segment
            {% endfor -%}
            else false
        end
    inner join windows on observations.on_date between windows.start_date and windows.end_date
),

aggregated as (
    select
        window_id, kpi, kind, from_stage, to_stage, segment_type, segment,
        count(*) as o_n,
        avg(y) as o_mean,
        stddev_samp(y) as o_deviation,
        {{ median_of("case when kind = 'median' then y end") }} as o_median,
        {{ percentile_of("case when kind = 'p90' then y end", 0.9) }} as o_p90,
        {{ sorted_values("case when kind = 'median' then y end") }} as o_sorted,
        {{ ratio_sums('o', 'y', 'x') }}
    from matched
    group by window_id, kpi, kind, from_stage, to_stage, segment_type, segment
),

estimates as (
    select
        *,
        {% for part in ['n', 'value', 'low', 'high'] -%}
        case kind
            {%- for kind in kpi_kinds() %}
            when '{{ kind }}' then {{ kpi_estimate_of(kind, part, 'o') }}
            {%- endfor %}
        end as {{ part }}{{ '' if loop.last else ',' }}
        {% endfor -%}
    from aggregated
),

final as (
    select
        wanted.kpi,
        wanted.from_stage,
        wanted.to_stage,
        wanted.segment_type,
        wanted.segment,
        wanted.unit,
        wanted.direction,
        wanted.before_value,
        wanted.target_value,
        windows.window_id,
        windows.start_date,
        windows.end_date,
        windows.is_season_matched,
        case when wanted.kind in ('count', 'sum') then coalesce(estimates.value, 0) else estimates.value end as value,
        estimates.low,
        estimates.high,
        coalesce(estimates.n, 0) as n
    from wanted
    cross join windows
    left join estimates
        on windows.window_id = estimates.window_id
        and wanted.kpi = estimates.kpi
        and wanted.from_stage is not distinct from estimates.from_stage
        and wanted.to_stage is not distinct from estimates.to_stage
        and wanted.segment_type = estimates.segment_type
        and wanted.segment = estimates.segment
)

select * from final
