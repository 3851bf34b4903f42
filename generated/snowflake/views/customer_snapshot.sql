-- c360gen | snowflake | views of snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 60e3f0db741f1395174c24b2c352a01b8c80a83e56ff9896232b0cdcaedfb1b6

CREATE OR REPLACE VIEW C360.snapshots.customer_snapshot_current
COPY GRANTS
COMMENT='The open versions of customer_snapshot: one row per key.' AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM C360.snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snapshots.customer_snapshot_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  customer_id NUMBER(38, 0),
  first_name VARCHAR,
  last_name VARCHAR,
  email VARCHAR,
  phone VARCHAR,
  created_at TIMESTAMP_NTZ(6),
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'customer_snapshot as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snapshots.customer_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
