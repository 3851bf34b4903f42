-- c360gen | snowflake | seed ref.country | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: dfd57001a9b08f86ab2eedb32d6d038b2364a658f1c786ec0ddc40dee4275124

CREATE TABLE IF NOT EXISTS C360.ref.country (
  code VARCHAR(2),
  name VARCHAR,
  since DATE
);

-- The rows of the seed, replaced as a whole, in one transaction, when they are not what was loaded last.
EXECUTE IMMEDIATE $$
DECLARE
  v_loaded NUMBER(18, 0) DEFAULT 0;
  v_in_transaction BOOLEAN DEFAULT FALSE;
BEGIN
  SELECT COUNT(*) INTO :v_loaded
  FROM C360.c360_control.seed_state AS s
  WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68';
  IF (v_loaded = 0) THEN
    BEGIN TRANSACTION;
    v_in_transaction := TRUE;
    DELETE FROM C360.ref.country
    WHERE
      TRUE;
    INSERT INTO C360.ref.country (
      code,
      name,
      since
    )
    VALUES
      ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
      ('NO', 'Norway, "Norge"', NULL);
    DELETE FROM C360.c360_control.seed_state WHERE seed = 'ref.country';
    INSERT INTO C360.c360_control.seed_state (seed, digest, loaded_at)
    SELECT 'ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68', SYSDATE();
    COMMIT;
    v_in_transaction := FALSE;
  END IF;
EXCEPTION
  WHEN OTHER THEN
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    RAISE;
END;
$$;
