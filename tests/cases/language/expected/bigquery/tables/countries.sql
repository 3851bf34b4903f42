-- c360gen | bigquery | seed ref.country | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f952ad825c26ce04bcc750b0f14d05c37c656a084163a98d16b240c57c54cfec

CREATE TABLE IF NOT EXISTS `acme-analytics`.ref.country (
  code STRING(2),
  name STRING,
  since DATE
);

-- The rows of the seed, replaced as a whole, in one transaction, when they are not what was loaded last.
IF NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68') THEN
  BEGIN
    DECLARE v_message STRING DEFAULT NULL;
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
      -- Keep the message first: the statement below would replace it.
      SET v_message = @@error.message;
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_message = v_message || ' (BigQuery had ended the transaction already)';
      END;
      RAISE USING MESSAGE = v_message;
    END;
  END;
END IF;
