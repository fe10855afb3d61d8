{# Words of activities: what a source calls an outcome, a type or a direction -> ours. Case, blanks and the signs between letters say nothing. A word
   that nobody knows stays as it is written and proves nothing: int_unmapped_outcomes counts it. #}

{# A word as it is compared: without blanks and ASCII's signs (a class of all letters takes long to compile). Null where nothing is left, as of "-". #}
{% macro word_key(value) -%}
    nullif(regexp_replace(lower({{ value }}), '[\s!-/:-@\[-`{-~]', '', 'g'), '')
{%- endmacro %}

{# Outcome of a call -> the words for it. "Left message" is said of voicemails as often as of people: it proves no talk. The ids are HubSpot's own
   dispositions, the same in all accounts. `planned` is a call that is still to be made, `in_progress` one of which nobody knows the end. #}
{% macro call_outcomes() %}
    {{ return({
        'answered': [
            'answered', 'answer', 'connected', 'connect', 'completed', 'complete', 'done', 'success', 'successful', 'reached', 'contacted', 'contactmade',
            'spoke', 'spoken', 'spokewith', 'spoketo', 'talked', 'talkedto', 'conversation', 'live', 'liveanswer', 'leftlivemessage', 'pickedup', 'pickup',
            'held', 'callcompleted', 'completedcall', 'transferred', 'calltransferred',
            'erreicht', 'beantwortet', 'angenommen', 'gesprochen', 'gesprächgeführt', 'verbunden', 'contestada', 'contestado', 'contestó', 'atendida', 'atendido',
            'respondida', 'respondido', 'contactado', 'conectado', 'répondu', 'repondu', 'décroché', 'decroche', 'abouti', 'joint',
            'taken', 'accepted', 'human', 'yes', 'true', 'booked', 'appointmentset', 'interested', 'notinterested', 'callbackrequested', 'requestedcallback',
            'f240bbac87c94f6ebf70924b57d47db7', 'a4c4c377d2464b32a13b75a56a4cd0ff',
        ],
        'missed': [
            'missed', 'missedcall', 'abandoned', 'abandon', 'abandonedcall', 'verpasst', 'entgangen', 'perdida', 'llamadaperdida', 'manqué', 'manque', 'appelmanqué',
        ],
        'no_answer': [
            'noanswer', 'noans', 'nonanswer', 'na', 'rna', 'unanswered', 'notanswered', 'noreply', 'noresponse', 'nopickup', 'nocontact', 'nocontactmade',
            'notconnected', 'notreached', 'unreachable', 'unavailable', 'notavailable', 'nothome', 'ringout', 'rangout', 'declined', 'rejected', 'no', 'false',
            'voicemail', 'vm', 'lvm', 'lm', 'lmvm', 'leftvm', 'vmleft', 'vmanswer', 'leftvoicemail', 'leftmessage', 'message', 'messageleft', 'machine', 'mailbox',
            'answeringmachine', 'vmail', 'nichterreicht', 'nichterreichbar', 'keineantwort', 'nichtangenommen', 'nichtbeantwortet', 'anrufbeantworter', 'nocontesta',
            'nocontestó', 'nocontesto', 'nocontestada', 'nocontestado', 'noatendida', 'noatendido', 'sinrespuesta', 'buzón', 'buzon', 'buzóndevoz', 'buzondevoz',
            'pasderéponse', 'pasdereponse', 'sansréponse', 'sansreponse', 'nonrépondu', 'nonrepondu', 'nonabouti', 'répondeur', 'repondeur', 'messagerie', 'messagerievocale',
            'b2cf5968551e4856978352b3da59a7d0', '73a0d17f11634015bdd5ec830791da20',
        ],
        'busy': ['busy', 'linebusy', 'userbusy', 'engaged', 'besetzt', 'ocupado', 'comunicando', 'occupé', 'occupe', '9d9162e76cf34944bf634dff82258764'],
        'failed': [
            'failed', 'failure', 'error', 'canceled', 'cancelled', 'blocked', 'invalid', 'badnumber', 'wrongnumber', 'wrongperson', 'wrongno', 'invalidnumber',
            'disconnected', 'notinservice', 'outofservice', 'fax', 'deadair', 'deadline', 'undelivered', 'falschenummer', 'númeroequivocado', 'numeroequivocado',
            'fauxnuméro', 'fauxnumero', 'mauvaisnuméro', 'mauvaisnumero', '17b47fee58de441ea44cc6300d46f273',
        ],
        'in_progress': ['inprogress', 'ringing', 'connecting', 'callingcrmuser', 'initiated', 'ongoing', 'onhold'],
        'planned': [
            'planned', 'scheduled', 'rescheduled', 'queued', 'pending', 'notstarted', 'notyetstarted', 'open', 'todo', 'tocall', 'upcoming', 'draft', 'waiting',
            'waitingonsomeoneelse', 'deferred', 'new', 'assigned', 'due', 'overdue', 'notcompleted', 'incomplete', 'notdone',
        ],
    }) }}
{% endmacro %}

{# Whether an outcome as it is written says that the caller ended the call before anybody answered; such a call is `missed` as well. #}
{% macro says_abandoned(value) -%}
    regexp_matches({{ word_key(value) }}, 'abandon|hungup|hangup|gaveup|callerdisconnect')
{%- endmacro %}

{# Outcome -> parts of longer wordings ("Answered by voicemail", "Spoke with his wife"), in the order in which they are looked for: what denies comes first. #}
{% macro call_outcome_parts() %}
    {{ return({
        'failed': ['wrongnumber', 'wrongperson', 'badnumber', 'invalidnumber', 'notinservice', 'outofservice', 'disconnected', 'faxmachine'],
        'no_answer': [
            'voicemail', 'voicemsg', 'voicemessage', 'answeringmachine', 'bymachine', 'machinestart', 'machineend', 'mailbox', 'noanswer', 'notanswer', 'unanswer', 'didntanswer',
            'leftmessage', 'leftamessage', 'leftmsg', 'leftvm', 'leftavm', 'notconnect', 'couldnotconnect', 'nopickup', 'didnotpickup', 'didntpickup', 'noresponse', 'notreach',
            'couldnotreach', 'unabletoreach', 'unabletocontact', 'unabletoconnect', 'notavailable',
        ],
        'missed': ['missedcall', 'abandoned'],
        'busy': ['busy'],
        'planned': ['notstarted', 'notcompleted', 'tobecalled'],
        'answered': ['answered', 'connected', 'spoke', 'talkedto', 'talkedwith', 'conversation', 'pickedup'],
    }) }}
{% endmacro %}

{# (written, call_outcome, meeting_outcome): every word of some columns of a relation with what it means; null for a word that nobody knows.
   call_outcome is answered, missed, no_answer, busy, failed, in_progress or planned; meeting_outcome scheduled, held, no_show or canceled.
   A word is judged once, however many records have it. sources/<source>.yml can name further words under `outcomes`. #}
{% macro outcome_words(relation, columns, source_name=none) -%}
    {%- set named = var(source_name ~ '_outcomes', {}) if source_name else {} -%}
    select
        written,
        case
            {% for word, outcome in named.items() -%}
            when word = {{ word_key("'" ~ word | replace("'", "''") ~ "'") }} then '{{ outcome }}'
            {% endfor -%}
            {% for outcome, words in call_outcomes().items() -%}
            when word in ({{ text_list(words) }}) then '{{ outcome }}'
            {% endfor -%}
            when regexp_matches(lower(written), '(^|[^a-z])l?vm([^a-z]|$)') then 'no_answer'
            {% for outcome, parts in call_outcome_parts().items() -%}
            when regexp_matches(word, '{{ parts | join('|') }}') then '{{ outcome }}'
            {% endfor -%}
        end as call_outcome,
        case
            {% for word, outcome in named.items() -%}
            when word = {{ word_key("'" ~ word | replace("'", "''") ~ "'") }} then '{{ outcome }}'
            {% endfor -%}
            {% for outcome, words in meeting_outcomes().items() -%}
            when word in ({{ text_list(words) }}) then '{{ outcome }}'
            {% endfor -%}
        end as meeting_outcome
    from (
        select distinct written, {{ word_key('written') }} as word
        from (
            {% for column in columns -%}
            select {{ column }} as written from {{ relation }}
            {{ 'union all' if not loop.last }}
            {% endfor -%}
        ) as used
    ) as words
    where word is not null
{%- endmacro %}

{# What the fields of one call say together, each a pair of a word as written and its outcome, the most telling first. One that denies is
   believed; a word that nobody knows comes before what affirms. #}
{% macro combined_outcome(fields) -%}
    case
        {% for word, outcome in fields -%}
        when {{ outcome }} in ('no_answer', 'busy', 'failed', 'missed') then {{ outcome }}
        {% endfor -%}
        {% for word, outcome in fields -%}
        when {{ outcome }} = 'planned' then 'planned'
        {% endfor -%}
        {% for word, outcome in fields -%}
        when {{ outcome }} is null and {{ word_key(word) }} is not null then trim({{ word }})
        {% endfor -%}
        else coalesce({% for word, outcome in fields %}{{ outcome }}{{ ', ' if not loop.last }}{% endfor %})
    end
{%- endmacro %}

{# Outcome of a meeting -> the words for it. #}
{% macro meeting_outcomes() %}
    {{ return({
        'held': ['held', 'completed', 'complete', 'done', 'attended', 'showed', 'show', 'showedup', 'tookplace', 'happened', 'finished', 'success', 'successful'],
        'no_show': ['noshow', 'noshows', 'didnotshow', 'didntshow', 'didnotattend', 'notattended', 'missed', 'absent'],
        'canceled': ['canceled', 'cancelled', 'cancel', 'declined', 'deleted', 'aborted'],
        'scheduled': [
            'scheduled', 'rescheduled', 'booked', 'confirmed', 'planned', 'pending', 'upcoming', 'open', 'set', 'new', 'tentative', 'notstarted', 'inprogress', 'dispatched',
        ],
    }) }}
{% endmacro %}

{# call, email, text, meeting, task or note; another word in lower case. #}
{% macro activity_type(value) -%}
    case
        when {{ word_key(value) }} in ('call', 'calls', 'phone', 'phonecall', 'telephone', 'telephonecall', 'voicecall', 'inboundcall', 'outboundcall', 'incomingcall', 'outgoingcall') then 'call'
        when {{ word_key(value) }} in ('email', 'emails', 'mail', 'emailmessage', 'inboundemail', 'outboundemail', 'incomingemail', 'outgoingemail') then 'email'
        when {{ word_key(value) }} in ('text', 'texts', 'sms', 'textmessage', 'inboundtext', 'outboundtext', 'inboundsms', 'outboundsms') then 'text'
        when {{ word_key(value) }} in ('meeting', 'meetings', 'appointment', 'consultation') then 'meeting'
        when {{ word_key(value) }} in ('task', 'tasks', 'todo', 'reminder') then 'task'
        when {{ word_key(value) }} in ('note', 'notes', 'comment') then 'note'
        else lower({{ clean(value) }})
    end
{%- endmacro %}

{# inbound or outbound; another word in lower case. #}
{% macro activity_direction(value) -%}
    case
        when {{ word_key(value) }} in ('inbound', 'incoming', 'in', 'received', 'inboundcall', 'incomingcall', 'inboundemail', 'incomingemail', 'inboundtext', 'inboundsms') then 'inbound'
        when {{ word_key(value) }} in ('outbound', 'outgoing', 'out', 'sent', 'made', 'placed', 'dialed', 'dialled', 'outboundcall', 'outgoingcall', 'outboundemail', 'outgoingemail', 'outboundtext', 'outboundsms', 'outboundapi', 'outbounddial') then 'outbound'
        else lower({{ clean(value) }})
    end
{%- endmacro %}

{# Whether a task is off the list, as a source says it; one that nobody says so of is still to be done. #}
{% macro is_done_task(value) -%}
    coalesce({{ word_key(value) }} in ('completed', 'complete', 'done', 'finished', 'closed', 'canceled', 'cancelled', 'deleted'), false)
{%- endmacro %}

{% macro activity_types() %}
    {{ return(['call', 'email', 'text', 'meeting', 'task', 'note']) }}
{% endmacro %}
