select
    order_id,
    line,
    cast(price_cents / 100.0 as decimal(18, 2)) as amount
from {{ source('raw_data', 'order_lines') }}
