-- c360gen | postgres | views of snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 562b24c1158340893ec4709b69d754152414995a63e7c95e596bc2980c11c582

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

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.customer_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    phone TEXT,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
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
  )
$$;
COMMENT ON FUNCTION snapshots.customer_snapshot_as_of(TIMESTAMPTZ) IS 'customer_snapshot as it was at an instant: at most one row per key.';
