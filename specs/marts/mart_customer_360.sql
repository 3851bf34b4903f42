with clock as (
  select cast({{ as_of() }} as date) as today
),

orders as (
  select
    o.customer_id,
    count(*) as order_count,
    sum(case when o.status <> 'cancelled' then o.total_amount else 0 end) as lifetime_value,
    avg(o.total_amount) as average_order_value,
    min(o.order_date) as first_order_date,
    max(o.order_date) as last_order_date
  from {{ ref('int_customer_orders') }} as o
  group by o.customer_id
),

payments as (
  select
    o.customer_id,
    count(*) as payment_count,
    sum(case when p.status = 'refunded' then 1 else 0 end) as refund_count,
    sum(case when p.status = 'completed' then p.amount else 0 end) as paid_amount
  from {{ ref('int_payments') }} as p
  join {{ ref('int_customer_orders') }} as o on o.order_id = p.order_id
  group by o.customer_id
),

methods as (
  select o.customer_id, p.payment_method, count(*) as used
  from {{ ref('int_payments') }} as p
  join {{ ref('int_customer_orders') }} as o on o.order_id = p.order_id
  where p.payment_method is not null
  group by o.customer_id, p.payment_method
),

favourites as (
  select customer_id, payment_method
  from (
    select
      customer_id,
      payment_method,
      row_number() over (partition by customer_id order by used desc, payment_method) as position
    from methods
  ) as ranked
  where position = 1
),

contacts as (
  select
    customer_id,
    channel,
    count(*) over (partition by customer_id) as interaction_count,
    row_number() over (partition by customer_id order by occurred_at desc, interaction_id desc) as recency
  from {{ ref('int_interactions') }}
),

versions as (
  select customer_id, count(*) as version_count
  from {{ ref('customer_snapshot') }}
  group by customer_id
)

select
  c.customer_id,
  trim(c.first_name) || ' ' || trim(c.last_name) as full_name,
  c.email,
  coalesce(o.order_count, 0) as order_count,
  coalesce(o.lifetime_value, 0) as lifetime_value,
  o.average_order_value,
  clock.today - o.last_order_date as days_since_last_order,
  (clock.today - o.first_order_date) / 30 as months_as_customer,
  coalesce(p.payment_count, 0) as payment_count,
  cast(p.refund_count as numeric(12,4)) / nullif(p.payment_count, 0) as refund_rate,
  coalesce(p.paid_amount, 0) as paid_amount,
  f.payment_method as favourite_payment_method,
  coalesce(k.interaction_count, 0) as interaction_count,
  k.channel as last_channel,
  v.version_count,
  case
    when o.order_count is null then 'prospect'
    when o.lifetime_value >= {{ var('gold_from') }} then 'gold'
    when clock.today - o.last_order_date <= 90 then 'active'
    else 'dormant'
  end as segment
from {{ ref('customer_snapshot') }} as c
cross join clock
join versions as v on v.customer_id = c.customer_id
left join orders as o on o.customer_id = c.customer_id
left join payments as p on p.customer_id = c.customer_id
left join favourites as f on f.customer_id = c.customer_id
left join contacts as k on k.customer_id = c.customer_id and k.recency = 1
where c.valid_to is null
