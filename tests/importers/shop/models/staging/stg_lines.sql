{{ config(materialized='ephemeral') }}

select
    order_id,
    line,
    {{ cents_to_amount('price_cents') }} as amount
from {{ source('raw_data', 'order_lines') }}
