{# HubSpot: which property holds which canonical column, and how its words are read. #}

{# canonical column -> property: the standard ones, the demo company's own, then what sources/hubspot.yml says #}
{% macro hubspot_properties(object) %}
    {% set standard = {
        'contacts': {
            'first_name': 'firstname', 'last_name': 'lastname', 'email': 'email', 'phone': 'phone', 'postcode': 'zip',
            'status': 'hs_lead_status', 'owner_id': 'hubspot_owner_id',
            'branch': 'branch', 'channel': 'lead_channel', 'campaign': 'campaign', 'service_line': 'service_line',
            'job_type': 'job_type', 'customer_type': 'customer_type', 'is_test': 'is_test',
        },
        'leads': {
            'status': 'hs_pipeline_stage', 'owner_id': 'hubspot_owner_id',
            'branch': 'branch', 'channel': 'lead_channel', 'campaign': 'campaign', 'service_line': 'service_line',
            'job_type': 'job_type', 'customer_type': 'customer_type', 'is_test': 'is_test',
        },
        'deals': {
            'name': 'dealname', 'pipeline': 'pipeline', 'stage': 'dealstage', 'amount': 'amount', 'currency': 'deal_currency_code',
            'expected_close_date': 'closedate', 'owner_id': 'hubspot_owner_id', 'loss_reason': 'loss_reason',
            'budget_band': 'budget_band', 'is_decision_maker': 'is_decision_maker', 'need': 'need', 'wanted_by': 'wanted_by',
            'next_step': 'next_step', 'branch': 'branch', 'channel': 'lead_channel', 'campaign': 'campaign',
            'service_line': 'service_line', 'job_type': 'job_type', 'customer_type': 'customer_type', 'is_test': 'is_test',
        },
    }[object] %}
    {% set properties = dict(standard) %}
    {% if object == hubspot_lead_object() -%}
        {% do properties.update(var('hubspot_fields', {}).get('leads', {})) %}
    {%- endif %}
    {% do properties.update(var('hubspot_fields', {}).get(object, {})) %}
    {{ return(properties) }}
{% endmacro %}

{# The properties of a record as a struct with the given property names, all as text. #}
{% macro hubspot_record(properties) -%}
    {% set names = {} -%}
    {% for name in properties | unique -%}{% do names.update({name: 'varchar'}) %}{%- endfor -%}
    {{ json_struct('record', {'properties': names}) }}.properties
{%- endmacro %}

{# hs_object_source -> created_by of a lead #}
{% macro hubspot_created_by(source) -%}
    case {{ source }}
        when 'CRM_UI' then 'rep'
        when 'MOBILE_IOS' then 'rep'
        when 'MOBILE_ANDROID' then 'rep'
        when 'FORMS' then 'form'
        when 'FORM' then 'form'
        when 'CALLS' then 'call'
        when 'CHAT' then 'chat'
        when 'CONVERSATIONS' then 'chat'
        when 'AUTOMATION_PLATFORM' then 'automation'
        when 'MEETINGS' then 'meeting'
        else lower({{ source }})
    end
{%- endmacro %}

{# Made by software, or by the customer in the booking page: not by a person of ours. #}
{% macro hubspot_is_automated(source) -%}
    coalesce({{ source }} in ('AUTOMATION_PLATFORM', 'WORKFLOWS', 'SEQUENCES', 'MARKETING_EMAIL', 'BOT', 'MEETINGS'), false)
{%- endmacro %}

{# What a lead is in this account: a contact, or an object of its own (lead_object in .dlt/config.toml). #}
{% macro hubspot_lead_object() %}
    {{ return(var('hubspot_lead_object', 'contacts')) }}
{% endmacro %}

{# Ids of the records that one has taken in, separated by ';'. Those of contacts may come with the moment: 101:1767225600000. #}
{% macro hubspot_merged_ids(properties) -%}
    nullif(concat_ws(';', {{ clean(properties ~ '.hs_merged_object_ids') }}, regexp_replace({{ clean(properties ~ '.hs_calculated_merged_vids') }}, ':[0-9]+', '', 'g')), '')
{%- endmacro %}

{# (survivor_id, retired_id, _load_id, claims): which records others have taken in, by the newest version of these, or by the first one (is_first;
   of records that had taken in others when they were first seen). Most have taken in none: only those that name one are parsed (the raw log
   writes records without blanks). #}
{% macro hubspot_claims(object, is_first=false) -%}
    select distinct survivor_id, retired_id, _load_id, list_unique(ids) as claims
    from (
        select id as survivor_id, _load_id, ids, unnest(ids) as retired_id
        from (
            select id, _load_id, list_filter(list_transform(string_split(merged_ids, ';'), one -> trim(one)), one -> one <> id and one <> '') as ids
            from (
                select id, _load_id, {{ hubspot_merged_ids('properties') }} as merged_ids
                from (
                    select id, _load_id, {{ hubspot_record(['hs_merged_object_ids', 'hs_calculated_merged_vids']) }} as properties
                    from {{ source('raw_hubspot', object) }}
                    where
                        {%- for name in ['hs_merged_object_ids', 'hs_calculated_merged_vids'] %}
                        contains(cast(record as varchar), '"{{ name }}":"'){{ ' or' if not loop.last }}
                        {%- endfor %}
                    qualify row_number() over (partition by id order by _load_id {{ '' if is_first else 'desc' }}, _row {{ '' if is_first else 'desc' }}) = 1
                ) as parsed
            ) as merged
            where merged_ids is not null
        ) as listed
    ) as claimed
{%- endmacro %}

{# (retired_id, survivor_id): one survivor a record, one that was not merged away itself where there is such. ``claims``: a CTE of hubspot_claims. #}
{% macro hubspot_survivors(claims) -%}
    select
        claims.retired_id,
        coalesce(min(case when later.retired_id is null then claims.survivor_id end), min(claims.survivor_id)) as survivor_id
    from {{ claims }} as claims
    left join (select distinct retired_id from {{ claims }}) as later on claims.survivor_id = later.retired_id
    group by claims.retired_id
{%- endmacro %}

{# (survivor_id, record_id, created_at, place): records that a merge retired in favour of one that it made: a record that names at least two others
   as soon as it is seen, while these were known before. The first of them (place 1) is the one with which the story began. #}
{% macro hubspot_minted(object) -%}
    select
        survivor_id,
        record_id,
        created_at,
        row_number() over (partition by survivor_id order by created_at, record_id) as place
    from (
        select
            claimed.survivor_id,
            claimed._load_id,
            known.id as record_id,
            min(known.created_at) as created_at,
            min(known._load_id) as first_load_id
        from ({{ hubspot_claims(object, is_first=true) }}) as claimed
        inner join {{ source('raw_hubspot', object) }} as known on claimed.retired_id = known.id
        where claimed.claims >= 2
            and not exists (
                select 1 from {{ source('raw_hubspot', object) }} as earlier
                where earlier.id = claimed.survivor_id and earlier._load_id < claimed._load_id
            )
        group by claimed.survivor_id, claimed._load_id, known.id
    ) as retired
    where first_load_id < _load_id
{%- endmacro %}

{# A CTE and a comma where leads are objects of their own: which lead a contact was, and when. A contact's lead is the newest one at that time,
   before the first one that one. A lead of a contact that was merged is found under the ids of all contacts that it became or came from. #}
{% macro hubspot_lead_contacts_cte() -%}
    {% if hubspot_lead_object() == 'leads' -%}
    contact_claims as (

        {{ hubspot_claims('contacts') }}

    ),

    linked_contacts as (

        select
            records.id as lead_id,
            records.created_at,
            case when records.is_archived then 1 else 0 end as is_gone,
            unnest(links.to_ids) as contact_id
        from ({{ newest_version(source('raw_hubspot', 'leads'), ['id']) }}) as records
        inner join ({{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}) as links
            on links.from_type = 'leads' and links.to_type = 'contacts' and records.id = links.from_id

    ),

    contact_keys as (

        select lead_id, created_at, is_gone, contact_id from linked_contacts
        union
        select linked.lead_id, linked.created_at, linked.is_gone, claims.survivor_id
        from linked_contacts as linked inner join contact_claims as claims on linked.contact_id = claims.retired_id
        union
        select linked.lead_id, linked.created_at, linked.is_gone, claims.retired_id
        from linked_contacts as linked inner join contact_claims as claims on linked.contact_id = claims.survivor_id

    ),

    lead_contacts as (

        select
            lead_id,
            contact_id,
            created_at,
            case when row_number() over contact = 1 then timestamp '1900-01-01' else created_at end as valid_from,
            coalesce(lead(created_at) over contact, timestamp '9999-12-31') as valid_to
        from (select *, min(is_gone) over (partition by contact_id) as least_gone from contact_keys) as contact_keys
        -- a lead that was archived has its contact only where there is no other
        where is_gone = least_gone
        window contact as (partition by contact_id order by created_at, lead_id)

    ),
    {%- endif %}
{%- endmacro %}

{# The lead of a contact, after hubspot_join_lead. #}
{% macro hubspot_lead_id(contact_id) -%}
    {{ source_id("'hubspot'", 'lead_contacts.lead_id' if hubspot_lead_object() == 'leads' else contact_id) }}
{%- endmacro %}

{% macro hubspot_join_lead(contact_id, at) -%}
    {% if hubspot_lead_object() == 'leads' -%}
    left join lead_contacts
        on {{ contact_id }} = lead_contacts.contact_id and {{ at }} >= lead_contacts.valid_from and {{ at }} < lead_contacts.valid_to
    {%- endif %}
{%- endmacro %}

{# Whose a record with several contacts is (from_id, contact_id): of the newest one that there was when the record came, before any that came later;
   of two of one moment the higher id. In an account with leads as objects it is the newest lead that counts. `records`: a relation with id and created_at. #}
{% macro hubspot_main_contacts(from_type, records, with_merges=false) -%}
    select from_id, {{ first_item('to_ids') }} as contact_id
    from associations
    where from_type = '{{ from_type }}' and to_type = 'contacts' and {{ list_length('to_ids') }} = 1
    union all
    select from_id, contact_id
    from (
        select
            links.from_id,
            links.item as contact_id,
            row_number() over (
                partition by links.from_id
                order by
                    case when known.is_gone then 1 else 0 end,
                    case when known.created_at <= records.created_at then 0 when known.created_at is not null then 1 else 2 end,
                    case when known.created_at <= records.created_at then known.created_at end desc,
                    known.created_at,
                    {{ id_order('links.item', 'desc') }}
            ) as place
        from ({{ unnest_list('associations', ['from_id', 'from_type', 'to_type'], 'to_ids') }}) as links
        inner join ({{ records }}) as records on links.from_id = records.id
        left join {% if hubspot_lead_object() == 'leads' -%}
        (select contact_id as id, created_at, valid_from, valid_to, false as is_gone from lead_contacts) as known
            on links.item = known.id and records.created_at >= known.valid_from and records.created_at < known.valid_to
        {%- else -%}
        (
            select
                contacts.id,
                {{ 'least(contacts.created_at, minted.created_at)' if with_merges else 'contacts.created_at' }} as created_at,
                coalesce(contacts.is_archived, false) as is_gone
            from ({{ newest_version(source('raw_hubspot', 'contacts'), ['id']) }}) as contacts
            {% if with_merges -%}
            left join ({{ hubspot_minted('contacts') }}) as minted on contacts.id = minted.survivor_id and minted.place = 1
            {%- endif %}
        ) as known
            on links.item = known.id
        {%- endif %}
        where links.from_type = '{{ from_type }}' and links.to_type = 'contacts'
            and links.from_id in (select from_id from associations where from_type = '{{ from_type }}' and to_type = 'contacts' and {{ list_length('to_ids') }} > 1)
    ) as ranked
    where place = 1
{%- endmacro %}

{# Of a record's links (in CTE `associations`) the first one of each given type: the lowest id. #}
{% macro hubspot_first_links(from_type, to_types) -%}
    select
        from_id
        {%- for to_type in to_types %},
        max(case when to_type = '{{ to_type }}' then {{ lowest_id('to_ids') }} end) as {{ {'companies': 'company'}.get(to_type, to_type[:-1]) }}_id
        {%- endfor %}
    from associations
    where from_type = '{{ from_type }}'
    group by from_id
{%- endmacro %}

{# (object_type, pipeline, pipeline_label, source_stage, stage): every stage of the audits whose pipeline was found; `stage` as it was. #}
{% macro hubspot_audited_stages(relation) -%}
    select
        object_type,
        pipeline_id as pipeline,
        stage_id as source_stage,
        list_filter(entries, entry -> entry."rawObject" is not null)[1]."rawObject" as stage
    from (
        select object_type, pipeline_id, stage_id, {{ json_struct('record', {'entries': [{'rawObject': hubspot_stage_shape()}]}) }}.entries as entries
        from {{ relation }}
        where is_found
    ) as audits
{%- endmacro %}

{% macro hubspot_stage_shape() %}
    {{ return({'id': 'varchar', 'label': 'varchar', 'displayOrder': 'bigint', 'metadata': {'isClosed': 'varchar', 'probability': 'varchar', 'leadState': 'varchar'}}) }}
{% endmacro %}

{# Whether the customer could see a quote in this state: not while it is written or waits for someone of ours. #}
{% macro hubspot_is_published(status) -%}
    coalesce(upper({{ status }}) not in ('DRAFT', 'MINIMAL', 'PENDING_APPROVAL', 'REJECTED'), false)
{%- endmacro %}

{# Won, lost or open, as the stage's own settings say. #}
{% macro hubspot_stage_kind(metadata) -%}
    case
        when lower({{ metadata }}."isClosed") = 'true' and {{ try_cast(metadata ~ '.probability', 'double') }} = 1 then 'won'
        when lower({{ metadata }}."isClosed") = 'true' then 'lost'
        when upper({{ metadata }}."leadState") = 'UNQUALIFIED' then 'disqualified'
        else 'open'
    end
{%- endmacro %}

{# Rows of propertiesWithHistory: the history of the given canonical columns of an object.
   The API lists the newest entry first, so among equal timestamps the later place is the older entry. #}
{% macro hubspot_history(object, subject_type, columns) -%}
    {% set properties = hubspot_properties(object) -%}
    {% set shape = {} -%}
    {% for column in columns if properties.get(column) -%}
        {% do shape.update({properties[column]: [{'value': 'varchar', 'timestamp': 'varchar'}]}) %}
    {%- endfor -%}
    with source as (

        {{ newest_version(source('raw_hubspot', object), ['id']) }}

    ),

    histories as (

        select
            id,
            {{ json_struct('record', {'propertiesWithHistory': shape}) }}.propertiesWithHistory as history
        from source

    ),

    entries as (
        {% for column in columns if properties.get(column) %}
        {{ 'union all' if not loop.first }}
        {{ unnest_list('histories', ['id', "'" ~ column ~ "' as field"], 'history."' ~ properties[column] ~ '"') }}
        {% endfor %}
    ),

    renamed as (

        select
            id,
            field,
            case
                when field = 'owner_id' then {{ source_id("'hubspot'", 'item.value') }}
                when field = 'expected_close_date' then cast({{ parse_date(clean('item.value')) }} as varchar)
                else {{ clean('item.value') }}
            end as value,
            {{ parse_timestamp('item.timestamp') }} as at,
            -cast(position as bigint) as source_order
        from entries

    ),
    {% if object in ('contacts', 'deals') %}
    minted as (

        {{ hubspot_minted(object) }}

    ),

    beginnings as (

        select id, field, min("at") as first_at from renamed group by id, field

    ),

    -- A record that a merge made may begin with the merge: what was before is the history of the record with which it began.
    inherited as (

        select
            minted.survivor_id as id,
            renamed.field,
            renamed.value,
            renamed."at",
            renamed.source_order
        from renamed
        inner join minted on renamed.id = minted.record_id and minted.place = 1
        left join beginnings on minted.survivor_id = beginnings.id and renamed.field = beginnings.field
        where beginnings.first_at is null or renamed."at" < beginnings.first_at

    ),

    everything as (

        select * from renamed
        union all
        select * from inherited

    ),
    {% else %}
    everything as (

        select * from renamed

    ),
    {% endif %}
    final as (

        select
            '{{ subject_type }}' as subject_type,
            {{ source_id("'hubspot'", 'id') }} as subject_id,
            field,
            value,
            "at",
            source_order
        from everything

    )

    select * from final
{%- endmacro %}
