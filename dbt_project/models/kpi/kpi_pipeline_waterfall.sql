{% set ways = {'came': ['start', 'new', 'reopened', 'pulled_in'], 'went': ['pushed_out', 'won', 'lost', 'removed', 'end']} %}
{% set values %}
    {%- for column, names in ways.items() %}
    {%- set amount = 'amount_in' if column == 'came' else 'amount_out' %}
    {%- for name in names %}
    {{ count_where(column ~ " = '" ~ name ~ "'") }} as {{ name }}_deals,
    cast(coalesce(sum(case when {{ column }} = '{{ name }}' then {{ amount }} end), 0) as decimal(18, 2)) as {{ name }}_amount,
    {%- endfor %}
    {%- endfor %}
    {{ count_where('amount_out > amount_in') }} as increased_deals,
    cast(coalesce(sum(case when amount_out > amount_in then amount_out - amount_in end), 0) as decimal(18, 2)) as increased_amount,
    {{ count_where('amount_out < amount_in') }} as decreased_deals,
    cast(coalesce(sum(case when amount_out < amount_in then amount_in - amount_out end), 0) as decimal(18, 2)) as decreased_amount
{% endset %}

with changes as (
    select * from {{ ref('fct_pipeline_change') }}
),

rolled as (
    {{ kpi_rollup('changes', none, values, keys=['period_grain', 'period_start_date']) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.start_deals,
        rolled.start_amount,
        rolled.new_deals,
        rolled.new_amount,
        rolled.reopened_deals,
        rolled.reopened_amount,
        rolled.pulled_in_deals,
        rolled.pulled_in_amount,
        rolled.pushed_out_deals,
        rolled.pushed_out_amount,
        rolled.increased_deals,
        rolled.increased_amount,
        rolled.decreased_deals,
        rolled.decreased_amount,
        rolled.won_deals,
        rolled.won_amount,
        rolled.lost_deals,
        rolled.lost_amount,
        rolled.removed_deals,
        rolled.removed_amount,
        rolled.end_deals,
        rolled.end_amount,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
