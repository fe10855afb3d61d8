{{ hubspot_history('contacts', 'lead', ['status', 'owner_id']) }}
