select status from {{ ref('stg_orders') }} where lower(status) <> status
