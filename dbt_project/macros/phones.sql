{# Telephone numbers as people, CRMs and switchboards write them. The same rules stand in ingestion/privacy/phones.py: who is erased must be found by what joins him. #}

{# The numbers of a field as they are compared, in their order: without international prefix, country code and leading zero, the last ten digits.
   An empty list where the field names nobody. Extensions are left out, several numbers in a field all count. Which country a number without a code is
   of is not asked: companies have customers of one country, and a table of all numbering plans would have to be called row by row. #}
{% macro phone_keys(value) -%}
    list_filter(
        list_transform(
            {{ phone_numbers(value) }},
            lambda one: case
                when length(one.number) >= 7
                    and right(one.number, 10) not in ({{ text_list(nobodys_phones()) }})
                    and one.digits not in ({{ text_list(nobodys_phones()) }})
                    and right(one.number, 7) <> '5551212'
                    and replace(right(one.number, 10), left(right(one.number, 10), 1), '') <> ''
                    then right(one.number, 10)
            end
        ),
        lambda key: key is not null
    )
{%- endmacro %}

{% macro phone_key(value) -%}
    {{ first_item(phone_keys(value)) }}
{%- endmacro %}

{# What callers who hide their number have instead of one (their words on a keypad: ANONYMOUS, UNAVAILABLE, RESTRICTED, BLOCKED, UNKNOWN, PRIVATE),
   and what people type who have none. #}
{% macro nobodys_phones() %}
    {{ return([
        '266696687', '86282452253', '7378742833', '2562533', '8656696', '7748283',
        '1234567890', '123456789', '12345678', '1234567', '9876543210', '987654321', '7654321', '1231231234', '5551234567',
    ]) }}
{% endmacro %}

{# A list of {digits, number}, one of each number that is written in a field: all its digits, and those without prefix, country code and leading zero.
   What parts two numbers is anything that does not stand within one; a slash parts only behind at least seven digits (030/1234567 is one number).
   Numbers that a spreadsheet has rounded (5.55123E+09) are none; of 3125550142.0 the zero behind the point is none of its digits. #}
{% macro phone_numbers(value) -%}
    {%- set countries = '(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|(?:2[1-689]|3[578]|42|5[09]|6[789]|8[058]|9[67])[0-9]|99[2-8])0?' -%}
    {%- set in_area = "'^([^0-9/,;]*(?:[0-9][^0-9/,;a-z]*){1,6})/'" -%}
    list_transform(
        list_transform(
            case
                when regexp_full_match(trim(lower({{ value }})), '[+-]?[0-9]+([.,][0-9]+)?e[+-]?[0-9]+') then []
                else regexp_split_to_array(
                    regexp_replace(regexp_replace(
                        replace(regexp_replace(regexp_replace(regexp_replace(lower({{ value }}), '^ *([+]?[0-9]{7,})[.]0+ *$', '\1'), '@.*', ''), '[\x{2010}-\x{2015}\x{a0}\x{202f}]', '-', 'g'), '+', '|+'),
                        {{ in_area }}, '\1 '), {{ in_area }}, '\1 '),
                    '[^0-9+() .-]+'
                )
            end,
            lambda part: {'digits': {{ digits('part') }}, 'has_plus': contains(part, '+')}
        ),
        lambda part: {
            'digits': part.digits,
            'number': case
                when length(part.digits) > 17 then null
                when part.has_plus or (part.digits like '00%' and length(part.digits) >= 11)
                    then regexp_replace(ltrim(part.digits, '0'), '^{{ countries }}', '')
                when part.digits like '011%' and length(part.digits) >= 12 then regexp_replace(substr(part.digits, 4), '^{{ countries }}', '')
                when part.digits like '0%' then ltrim(part.digits, '0')
                -- a country code without a sign for it: of eleven digits only where no area code of ours may be meant
                when length(part.digits) between 12 and 15 or (length(part.digits) = 11 and regexp_matches(part.digits, '^[2-9][0-9][1-8]'))
                    then regexp_replace(part.digits, '^{{ countries }}', '')
                when length(part.digits) <= 11 then part.digits
            end
        }
    )
{%- endmacro %}
