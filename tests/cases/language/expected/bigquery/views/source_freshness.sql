-- c360gen | bigquery | how fresh the sources are | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 206188c52f8af83446b48740c4eb2356cfb155d7b26087af7b79742d5beeb14c

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.source_freshness
OPTIONS (description = 'One row per source that says how fresh it should be: its newest row, and whether that is too old. Ages in seconds.')
AS
SELECT
  'shop.customers' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 86400 SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 43200 SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS INT64) AS warn_after,
  CAST(86400 AS INT64) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      customers.updated_at AS loaded_at
    FROM `acme-analytics`.raw.customers AS customers
  ) AS q
) AS n
UNION ALL
SELECT
  'shop.orders' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 86400 SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 43200 SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS INT64) AS warn_after,
  CAST(86400 AS INT64) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      orders.updated_at AS loaded_at
    FROM `acme-analytics`.raw.orders_v2 AS orders
    WHERE
      (
        orders.amount > 0
      )
  ) AS q
) AS n;
