-- c360gen | postgres | views of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d8cb264811d8aaaa46ca779dd721e94cc70c1154aa1f0e00f9cff10dabbdb370

CREATE OR REPLACE VIEW snap.user_current AS
SELECT
  h."group",
  h."select",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from
FROM snap."user" AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snap.user_current IS 'The open versions of user: one row per key.';

COMMENT ON COLUMN snap.user_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.user_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    "group" BIGINT,
    "select" TEXT,
    "Größe" TEXT,
    "two words" TEXT,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h."group",
  h."select",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snap."user" AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snap.user_as_of(TIMESTAMPTZ) IS 'user as it was at an instant: at most one row per key.';
