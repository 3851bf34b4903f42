select event_id, customer_id, kind, seen_at
from {{ source('raw_data', 'events') }}
