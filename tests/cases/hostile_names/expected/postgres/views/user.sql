-- c360gen | postgres | views of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 45ed7aefcf071bbe537db60a7fda8301323a35a4ce309a7af537b614cd578604

CREATE OR REPLACE VIEW snap.user_current AS
SELECT
  h."group",
  h."select",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from
FROM snap."user" AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snap.user_current IS 'The open versions of user: one row per key.';

COMMENT ON COLUMN snap.user_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.user_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    "group" BIGINT,
    "select" TEXT,
    "Größe" TEXT,
    "two words" TEXT,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h."group",
  h."select",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snap."user" AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snap.user_as_of(TIMESTAMPTZ) IS 'user as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.user_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    "group" BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    select_before TEXT,
    select_after TEXT,
    "Größe_before" TEXT,
    "Größe_after" TEXT,
    "two words_before" TEXT,
    "two words_after" TEXT,
    updated_at_before TIMESTAMPTZ,
    updated_at_after TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v."group",
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b."select" AS select_before,
  v."select" AS select_after,
  b."Größe" AS "Größe_before",
  v."Größe" AS "Größe_after",
  b."two words" AS "two words_before",
  v."two words" AS "two words_after",
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snap."user" AS v
LEFT JOIN snap."user" AS b
  ON b."group" = v."group" AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v."group",
  v.valid_to AS changed_at,
  'deleted' AS change,
  v."select" AS select_before,
  CAST(NULL AS TEXT) AS select_after,
  v."Größe" AS "Größe_before",
  CAST(NULL AS TEXT) AS "Größe_after",
  v."two words" AS "two words_before",
  CAST(NULL AS TEXT) AS "two words_after",
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snap."user" AS v
LEFT JOIN snap."user" AS n
  ON n."group" = v."group" AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snap.user_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in user after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snap.user_health AS
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
      COALESCE(CAST(v."group" AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h."group",
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h."group" ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h."group") AS c360_open
      FROM snap."user" AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snap.user_health IS 'What is wrong with the history user: no row when it is sound.';

COMMENT ON COLUMN snap.user_health.problem IS 'two_open, inverted, overlap, gap or orphan.';

COMMENT ON COLUMN snap.user_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snap.user_health.example IS 'Up to five keys.';
