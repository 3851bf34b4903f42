-- c360gen | snowflake | how fresh the sources are | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 26b87692ad50294394085084072455e23dfe95c0bb06a65e1553ca8be840a4cf

CREATE OR REPLACE VIEW C360.c360_control.source_freshness
COPY GRANTS
COMMENT = 'One row per source that says how fresh it should be: its newest row, and whether that is too old. Ages in seconds.'
AS
SELECT
  'shop.customers' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < SYSDATE() - INTERVAL '86400 SECOND'
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < SYSDATE() - INTERVAL '43200 SECOND'
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS NUMBER(38, 0)) AS warn_after,
  CAST(86400 AS NUMBER(38, 0)) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      customers.updated_at AS loaded_at
    FROM C360.raw.customers AS customers
  ) AS q
) AS n
UNION ALL
SELECT
  'shop.orders' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < SYSDATE() - INTERVAL '86400 SECOND'
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < SYSDATE() - INTERVAL '43200 SECOND'
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS NUMBER(38, 0)) AS warn_after,
  CAST(86400 AS NUMBER(38, 0)) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      orders.updated_at AS loaded_at
    FROM C360.raw.orders_v2 AS orders
    WHERE
      (
        orders.amount > 0
      )
  ) AS q
) AS n;
