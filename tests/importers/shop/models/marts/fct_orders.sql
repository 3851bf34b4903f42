{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='order_id',
        on_schema_change='append_new_columns'
    )
}}

with lines as (
    select order_id, cast(sum(amount) as decimal(18, 2)) as amount
    from {{ ref('stg_lines') }}
    group by order_id
)

select
    o.order_id,
    o.customer_id,
    o.status,
    l.amount,
    o.ordered_at,
    o.updated_at
from {{ ref('stg_orders') }} as o
left join lines as l on l.order_id = o.order_id

{% if is_incremental() %}
where o.updated_at > (select max(updated_at) from {{ this }})
{% endif %}
