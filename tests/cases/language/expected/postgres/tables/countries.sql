-- c360gen | postgres | seed ref.country | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d9eb95f45ab059bc45999387ecac0f2960da315f47b413d44009686de81bbdb6

CREATE TABLE IF NOT EXISTS ref.country (
  code VARCHAR(2),
  name TEXT,
  since DATE
);

-- The rows of the seed, replaced as a whole, in the transaction of the deploy, when they are not what was loaded last.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68') THEN
        RETURN;
    END IF;
    DELETE FROM ref.country
    WHERE
      TRUE;
    INSERT INTO ref.country (
      code,
      name,
      since
    )
    VALUES
      ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
      ('NO', 'Norway, "Norge"', NULL);
    INSERT INTO c360_control.seed_state (seed, digest)
    VALUES ('ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68')
    ON CONFLICT (seed) DO UPDATE SET digest = EXCLUDED.digest, loaded_at = EXCLUDED.loaded_at;
END;
$$;
