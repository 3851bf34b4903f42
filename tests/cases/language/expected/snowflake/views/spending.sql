-- c360gen | snowflake | views of snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 90b1253f18a3b85dd8bd0c14c1d558537b2e11297e0040abc72a8f577100f163

CREATE OR REPLACE VIEW C360.snap.spending_current
COPY GRANTS
COMMENT='The open versions of spending: one row per key.' AS
SELECT
  h.customer_id,
  h.total,
  h.valid_from
FROM C360.snap.spending AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snap.spending_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  customer_id NUMBER(38, 0),
  total NUMBER(38, 2),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'spending as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h.customer_id,
  h.total,
  h.valid_from,
  h.valid_to
FROM C360.snap.spending AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;

CREATE OR REPLACE FUNCTION C360.snap.spending_changes(p_from TIMESTAMP_NTZ(6), p_to TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  customer_id NUMBER(38, 0),
  changed_at TIMESTAMP_NTZ(6),
  change VARCHAR,
  total_before NUMBER(38, 2),
  total_after NUMBER(38, 2)
)
LANGUAGE SQL
COMMENT = 'What changed in spending after one instant and not after another, with old and new values.'
AS
$$
SELECT
  v.customer_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.total AS total_before,
  v.total AS total_after
FROM C360.snap.spending AS v
LEFT JOIN C360.snap.spending AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.total AS total_before,
  CAST(NULL AS NUMBER(38, 2)) AS total_after
FROM C360.snap.spending AS v
LEFT JOIN C360.snap.spending AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;

CREATE OR REPLACE VIEW C360.snap.spending_health
COPY GRANTS
COMMENT='What is wrong with the history spending: no row when it is sound.' AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
    p.c360_key) AS example
FROM (
  SELECT
    j.c360_problem,
    j.c360_key,
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
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
      COALESCE(CAST(v.customer_id AS VARCHAR), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM C360.snap.spending AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;
