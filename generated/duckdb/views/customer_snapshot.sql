-- c360gen | duckdb | views of snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 01c2ae630645f30647477cb9a624851f2b4a2e6db02e34a7ef846a4a62d0f73a

CREATE OR REPLACE VIEW snapshots.customer_snapshot_current AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.customer_snapshot_current IS 'The open versions of customer_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snapshots.customer_snapshot_as_of(p_at) AS TABLE
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
FROM snapshots.customer_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );
