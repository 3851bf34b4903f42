-- c360gen | bigquery | seed ref.country | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b9a233fe70edf4d913e8dd8827c55563e978bb32821dc6939dbc644179e75e3a

CREATE TABLE IF NOT EXISTS `acme-analytics`.ref.country (
  code STRING(2),
  name STRING,
  since DATE
);

-- The rows of the seed, replaced as a whole, in one transaction, when they are not what was loaded last.
IF NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68') THEN
  BEGIN
    BEGIN TRANSACTION;
    DELETE FROM `acme-analytics`.ref.country
    WHERE
      TRUE;
    INSERT INTO `acme-analytics`.ref.country (
      code,
      name,
      since
    )
    VALUES
      ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
      ('NO', 'Norway, "Norge"', NULL);
    DELETE FROM `acme-analytics`.c360_control.seed_state WHERE seed = 'ref.country';
    INSERT INTO `acme-analytics`.c360_control.seed_state (seed, digest, loaded_at)
    SELECT 'ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68', CURRENT_TIMESTAMP();
    COMMIT TRANSACTION;
  EXCEPTION WHEN ERROR THEN
    ROLLBACK TRANSACTION;
    RAISE USING MESSAGE = @@error.message;
  END;
END IF;
