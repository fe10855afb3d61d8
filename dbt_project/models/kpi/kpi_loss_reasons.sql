with lost_deals as (
    select *, coalesce(loss_reason, '(none)') as reason
    from {{ ref('fct_closed_deal') }}
    where is_lost
),

rolled as (
    {{ kpi_rollup('lost_deals', 'closed_date', '
        count(*) as deals_lost,
        cast(sum(coalesce(amount, 0)) as decimal(18, 2)) as lost_amount
    ', keys=['reason']) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.reason as loss_reason,
        rolled.deals_lost,
        rolled.lost_amount,
        {{ ratio_of('rolled.deals_lost', 'sum(rolled.deals_lost) over same_group') }} as share,
        row_number() over (same_group order by rolled.deals_lost desc, rolled.reason) as rank,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
    window same_group as (partition by rolled.period_grain, rolled.period_start_date, rolled.segment_type, rolled.segment)
)

select * from final
