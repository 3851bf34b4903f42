-- c360gen | duckdb | views of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 1cbc4a5bf063aa8be58cf7210d2e84125fdf077a17d7cc35dfc21e309dadd09f

CREATE OR REPLACE VIEW snapshots.order_snapshot_current AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.order_snapshot_current IS 'The open versions of order_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.order_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snapshots.order_snapshot_as_of(p_at) AS TABLE
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.order_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );
