-- c360gen | bigquery | views of snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 51be3b2950a46faac70275a7118cdb014feabcf9e004fcd072fc389ea4a0491e

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.customer_snapshot_current
OPTIONS (
  description='The open versions of customer_snapshot: one row per key.'
) AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.customer_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'customer_snapshot as it was at an instant: at most one row per key.')
AS (
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
  FROM `acme-analytics`.snapshots.customer_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);
