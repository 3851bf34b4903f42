with spent as (
    select customer_id, sum(amount) as amount from {{ ref('fct_orders') }} group by customer_id
)

select
    c.customer_id,
    c.first_name || ' ' || c.last_name as full_name,
    c.email,
    n.name as country,
    case when s.amount >= 500 then 'gold' else 'plain' end as class
from {{ ref('stg_customers') }} as c
left join {{ ref('countries') }} as n on n.code = c.country
left join spent as s on s.customer_id = c.customer_id
