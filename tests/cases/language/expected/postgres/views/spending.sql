-- c360gen | postgres | views of snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 5a87ffac4d144a97b1603405d2b308a12e255588746a361b8dfb69f70a6eddd5

CREATE OR REPLACE VIEW snap.spending_current AS
SELECT
  h.customer_id,
  h.total,
  h.valid_from
FROM snap.spending AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snap.spending_current IS 'The open versions of spending: one row per key.';

COMMENT ON COLUMN snap.spending_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.spending_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    total NUMERIC(38, 2),
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h.customer_id,
  h.total,
  h.valid_from,
  h.valid_to
FROM snap.spending AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snap.spending_as_of(TIMESTAMPTZ) IS 'spending as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.spending_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    total_before NUMERIC(38, 2),
    total_after NUMERIC(38, 2)
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v.customer_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.total AS total_before,
  v.total AS total_after
FROM snap.spending AS v
LEFT JOIN snap.spending AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.total AS total_before,
  CAST(NULL AS DECIMAL(38, 2)) AS total_after
FROM snap.spending AS v
LEFT JOIN snap.spending AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snap.spending_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in spending after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snap.spending_health AS
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
      COALESCE(CAST(v.customer_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM snap.spending AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snap.spending_health IS 'What is wrong with the history spending: no row when it is sound.';

COMMENT ON COLUMN snap.spending_health.problem IS 'two_open, inverted or overlap.';

COMMENT ON COLUMN snap.spending_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snap.spending_health.example IS 'Up to five keys.';
