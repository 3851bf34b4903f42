-- c360gen | bigquery | views of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4a0524c94fe2d42fc237c7a09dcc494f1cf53eb3ae43924994d1fbbc44d99c0a

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.order_snapshot_current
OPTIONS (
  description='The open versions of order_snapshot: one row per key.'
) AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.order_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'order_snapshot as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.order_id,
    h.customer_id,
    h.order_date,
    h.status,
    h.total_amount,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snapshots.order_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.order_snapshot_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in order_snapshot after one instant and not after another, with old and new values.')
AS (
  SELECT
    v.order_id,
    v.valid_from AS changed_at,
    CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
    b.customer_id AS customer_id_before,
    v.customer_id AS customer_id_after,
    b.order_date AS order_date_before,
    v.order_date AS order_date_after,
    b.status AS status_before,
    v.status AS status_after,
    b.total_amount AS total_amount_before,
    v.total_amount AS total_amount_after,
    b.updated_at AS updated_at_before,
    v.updated_at AS updated_at_after
  FROM `acme-analytics`.snapshots.order_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.order_snapshot AS b
    ON b.order_id = v.order_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.order_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.customer_id AS customer_id_before,
    CAST(NULL AS INT64) AS customer_id_after,
    v.order_date AS order_date_before,
    CAST(NULL AS DATE) AS order_date_after,
    v.status AS status_before,
    CAST(NULL AS STRING) AS status_after,
    v.total_amount AS total_amount_before,
    ROUND(CAST(NULL AS NUMERIC), 2) AS total_amount_after,
    v.updated_at AS updated_at_before,
    CAST(NULL AS TIMESTAMP) AS updated_at_after
  FROM `acme-analytics`.snapshots.order_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.order_snapshot AS n
    ON n.order_id = v.order_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.order_snapshot_health
OPTIONS (
  description='What is wrong with the history order_snapshot: no row when it is sound.'
) AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
  ORDER BY
    p.c360_key) AS example
FROM (
  SELECT
    j.c360_problem,
    j.c360_key,
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
  FROM (
    SELECT
      CASE
        WHEN v.c360_open > 1
        THEN 'two_open'
        WHEN v.valid_to <= v.valid_from
        THEN 'inverted'
        WHEN v.c360_next IS NOT NULL AND (
          v.valid_to IS NULL OR v.valid_to > v.c360_next
        )
        THEN 'overlap'
        WHEN v.valid_to < v.c360_next
        THEN 'gap'
        WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
        THEN 'orphan'
      END AS c360_problem,
      COALESCE(CAST(v.order_id AS STRING), 'NULL') AS c360_key
    FROM (
      SELECT
        h.order_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
      FROM `acme-analytics`.snapshots.order_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;
