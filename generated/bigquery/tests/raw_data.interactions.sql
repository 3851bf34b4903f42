-- c360gen | bigquery | data tests of raw_data.interactions: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 591c0a8d27d1de816492a58f821cbd99bb2ec825e2b78f41ecb37803ff24a295

-- not_null raw_data.interactions.interaction_id
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.interactions AS t
WHERE
  t.interaction_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.interactions.interaction_id
SELECT
  t.interaction_id,
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.interactions AS t
WHERE
  NOT t.interaction_id IS NULL
GROUP BY
  t.interaction_id
HAVING
  COUNT(*) > 1;

-- not_null raw_data.interactions.occurred_at
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.interactions AS t
WHERE
  t.occurred_at IS NULL
HAVING
  COUNT(*) > 0;
