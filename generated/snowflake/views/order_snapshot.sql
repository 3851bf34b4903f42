-- c360gen | snowflake | views of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d801938a0b176b486b0aa22bfdd5f65987a436fb5a87757de44819d9546b953a

CREATE OR REPLACE VIEW C360.snapshots.order_snapshot_current
COPY GRANTS
COMMENT='The open versions of order_snapshot: one row per key.' AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM C360.snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snapshots.order_snapshot_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  order_id NUMBER(38, 0),
  customer_id NUMBER(38, 0),
  order_date DATE,
  status VARCHAR,
  total_amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'order_snapshot as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snapshots.order_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
