{% set amount = 'coalesce(amount, 0)' %}
{% set values %}
    {{ count_where('is_won') }} as deals_won,
    {{ count_where('is_lost') }} as deals_lost,
    {{ count_where('is_disqualified') }} as disqualified,
    {{ count_where('not is_disqualified and closed_date is null') }} as undated,
    sum(case when is_won then {{ amount }} else 0 end) as won_amount,
    sum(case when is_lost then {{ amount }} else 0 end) as lost_amount
{% endset %}

with closed_deals as (
    select closed_date, is_won, is_lost, false as is_disqualified, amount, {{ kpi_segments() | join(', ') }}
    from {{ ref('fct_closed_deal') }}
),

{# Outside both wins and losses, but shown beside them: owner, team and process version are those of the close, as for the others. #}
disqualified_deals as (
    select
        deals.closed_date, false as is_won, false as is_lost, true as is_disqualified, deals.amount,
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
        rolled.deals_won,
        rolled.deals_lost,
        rolled.deals_won + rolled.deals_lost as n,
        {{ ratio_of('rolled.deals_won', '(rolled.deals_won + rolled.deals_lost)') }} as win_rate,
        {{ wilson_low('rolled.deals_won', '(rolled.deals_won + rolled.deals_lost)') }} as low,
        {{ wilson_high('rolled.deals_won', '(rolled.deals_won + rolled.deals_lost)') }} as high,
        {{ ratio_of('rolled.won_amount', '(rolled.won_amount + rolled.lost_amount)') }} as win_rate_by_amount,
        {{ ratio_of('rolled.deals_won', 'rolled.deals_lost') }} as win_loss_ratio,
        cast(coalesce(rolled.won_amount, 0) as decimal(18, 2)) as won_amount,
        cast(coalesce(rolled.lost_amount, 0) as decimal(18, 2)) as lost_amount,
        rolled.disqualified,
        rolled.undated,
        {{ is_low_n('rolled.deals_won + rolled.deals_lost') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
