-- c360gen | postgres | data tests of raw_data.interactions: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 60deb9cf611ec3cdcc2f933adb4ce694be16debe5ae9e681f0d562cc742dfde5

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
  t.interaction_id IS NOT NULL
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
