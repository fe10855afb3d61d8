{{ config(materialized='view') }}
-- What belonged to a record that was merged away belongs to the one that is left.
with united as (

    {{ canonical('jobs') }}

),

final as (

    select
        {{ star_except('united', ['lead_id', 'deal_id']) }},
        coalesce(lead_merges.survivor_id, united.lead_id) as lead_id,
        coalesce(deal_merges.survivor_id, united.deal_id) as deal_id
    from united
    left join {{ ref('int_merged_records') }} as lead_merges on lead_merges.subject_type = 'lead' and united.lead_id = lead_merges.record_id
    left join {{ ref('int_merged_records') }} as deal_merges on deal_merges.subject_type = 'deal' and united.deal_id = deal_merges.record_id

)

select * from final
