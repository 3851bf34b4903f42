{% snapshot order_snapshot %}
{{
    config(
        target_schema='legacy',
        unique_key='order_id',
        strategy='check',
        check_cols=['status'],
        invalidate_hard_deletes=true
    )
}}
select * from {{ source('raw_data', 'orders') }}
{% endsnapshot %}
