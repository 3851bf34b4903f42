-- Customers as they are now.
select
    customer_id,
    first_name,
    last_name,
    lower(email) as email,
    country,
    updated_at
from {{ source('raw_data', 'customers') }}
