-- c360gen | duckdb | views of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0122d6b69d4f736eb83176643ea8677cf8eeec972314b3a90e1c6f8302293884

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

CREATE OR REPLACE MACRO snap.user_as_of(p_at) AS TABLE
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
  );
