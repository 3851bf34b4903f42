-- c360gen | bigquery | views of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a9629d8c45279756c58f326509fca89c20c5ee08bfc387e4a1f3b4062f915710

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.order_snapshot_current
OPTIONS (
  description='The open versions of order_snapshot: one row per key.'
) AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.order_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'order_snapshot as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.order_id,
    h.customer_id,
    h.order_date,
    h.status,
    h.total_amount,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snapshots.order_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);
