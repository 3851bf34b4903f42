-- c360gen | bigquery | views of snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: be0db0abf9fad29de5ad87e310a91760cd65f3df0ee792a7915cdbf21dd986ac

CREATE OR REPLACE VIEW `acme-analytics`.snap.spending_current
OPTIONS (
  description='The open versions of spending: one row per key.'
) AS
SELECT
  h.customer_id,
  h.total,
  h.valid_from
FROM `acme-analytics`.snap.spending AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.spending_as_of(p_at TIMESTAMP)
OPTIONS (description = 'spending as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.customer_id,
    h.total,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snap.spending AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.spending_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in spending after one instant and not after another, with old and new values.')
AS (
  SELECT
    v.customer_id,
    v.valid_from AS changed_at,
    CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
    b.total AS total_before,
    v.total AS total_after
  FROM `acme-analytics`.snap.spending AS v
  LEFT JOIN `acme-analytics`.snap.spending AS b
    ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.customer_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.total AS total_before,
    ROUND(CAST(NULL AS BIGNUMERIC), 2) AS total_after
  FROM `acme-analytics`.snap.spending AS v
  LEFT JOIN `acme-analytics`.snap.spending AS n
    ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snap.spending_health
OPTIONS (
  description='What is wrong with the history spending: no row when it is sound.'
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
      FROM `acme-analytics`.snap.spending AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;
