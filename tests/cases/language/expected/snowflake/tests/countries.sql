-- c360gen | snowflake | data tests of countries: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 90851bb0ddaafc68f16c9f32fd52c128df45c5fd9891495ca45aebc8ac3d988a

-- unique countries.code
SELECT
  t.code,
  COUNT(*) AS failures
FROM C360.ref.country AS t
WHERE
  t.code IS NOT NULL
GROUP BY
  t.code
HAVING
  COUNT(*) > 1;

-- not_null countries.code
SELECT
  COUNT(*) AS failures
FROM C360.ref.country AS t
WHERE
  t.code IS NULL
HAVING
  COUNT(*) > 0;
