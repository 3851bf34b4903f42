{{
    config(
        materialized = 'view',
        tags = ['orders'],
    )
}}

select
    order_id,
    customer_id,
    status,
    ordered_at,
    updated_at
from {{ source('raw_data', 'orders') }}
where status <> '{{ var("test_status", "test") }}'
