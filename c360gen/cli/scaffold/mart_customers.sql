with versions as (
  select customer_id, count(*) as version_count
  from {{ ref('customer_snapshot') }}
  group by customer_id
)

select c.customer_id, c.email, v.version_count
from {{ ref('customer_snapshot') }} as c
join versions as v on v.customer_id = c.customer_id
where c.valid_to is null
