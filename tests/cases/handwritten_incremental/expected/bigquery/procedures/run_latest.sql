-- c360gen | bigquery | run of int.latest | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 983ea8d53e36a38bbb76a197590aaddf54f6658be47a4d6e74beeecf15268f8d

-- CALL `acme-analytics`.c360_control.run_latest(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_latest(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_latest(NULL, TRUE);
--      replaces every row, in one transaction
-- Rules:   a row of a known id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share id must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_latest(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings latest up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'int.latest';
  DECLARE c_spec_hash STRING DEFAULT 'aa99845f4237a374d01c2cfa334d2640825d42c4d6ca5181dd8e86a61f86176c';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_full_refresh BOOL DEFAULT COALESCE(p_full_refresh, FALSE);
  DECLARE v_incremental BOOL;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_new_rows INT64;
  DECLARE v_updated_rows INT64;
  DECLARE v_older_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_target_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw.customers must be there, of the kind that is declared.
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
        STRUCT('city' AS c360_name, 'text' AS c360_family),
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
        'ZC011 int.latest: ',
        'raw.customers is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 int.latest: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw.customers are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_latest (
      c360_action STRING,
      c360_copies INT64,
      c360_position INT64,
      id INT64,
      email STRING,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_latest SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_latest SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
    SET v_incremental = v_last_as_of IS NOT NULL AND NOT v_full_refresh;

    -- Read the batch once and look its keys up in the target.
    IF NOT v_incremental THEN
      INSERT INTO stage_latest (
        c360_action,
        c360_copies,
        c360_position,
        id,
        email,
        updated_at
      )
      SELECT
        CASE
          WHEN b.id IS NULL
          THEN 'null_key'
          WHEN t.id IS NULL
          THEN 'insert'
          WHEN b.email IS DISTINCT FROM t.email OR b.updated_at IS DISTINCT FROM t.updated_at
          THEN 'update'
          ELSE 'same'
        END AS c360_action,
        b.c360_copies,
        b.c360_position,
        b.id,
        b.email,
        b.updated_at
      FROM (
        SELECT
          m.id,
          m.email,
          m.updated_at,
          COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
          ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id NULLS LAST) AS c360_position
        FROM (
          SELECT
            customers.id AS id,
            customers.email AS email,
            customers.updated_at AS updated_at
          FROM `acme-analytics`.raw.customers AS customers
        ) AS m
      ) AS b
      LEFT JOIN `acme-analytics`.int.latest AS t
        ON t.id = b.id AND NOT v_full_refresh;
    END IF;

    -- Read the batch once and look its keys up in the target.
    IF v_incremental THEN
      INSERT INTO stage_latest (
        c360_action,
        c360_copies,
        c360_position,
        id,
        email,
        updated_at
      )
      SELECT
        CASE
          WHEN b.id IS NULL
          THEN 'null_key'
          WHEN t.id IS NULL
          THEN 'insert'
          WHEN b.email IS DISTINCT FROM t.email OR b.updated_at IS DISTINCT FROM t.updated_at
          THEN 'update'
          ELSE 'same'
        END AS c360_action,
        b.c360_copies,
        b.c360_position,
        b.id,
        b.email,
        b.updated_at
      FROM (
        SELECT
          m.id,
          m.email,
          m.updated_at,
          COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
          ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id NULLS LAST) AS c360_position
        FROM (
          SELECT
            customers.id AS id,
            customers.email AS email,
            customers.updated_at AS updated_at
          FROM `acme-analytics`.raw.customers AS customers
          WHERE
            customers.updated_at > (
              SELECT
                MAX(t.updated_at) AS _col_0
              FROM `acme-analytics`.int.latest AS t
            )
        ) AS m
      ) AS b
      LEFT JOIN `acme-analytics`.int.latest AS t
        ON t.id = b.id AND NOT v_full_refresh;
    END IF;

    -- Count what was decided.
    SET (v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
        COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(*) AS source_rows
      FROM stage_latest AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 int.latest: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of latest have no id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Rows that share a key must be equal in every column.
    SET v_duplicate_keys = (
      SELECT
        COUNT(*) AS duplicate_keys
      FROM (
        SELECT
          d.id
        FROM (
          SELECT DISTINCT
            s.id,
            s.email,
            s.updated_at
          FROM stage_latest AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ) AS d
        GROUP BY
          d.id
        HAVING
          COUNT(*) > 1
      ) AS r
    );

    -- Which of two different rows would win would be chance.
    IF v_duplicate_keys > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.id AS STRING), 'NULL') AS c360_key
          FROM stage_latest AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 int.latest: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of id occur in several rows that differ',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.int.latest AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.int.latest AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.latest', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
      UPDATE `acme-analytics`.int.latest AS t SET email = s.email, updated_at = s.updated_at
      FROM stage_latest AS s
      WHERE
        t.id = s.id AND s.c360_action = 'update' AND s.c360_position = 1;
      IF @@row_count <> v_updated_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.latest', ': ', CAST(v_updated_rows AS STRING), ' rows to update, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.int.latest (
        id,
        email,
        updated_at
      )
      SELECT
        s.id,
        s.email,
        s.updated_at
      FROM stage_latest AS s
      WHERE
        s.c360_action = 'insert' AND s.c360_position = 1;
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.latest', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      source_rows, inserted_rows, updated_rows, deleted_rows, unchanged_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_source_rows,
      v_new_rows,
      v_updated_rows,
      CASE WHEN v_full_refresh THEN v_target_rows ELSE 0 END,
      v_source_rows - v_new_rows - v_updated_rows - v_older_rows
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
