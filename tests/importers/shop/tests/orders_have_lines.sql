select o.order_id from {{ ref('fct_orders') }} as o where o.amount is null
