-- c360gen | snowflake | data tests of raw_data.interactions: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 6570a89bf1f7cd3e9edbe8504749d54b8f4b369e4e25fef915e57146e84d558c

-- not_null raw_data.interactions.interaction_id
SELECT
  COUNT(*) AS failures
FROM C360.raw_data.interactions AS t
WHERE
  t.interaction_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.interactions.interaction_id
SELECT
  t.interaction_id,
  COUNT(*) AS failures
FROM C360.raw_data.interactions AS t
WHERE
  t.interaction_id IS NOT NULL
GROUP BY
  t.interaction_id
HAVING
  COUNT(*) > 1;

-- not_null raw_data.interactions.occurred_at
SELECT
  COUNT(*) AS failures
FROM C360.raw_data.interactions AS t
WHERE
  t.occurred_at IS NULL
HAVING
  COUNT(*) > 0;
