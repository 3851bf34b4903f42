-- c360gen | postgres | data tests of raw_data.interactions: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 71b438929bdb8d41f05dcd4e50b299b0ae0806cc7e5f03a3457aaca40469762e

-- not_null raw_data.interactions.interaction_id
SELECT
  COUNT(*) AS failures
FROM raw_data.interactions AS t
WHERE
  t.interaction_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.interactions.interaction_id
SELECT
  t.interaction_id,
  COUNT(*) AS failures
FROM raw_data.interactions AS t
WHERE
  NOT t.interaction_id IS NULL
GROUP BY
  t.interaction_id
HAVING
  COUNT(*) > 1;

-- not_null raw_data.interactions.occurred_at
SELECT
  COUNT(*) AS failures
FROM raw_data.interactions AS t
WHERE
  t.occurred_at IS NULL
HAVING
  COUNT(*) > 0;
