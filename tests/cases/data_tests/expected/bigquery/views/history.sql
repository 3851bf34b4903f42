-- c360gen | bigquery | views of snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4d15080df3de2bbda1fed2ae35864c94575e5a75873a8ff50f80a7f98e35458c

CREATE OR REPLACE VIEW acme.snapshots.history_current
OPTIONS (
  description='The open versions of history: one row per key.'
) AS
SELECT
  h.customer_id,
  h.email,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM acme.snapshots.history AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION acme.snapshots.history_as_of(p_at TIMESTAMP)
OPTIONS (description = 'history as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.customer_id,
    h.email,
    h.created_at,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM acme.snapshots.history AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION acme.snapshots.history_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in history after one instant and not after another, with old and new values.')
AS (
  SELECT
    v.customer_id,
    v.valid_from AS changed_at,
    CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
    b.email AS email_before,
    v.email AS email_after,
    b.created_at AS created_at_before,
    v.created_at AS created_at_after,
    b.updated_at AS updated_at_before,
    v.updated_at AS updated_at_after
  FROM acme.snapshots.history AS v
  LEFT JOIN acme.snapshots.history AS b
    ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.customer_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.email AS email_before,
    CAST(NULL AS STRING) AS email_after,
    v.created_at AS created_at_before,
    CAST(NULL AS TIMESTAMP) AS created_at_after,
    v.updated_at AS updated_at_before,
    CAST(NULL AS TIMESTAMP) AS updated_at_after
  FROM acme.snapshots.history AS v
  LEFT JOIN acme.snapshots.history AS n
    ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW acme.snapshots.history_health
OPTIONS (
  description='What is wrong with the history history: no row when it is sound.'
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
      END AS c360_problem,
      COALESCE(CAST(v.customer_id AS STRING), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM acme.snapshots.history AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;
