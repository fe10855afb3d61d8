{# Time: as-of, zones, durations, intervals of opening hours. Timestamps are UTC without a zone everywhere. #}

{% macro as_of() -%}
    (select run.as_of from {{ source('process', 'run') }} as run)
{%- endmacro %}

{% macro company_timezone() -%}
    (select run.timezone from {{ source('process', 'run') }} as run)
{%- endmacro %}

{# UTC -> wall clock of the zone #}
{% macro to_local(at, timezone) -%}
    timezone({{ timezone }}, timezone('UTC', {{ at }}))
{%- endmacro %}

{# wall clock of the zone -> UTC; a time that a clock change skips moves on by the change #}
{% macro to_utc(local_time, timezone) -%}
    timezone('UTC', timezone({{ timezone }}, {{ local_time }}))
{%- endmacro %}

{% macro is_whole_quarter_hour(at) -%}
    epoch_us({{ at }}) % 900000000 = 0
{%- endmacro %}

{# Whether only the day of a moment is known: it is the begin of a day on the company's clock (docs/kpis.md, "Known to the day"). Every offset
   from UTC is whole quarters of an hour: the cheap question comes first. #}
{% macro is_day_only(at) -%}
    ({{ is_whole_quarter_hour(at) }} and {{ at }} = {{ to_utc("date_trunc('day', " ~ to_local(at, company_timezone()) ~ ")", company_timezone()) }})
{%- endmacro %}

{# The date of a moment where it happened; of one of which only the day is known, that day. #}
{% macro business_date(at, timezone) -%}
    cast(case
        when {{ is_day_only(at) }} then {{ to_local(at, company_timezone()) }}
        else {{ to_local(at, timezone) }}
    end as date)
{%- endmacro %}

{# The hour of a moment on the wall clock where it happened, 0 to 23; null of one of which only the day is known. #}
{% macro business_hour(at, timezone) -%}
    case when not {{ is_day_only(at) }} then cast(extract(hour from {{ to_local(at, timezone) }}) as integer) end
{%- endmacro %}

{# 1 = Monday to 7 = Sunday #}
{% macro weekday_of(date) -%}
    cast(isodow({{ date }}) as integer)
{%- endmacro %}

{# Whether a moment is certainly later than another: what is known to the day is neither before nor after another moment of that day. #}
{% macro is_after(at, other, timezone) -%}
    case
        when {{ is_day_only(at) }} or {{ is_day_only(other) }} then {{ business_date(at, timezone) }} > {{ business_date(other, timezone) }}
        else {{ at }} > {{ other }}
    end
{%- endmacro %}

{# A whole number, so that sums and differences of durations stay exact. #}
{% macro microseconds_between(start, finish) -%}
    date_diff('microsecond', {{ start }}, {{ finish }})
{%- endmacro %}

{% macro seconds_between(start, finish) -%}
    ({{ microseconds_between(start, finish) }} / 1e6)
{%- endmacro %}

{% macro minutes_between(start, finish) -%}
    ({{ seconds_between(start, finish) }} / 60)
{%- endmacro %}

{# Difference of the two wall clocks, so that midnight to midnight is whole days across a clock change. #}
{% macro local_days_between(start, finish, timezone) -%}
    ({{ seconds_between(to_local(start, timezone), to_local(finish, timezone)) }} / 86400)
{%- endmacro %}

{# A sale that took longer than ten years is a mistyped date. #}
{% macro longest_cycle_days() -%}
    3660
{%- endmacro %}

{% macro whole_days_between(start_date, finish_date) -%}
    cast(date_diff('day', {{ start_date }}, {{ finish_date }}) as double)
{%- endmacro %}

{# The same between two recorded moments: whole days where only the day of one of them is known. #}
{% macro recorded_days_between(start, finish, timezone) -%}
    case
        when {{ is_day_only(start) }} or {{ is_day_only(finish) }}
            then {{ whole_days_between(business_date(start, timezone), business_date(finish, timezone)) }}
        else {{ local_days_between(start, finish, timezone) }}
    end
{%- endmacro %}

{# The same up to a close of the ledger, whose precision stands beside it. #}
{% macro days_to_close(start, closed_at, precision, timezone) -%}
    case
        when {{ precision }} = 'day'
            then {{ whole_days_between(business_date(start, timezone), business_date(closed_at, timezone)) }}
        else {{ recorded_days_between(start, closed_at, timezone) }}
    end
{%- endmacro %}

{# A trillion: no company closes such a deal in any currency. #}
{% macro largest_amount() -%}
    1000000000000
{%- endmacro %}

{% macro add_minutes(at, minutes) -%}
    ({{ at }} + to_minutes({{ minutes }}))
{%- endmacro %}

{# A duration written as hh:mm:ss (with days before a dot), or as seconds -> seconds; null when it is neither. #}
{% macro time_span_seconds(value) -%}
    coalesce(
        {{ try_cast(value, 'double') }},
        epoch({{ try_cast("regexp_replace(" ~ value ~ ", '^([0-9]+)[.]([0-9]+:)', '\\1 days \\2')", 'interval') }})
    )
{%- endmacro %}

{% macro first_of_month(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{% macro add_days(day, days) -%}
    cast({{ day }} + to_days(cast({{ days }} as integer)) as date)
{%- endmacro %}

{% macro iso_weekday(day) -%}
    isodow({{ day }})
{%- endmacro %}

{# One row per day from start to finish, both included: column date_day. #}
{% macro days_between(start, finish) -%}
    select cast(unnest(generate_series(cast({{ start }} as timestamp), cast({{ finish }} as timestamp), interval 1 day)) as date) as date_day
{%- endmacro %}

{# ISO 8601 (any offset) or epoch milliseconds -> UTC; null when it is neither. #}
{% macro parse_timestamp(value) -%}
    coalesce(
        case when regexp_full_match({{ value }}, '-?[0-9]{9,}') then make_timestamp_ms(try_cast({{ value }} as bigint)) end,
        timezone('UTC', try_cast({{ value }} as timestamptz))
    )
{%- endmacro %}

{# A date picked in a tool: a plain date or midnight UTC is that date, any other moment the company's date at it. #}
{% macro parse_date(value) -%}
    case
        when {{ parse_timestamp(value) }} is null then null
        when cast({{ parse_timestamp(value) }} as time) = time '00:00:00' then cast({{ parse_timestamp(value) }} as date)
        else {{ business_date(parse_timestamp(value), company_timezone()) }}
    end
{%- endmacro %}

{# A moment of which a tool may know the day only: a plain date or midnight UTC is the begin of that day on the company's clock. #}
{% macro parse_moment_or_day(value) -%}
    case
        when cast({{ parse_timestamp(value) }} as time) = time '00:00:00' then {{ to_utc(parse_timestamp(value), company_timezone()) }}
        else {{ parse_timestamp(value) }}
    end
{%- endmacro %}

{# The newest opening of a branch at or before a moment; `alias` is then an argument of open_microseconds. #}
{% macro opening_before(alias, branch, at) -%}
    asof left join {{ ref('int_branch_open_periods') }} as {{ alias }}
        on {{ alias }}.branch = {{ branch }} and {{ alias }}.opens_at <= {{ at }}
{%- endmacro %}

{# Open time between two moments for which opening_before found `began` and `ended`; null where the branch was never open before the end. #}
{% macro open_microseconds(began, start, ended, finish) -%}
    (
        {{ ended }}.microseconds_before
        + {{ microseconds_between(ended ~ '.opens_at', 'least(' ~ finish ~ ', ' ~ ended ~ '.closes_at)') }}
        - coalesce(
            {{ began }}.microseconds_before + {{ microseconds_between(began ~ '.opens_at', 'least(' ~ start ~ ', ' ~ began ~ '.closes_at)') }},
            0
        )
    )
{%- endmacro %}
