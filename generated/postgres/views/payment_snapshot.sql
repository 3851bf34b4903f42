-- c360gen | postgres | views of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 63b4cd074a4b15da4e183bb64801925da1d7096ec321d15ae72d170602ff671a

CREATE OR REPLACE VIEW snapshots.payment_snapshot_current AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.payment_snapshot_current IS 'The open versions of payment_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.payment_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.payment_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    payment_id BIGINT,
    order_id BIGINT,
    payment_method TEXT,
    amount NUMERIC(12, 2),
    status TEXT,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snapshots.payment_snapshot_as_of(TIMESTAMPTZ) IS 'payment_snapshot as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.payment_snapshot_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    payment_id BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    order_id_before BIGINT,
    order_id_after BIGINT,
    payment_method_before TEXT,
    payment_method_after TEXT,
    amount_before NUMERIC(12, 2),
    amount_after NUMERIC(12, 2),
    status_before TEXT,
    status_after TEXT,
    updated_at_before TIMESTAMPTZ,
    updated_at_after TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v.payment_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.order_id AS order_id_before,
  v.order_id AS order_id_after,
  b.payment_method AS payment_method_before,
  v.payment_method AS payment_method_after,
  b.amount AS amount_before,
  v.amount AS amount_after,
  b.status AS status_before,
  v.status AS status_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.payment_snapshot AS v
LEFT JOIN snapshots.payment_snapshot AS b
  ON b.payment_id = v.payment_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.payment_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.order_id AS order_id_before,
  CAST(NULL AS BIGINT) AS order_id_after,
  v.payment_method AS payment_method_before,
  CAST(NULL AS TEXT) AS payment_method_after,
  v.amount AS amount_before,
  CAST(NULL AS DECIMAL(12, 2)) AS amount_after,
  v.status AS status_before,
  CAST(NULL AS TEXT) AS status_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.payment_snapshot AS v
LEFT JOIN snapshots.payment_snapshot AS n
  ON n.payment_id = v.payment_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snapshots.payment_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in payment_snapshot after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snapshots.payment_snapshot_health AS
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
        WHEN v.valid_to < v.c360_next
        THEN 'gap'
        WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
        THEN 'orphan'
      END AS c360_problem,
      COALESCE(CAST(v.payment_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.payment_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
      FROM snapshots.payment_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snapshots.payment_snapshot_health IS 'What is wrong with the history payment_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.problem IS 'two_open, inverted, overlap, gap or orphan.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.example IS 'Up to five keys.';
