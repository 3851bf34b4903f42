-- c360gen | postgres | views of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 573097d6183b9e6497dc9d36fcc442428d65310b45f349fe37a225a52e19268c

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

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.order_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    order_id BIGINT,
    customer_id BIGINT,
    order_date DATE,
    status TEXT,
    total_amount NUMERIC(12, 2),
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
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
  )
$$;
COMMENT ON FUNCTION snapshots.order_snapshot_as_of(TIMESTAMPTZ) IS 'order_snapshot as it was at an instant: at most one row per key.';
