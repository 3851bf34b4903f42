-- c360gen | duckdb | how fresh the sources are | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9e38462d644174db905abb7d5d9bbb3f304f44c1cb4ee9dba651dc8a6b2fe3f0

-- One row per source that says how fresh it should be: its newest row, and whether that is too old. Ages in seconds.
CREATE OR REPLACE VIEW c360_control.source_freshness AS
SELECT
  'shop.customers' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '86400' SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '43200' SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS BIGINT) AS warn_after,
  CAST(86400 AS BIGINT) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      customers.updated_at AS loaded_at
    FROM raw.customers AS customers
  ) AS q
) AS n
UNION ALL
SELECT
  'shop.orders' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '86400' SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '43200' SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS BIGINT) AS warn_after,
  CAST(86400 AS BIGINT) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      orders.updated_at AS loaded_at
    FROM raw.orders_v2 AS orders
    WHERE
      (
        orders.amount > 0
      )
  ) AS q
) AS n;
