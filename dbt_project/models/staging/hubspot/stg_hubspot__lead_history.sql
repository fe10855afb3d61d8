{{ hubspot_history('leads', 'lead', ['status', 'owner_id']) }}
