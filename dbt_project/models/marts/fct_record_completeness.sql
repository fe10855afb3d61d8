with cells as (

    select * from {{ ref('fct_field_completeness') }}

),

final as (

    select
        object,
        record_id,
        created_date,
        count(*) as cells,
        sum(weight) as weight,
        sum(filled_weight) as filled_weight,
        min(case when is_filled then 1 else 0 end) = 1 as is_complete,
        {{ count_where('is_valid') }} as valid_cells,
        count(is_valid) as checked_cells,
        {% for segment in kpi_segments() + ['rep_id'] -%}
        max({{ segment }}) as {{ segment }}{{ '' if loop.last else ',' }}
        {% endfor %}
    from cells
    group by object, record_id, created_date

)

select * from final
