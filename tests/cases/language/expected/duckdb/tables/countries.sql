-- c360gen | duckdb | seed ref.country | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ca6fe75e9283a29c5e31c075194c971c609f50503371754a978f94107d62e400

CREATE TABLE IF NOT EXISTS ref.country (
  code TEXT,
  name TEXT,
  since DATE
);

-- The rows of the seed, replaced as a whole, in the transaction of the deploy, when they are not what was loaded last.
DELETE FROM ref.country
WHERE
  TRUE
  AND NOT EXISTS(
    SELECT
      1
    FROM c360_control.seed_state AS s
    WHERE
      s.seed = 'ref.country'
      AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68'
  );

INSERT INTO ref.country (
  code,
  name,
  since
)
SELECT
  w.code,
  w.name,
  w.since
FROM (
  SELECT
    v.code,
    v.name,
    v.since
  FROM (VALUES
    ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
    ('NO', 'Norway, "Norge"', NULL)) AS v(code, name, since)
) AS w
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM c360_control.seed_state AS s
    WHERE
      s.seed = 'ref.country'
      AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68'
  );

INSERT INTO c360_control.seed_state (seed, digest)
SELECT 'ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68'
WHERE NOT EXISTS (SELECT 1 FROM c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68')
ON CONFLICT (seed) DO UPDATE SET digest = EXCLUDED.digest, loaded_at = EXCLUDED.loaded_at;
