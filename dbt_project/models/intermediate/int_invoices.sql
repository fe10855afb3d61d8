-- What belonged to a record that was merged away belongs to the one that is left.
with united as (

    {{ canonical('invoices') }}

),

final as (

    select
        {{ star_except('united', ['deal_id']) }},
        coalesce(deal_merges.survivor_id, united.deal_id) as deal_id
    from united
    left join {{ ref('int_merged_records') }} as deal_merges on deal_merges.subject_type = 'deal' and united.deal_id = deal_merges.record_id

)

select * from final
