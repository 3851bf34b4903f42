-- c360gen | duckdb | views of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 76f78e3f913bd154545ec1be54abe43d36b664b6858668bfcd6c0ee40cb9cd3a

CREATE OR REPLACE VIEW snapshots.payment_snapshot_current AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.payment_snapshot_current IS 'The open versions of payment_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.payment_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snapshots.payment_snapshot_as_of(p_at) AS TABLE
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );
