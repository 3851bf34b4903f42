-- c360gen | postgres | views of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 771e5c547f7337d5a6455423c82846e1a0814883b5b95372e365f812fafaf736

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

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.payment_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    payment_id BIGINT,
    order_id BIGINT,
    payment_method TEXT,
    amount NUMERIC(12, 2),
    status TEXT,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
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
  )
$$;
COMMENT ON FUNCTION snapshots.payment_snapshot_as_of(TIMESTAMPTZ) IS 'payment_snapshot as it was at an instant: at most one row per key.';
