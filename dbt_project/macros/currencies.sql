{# Currencies as people write them. #}

{# The ISO code of a currency: 'usd', ' US$ ' and '€' are known, nothing stays null, any other word stays as it is, in capitals. A dollar, or a crown,
   that says no more is the company's, where its currency is one. #}
{% macro currency_code(value) -%}
    {%- set written = "upper(replace(replace(trim(" ~ value ~ "), '.', ''), ' ', ''))" -%}
    {%- set company = "(select run.currency from " ~ source('process', 'run') ~ " as run)" -%}
    case {{ written }}
        {%- for nothing in ['', '-', '--', 'N/A', 'NA', 'NONE', 'NULL'] %}
        when '{{ nothing }}' then null
        {%- endfor %}
        {%- for code, words in currency_words().items() %}
        {%- for word in words %}
        when '{{ word }}' then '{{ code }}'
        {%- endfor %}
        {%- endfor %}
        {%- for code, words, others in shared_currency_words() %}
        {%- for word in words %}
        when '{{ word }}' then case when {{ company }} in ('{{ others | join("', '") }}') then {{ company }} else '{{ code }}' end
        {%- endfor %}
        {%- endfor %}
        else {{ code_among_words(written) }}
    end
{%- endmacro %}

{# The code of 'EUR - Euro', 'EUR (€)' and 'Euro (EUR)'; a word with two codes, or none, stays as it is. #}
{% macro code_among_words(written) -%}
    case
        when regexp_full_match({{ written }}, '[A-Z]{3}[-:(][A-Z]{3}[)]?') then {{ written }}
        when regexp_full_match({{ written }}, '[A-Z]{3}[-:(].+') then left({{ written }}, 3)
        when regexp_full_match({{ written }}, '.+[-:(][A-Z]{3}[)]?') then right(rtrim({{ written }}, ')'), 3)
        else {{ written }}
    end
{%- endmacro %}

{% macro currency_words() %}
    {{ return({
        'USD': ['US$', '$US', 'USD$', '$USD', 'USDOLLAR', 'USDOLLARS', 'UNITEDSTATESDOLLAR', 'UNITEDSTATESDOLLARS', 'AMERICANDOLLAR', 'AMERICANDOLLARS'],
        'CAD': ['C$', 'CA$', 'CAD$', 'CDN$', 'CDN', 'CANADIANDOLLAR', 'CANADIANDOLLARS'],
        'AUD': ['A$', 'AU$', 'AUD$', 'AUSTRALIANDOLLAR', 'AUSTRALIANDOLLARS'],
        'NZD': ['NZ$', 'NZD$'],
        'MXN': ['MX$', 'MEX$'],
        'BRL': ['R$'],
        'EUR': ['€', 'EURO', 'EUROS', 'EUR€', '€EUR'],
        'GBP': ['£', 'GBP£', '£GBP', 'STG', 'STERLING', 'POUNDSTERLING', 'POUNDSSTERLING', 'BRITISHPOUND', 'BRITISHPOUNDS'],
        'CHF': ['SFR', 'FR', 'SWISSFRANC', 'SWISSFRANCS'],
        'INR': ['₹', 'RS'],
        'PLN': ['ZŁ'],
        'JPY': ['JP¥', 'YEN'],
        'CNY': ['CN¥', 'RMB'],
        'CZK': ['KČ'],
        'HUF': ['FT'],
        'RON': ['LEI'],
        'RUB': ['₽'],
        'UAH': ['₴'],
        'TRY': ['₺'],
        'ILS': ['₪'],
        'KRW': ['₩'],
        'THB': ['฿'],
        'VND': ['₫'],
        'PHP': ['₱', 'PHP₱'],
        'NGN': ['₦'],
        'KZT': ['₸'],
        'GEL': ['₾'],
        'CRC': ['₡'],
        'GHS': ['₵', 'GH₵'],
        'PYG': ['₲'],
        'BDT': ['৳'],
        'HKD': ['HK$'],
        'SGD': ['S$'],
        'TWD': ['NT$'],
    }) }}
{% endmacro %}

{# Words that several countries use: the code that they mean elsewhere, the words, the codes of which the company's is taken. #}
{% macro shared_currency_words() %}
    {{ return([
        ('USD', ['$', 'DOLLAR', 'DOLLARS'], ['USD', 'CAD', 'AUD', 'NZD', 'MXN', 'HKD', 'SGD']),
        ('SEK', ['KR'], ['SEK', 'NOK', 'DKK', 'ISK']),
        ('JPY', ['¥'], ['JPY', 'CNY']),
    ]) }}
{% endmacro %}
