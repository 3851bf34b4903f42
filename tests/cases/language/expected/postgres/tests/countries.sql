-- c360gen | postgres | data tests of countries: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a59ddfc5d738107c6ad0607962a15f24293f0cfc2ab9fe8ad00214dbc265a730

-- unique countries.code
SELECT
  t.code,
  COUNT(*) AS failures
FROM ref.country AS t
WHERE
  t.code IS NOT NULL
GROUP BY
  t.code
HAVING
  COUNT(*) > 1;

-- not_null countries.code
SELECT
  COUNT(*) AS failures
FROM ref.country AS t
WHERE
  t.code IS NULL
HAVING
  COUNT(*) > 0;
