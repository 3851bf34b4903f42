-- c360gen | bigquery | data tests of countries: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 724b5f9e5d03105c86a96e7bdd93051c622f514cc46ed0bade6c928ae4369839

-- unique countries.code
SELECT
  t.code,
  COUNT(*) AS failures
FROM `acme-analytics`.ref.country AS t
WHERE
  t.code IS NOT NULL
GROUP BY
  t.code
HAVING
  COUNT(*) > 1;

-- not_null countries.code
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.ref.country AS t
WHERE
  t.code IS NULL
HAVING
  COUNT(*) > 0;
