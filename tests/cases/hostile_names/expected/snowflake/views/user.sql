-- c360gen | snowflake | views of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 29425be36f99758aa371b5ccccb987413b62123c46f5b73dd80eb4142fc05574

CREATE OR REPLACE VIEW C360.snap.user_current
COPY GRANTS
COMMENT='The open versions of user: one row per key.' AS
SELECT
  h."GROUP",
  h."SELECT",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from
FROM C360.snap."USER" AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snap.user_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  "GROUP" NUMBER(38, 0),
  "SELECT" VARCHAR,
  "Größe" VARCHAR,
  "two words" VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'user as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h."GROUP",
  h."SELECT",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snap."USER" AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;

CREATE OR REPLACE FUNCTION C360.snap.user_changes(p_from TIMESTAMP_NTZ(6), p_to TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  "GROUP" NUMBER(38, 0),
  changed_at TIMESTAMP_NTZ(6),
  change VARCHAR,
  select_before VARCHAR,
  select_after VARCHAR,
  "Größe_before" VARCHAR,
  "Größe_after" VARCHAR,
  "two words_before" VARCHAR,
  "two words_after" VARCHAR,
  updated_at_before TIMESTAMP_NTZ(6),
  updated_at_after TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'What changed in user after one instant and not after another, with old and new values.'
AS
$$
SELECT
  v."GROUP",
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b."SELECT" AS select_before,
  v."SELECT" AS select_after,
  b."Größe" AS "Größe_before",
  v."Größe" AS "Größe_after",
  b."two words" AS "two words_before",
  v."two words" AS "two words_after",
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM C360.snap."USER" AS v
LEFT JOIN C360.snap."USER" AS b
  ON b."GROUP" = v."GROUP" AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v."GROUP",
  v.valid_to AS changed_at,
  'deleted' AS change,
  v."SELECT" AS select_before,
  CAST(NULL AS VARCHAR) AS select_after,
  v."Größe" AS "Größe_before",
  CAST(NULL AS VARCHAR) AS "Größe_after",
  v."two words" AS "two words_before",
  CAST(NULL AS VARCHAR) AS "two words_after",
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMP_NTZ(6)) AS updated_at_after
FROM C360.snap."USER" AS v
LEFT JOIN C360.snap."USER" AS n
  ON n."GROUP" = v."GROUP" AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;

CREATE OR REPLACE VIEW C360.snap.user_health
COPY GRANTS
COMMENT='What is wrong with the history user: no row when it is sound.' AS
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
      COALESCE(CAST(v."GROUP" AS VARCHAR), 'NULL') AS c360_key
    FROM (
      SELECT
        h."GROUP",
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h."GROUP" ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h."GROUP") AS c360_open
      FROM C360.snap."USER" AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;
