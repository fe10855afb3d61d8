{% set values %}
    {% for kpi in ['deals_won', 'deals_lost', 'won_amount', 'lost_amount', 'win_rate', 'win_rate_by_amount', 'win_loss_ratio'] -%}
    {{ kpi_sums(kpi) }},
    {% endfor -%}
    {{ count_where('is_disqualified') }} as disqualified,
    {{ count_where('not is_disqualified and closed_date is null') }} as undated
{% endset %}

with closed_deals as (
    select closed_date, is_won, is_lost, false as is_disqualified, amount, won_amount, lost_amount, {{ kpi_segments() | join(', ') }}
    from {{ ref('fct_closed_deal') }}
),

{# Outside both wins and losses, so neither won nor not won, but shown beside them: owner, team and process version are those of the close, as for the others. #}
disqualified_deals as (
    select
        deals.closed_date, cast(null as boolean) as is_won, cast(null as boolean) as is_lost, true as is_disqualified,
        cast(null as decimal(18, 2)) as amount, cast(null as decimal(18, 2)) as won_amount, cast(null as decimal(18, 2)) as lost_amount,
        deals.branch, deals.rep_closed as rep, users.team, deals.channel, deals.campaign, deals.service_line, deals.job_type,
        deals.customer_type, versions.process_version, deals.pipeline
    from {{ ref('fct_deal') }} as deals
    left join {{ ref('dim_user') }} as users on deals.rep_closed_id = users.user_id
    {{ version_on('versions', 'deals.closed_date') }}
    where deals.outcome = 'disqualified'
),

outcomes as (
    select * from closed_deals
    union all
    select * from disqualified_deals
),

rolled as (
    {{ kpi_rollup('outcomes', 'closed_date', values) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        {{ kpi_estimate('deals_won', 'value') }} as deals_won,
        {{ kpi_estimate('deals_lost', 'value') }} as deals_lost,
        {{ kpi_estimate('win_rate', 'n') }} as n,
        {{ kpi_estimate('win_rate', 'value') }} as win_rate,
        {{ kpi_estimate('win_rate', 'low') }} as low,
        {{ kpi_estimate('win_rate', 'high') }} as high,
        {{ kpi_estimate('win_rate_by_amount', 'value') }} as win_rate_by_amount,
        {{ kpi_estimate('win_loss_ratio', 'value') }} as win_loss_ratio,
        cast(coalesce({{ kpi_estimate('won_amount', 'value') }}, 0) as decimal(18, 2)) as won_amount,
        cast(coalesce({{ kpi_estimate('lost_amount', 'value') }}, 0) as decimal(18, 2)) as lost_amount,
        rolled.disqualified,
        rolled.undated,
        {{ is_low_n(kpi_estimate('win_rate', 'n')) }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
