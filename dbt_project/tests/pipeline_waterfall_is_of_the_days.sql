-- What a month's waterfall begins and ends with are the deals of those days whose expected close lies in the month. The days are those of fct_pipeline_period.
with months as (

    select
        period_start_date,
        start_deals,
        start_amount,
        end_deals,
        end_amount,
        cast(period_start_date + interval 1 month as date) as next_start_date
    from {{ ref('kpi_pipeline_waterfall') }}
    where period_grain = 'month' and segment_type = 'total'

),

counted as (

    select
        months.period_start_date,
        {{ count_where('{} between stretches.from_date and stretches.to_date'.format(add_days('months.period_start_date', -1))) }} as start_deals,
        coalesce(sum(case when {{ add_days('months.period_start_date', -1) }} between stretches.from_date and stretches.to_date then stretches.amount end), 0) as start_amount,
        {{ count_where('stretches.is_open_at_as_of or {} between stretches.from_date and stretches.to_date'.format(add_days('months.next_start_date', -1))) }} as end_deals,
        coalesce(sum(case when stretches.is_open_at_as_of or {{ add_days('months.next_start_date', -1) }} between stretches.from_date and stretches.to_date then stretches.amount end), 0) as end_amount
    from months
    left join {{ ref('fct_pipeline_period') }} as stretches
        on stretches.expected_close_date >= months.period_start_date and stretches.expected_close_date < months.next_start_date
        and stretches.from_date < months.next_start_date
    group by months.period_start_date

)

select months.*, counted.start_deals as deals_before, counted.start_amount as amount_before, counted.end_deals as deals_after, counted.end_amount as amount_after
from months
inner join counted on months.period_start_date = counted.period_start_date
where months.start_deals <> counted.start_deals or months.start_amount <> counted.start_amount
    or months.end_deals <> counted.end_deals or months.end_amount <> counted.end_amount
