{{ hubspot_history('deals', 'deal', ['stage', 'pipeline', 'owner_id', 'amount', 'expected_close_date']) }}
