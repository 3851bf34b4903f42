-- c360gen | bigquery | views of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 7a402d1e044e407da57bc9627ddcc6add61efede35690183af0f65ad1e2e0337

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.payment_snapshot_current
OPTIONS (
  description='The open versions of payment_snapshot: one row per key.'
) AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.payment_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'payment_snapshot as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.payment_id,
    h.order_id,
    h.payment_method,
    h.amount,
    h.status,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snapshots.payment_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);
