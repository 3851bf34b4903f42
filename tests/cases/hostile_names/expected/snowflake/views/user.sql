-- c360gen | snowflake | views of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b6c39d73fd0741880b8150568994d387457713eb704d62bfa429c627d1eadf7e

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
