-- Words of activities that nobody knows: outcomes, types, directions. A call with such an outcome counts as not answered, a meeting as not held, an
-- activity of such a type as a note.
with activities as (

    {{ canonical('activities') }}

),

calls as (

    {{ canonical('calls') }}

),

appointments as (

    {{ canonical('appointments') }}

),

words as (

    select case type when 'call' then 'call_outcome' when 'meeting' then 'meeting_outcome' end as field, outcome as value, "at", is_deleted from activities
    union all
    select 'activity_type', type, "at", is_deleted from activities
    union all
    select 'direction', direction, "at", is_deleted from activities
    union all
    select 'call_outcome', outcome, "at", false from calls
    union all
    select 'direction', direction, "at", false from calls
    union all
    select 'meeting_outcome', status, starts_at, is_deleted from appointments

),

-- joined, not filtered: a filter would be copied into what makes each word, which takes the planner minutes
known as (

    {% set known = {'call_outcome': call_outcomes(), 'meeting_outcome': meeting_outcomes(), 'activity_type': activity_types(), 'direction': ['inbound', 'outbound']} -%}
    {% for field, values in known.items() -%}
    {% set is_last = loop.last -%}
    {% for value in values -%}
    select '{{ field }}' as field, '{{ value }}' as value
    {{ 'union all' if not (is_last and loop.last) }}
    {% endfor -%}
    {% endfor %}
),

final as (

    select
        words.field,
        words.value,
        count(*) as records
    from words
    left join known on words.field = known.field and words.value = known.value
    where words.field is not null and words.value is not null and known.value is null
        and not coalesce(words.is_deleted, false) and coalesce(words.at <= {{ as_of() }}, true)
    group by words.field, words.value

)

select * from final
