{{
    config(
        materialized='incremental',
        incremental_strategy='microbatch',
        event_time='seen_at',
        batch_size='day',
        begin='2026-01-01',
        lookback=2
    )
}}
select event_id, customer_id, kind, seen_at
from {{ source('raw_data', 'events') }}
