-- c360gen | bigquery | run of analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f862d3e71feb051cbe9b93c2be971e811fd0cd3766dfab9751b96fb58d8cbf19

-- CALL `acme-analytics`.c360_control.run_customers(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_customers(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: customers_pk, customers_email_uq
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC021 a constraint does not hold
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_customers(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Replaces the contents of customers by its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'analytics.customers';
  DECLARE c_spec_hash STRING DEFAULT '66af08f6696b199e6f90da8675b7f122c40f389a4bba02393afbcd771b3a7591';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_target_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_violating_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of shop.customers must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('id' AS c360_name, 'integer' AS c360_family),
        STRUCT('email' AS c360_name, 'text' AS c360_family),
        STRUCT('country' AS c360_name, 'text' AS c360_family),
        STRUCT('updated_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'customers'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 analytics.customers: ',
        'shop.customers is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 analytics.customers: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of shop.customers are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_customers SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_customers SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;

    -- Count the rows that go.
    SET v_target_rows = (
      SELECT
        COUNT(*) AS target_rows
      FROM `acme-analytics`.analytics.customers AS t
    );

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM `acme-analytics`.analytics.customers AS t
    WHERE
      TRUE;
    IF @@row_count <> v_target_rows THEN
      RAISE USING MESSAGE = CONCAT('ZC006 ', 'analytics.customers', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
    END IF;

    -- Fill it again.
    INSERT INTO `acme-analytics`.analytics.customers (
      id,
      email,
      country
    )
    SELECT
      m.id,
      m.email,
      m.country
    FROM (
      SELECT
        c.id AS id,
        c.email AS email,
        n.name AS country
      FROM `acme-analytics`.raw.customers AS c
      LEFT JOIN `acme-analytics`.ref.country AS n
        ON n.code = c.country
    ) AS m;

    -- Count the rows that came.
    SET v_new_rows = (
      SELECT
        COUNT(*) AS new_rows
      FROM `acme-analytics`.analytics.customers AS t
    );

    -- Constraint customers_pk: id is unique and never NULL.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.analytics.customers AS t
        GROUP BY
          t.id
        HAVING
          COUNT(*) > 1 OR t.id IS NULL
      ) AS b
    );

    -- The engine itself does not look at it.
    IF v_violating_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            CAST(b.c360_key_1 AS STRING) AS c360_key
          FROM (
            SELECT
              COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.analytics.customers AS t
            GROUP BY
              t.id
            HAVING
              COUNT(*) > 1 OR t.id IS NULL
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 analytics.customers: ',
        CAST(v_violating_rows AS STRING),
        ' values of id break the constraint customers_pk: id is unique and never NULL',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
    END IF;

    -- Constraint customers_email_uq: email is unique.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.email AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.analytics.customers AS t
        WHERE
          t.email IS NOT NULL
        GROUP BY
          t.email
        HAVING
          COUNT(*) > 1
      ) AS b
    );

    -- The engine itself does not look at it.
    IF v_violating_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            CAST(b.c360_key_1 AS STRING) AS c360_key
          FROM (
            SELECT
              COALESCE(CAST(t.email AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.analytics.customers AS t
            WHERE
              t.email IS NOT NULL
            GROUP BY
              t.email
            HAVING
              COUNT(*) > 1
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 analytics.customers: ',
        CAST(v_violating_rows AS STRING),
        ' values of email break the constraint customers_email_uq: email is unique',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      inserted_rows, deleted_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_new_rows,
      v_target_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;
