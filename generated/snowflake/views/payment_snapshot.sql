-- c360gen | snowflake | views of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a01b412494dd6c8ded766e5d525800e7ff761c70a4a3b980ff4b940ee916a519

CREATE OR REPLACE VIEW C360.snapshots.payment_snapshot_current
COPY GRANTS
COMMENT='The open versions of payment_snapshot: one row per key.' AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM C360.snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snapshots.payment_snapshot_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  payment_id NUMBER(38, 0),
  order_id NUMBER(38, 0),
  payment_method VARCHAR,
  amount NUMBER(12, 2),
  status VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'payment_snapshot as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snapshots.payment_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
