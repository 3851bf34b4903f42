-- c360gen | bigquery | run of int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0a94bf6f4cd2419ddf2376b867314d4555ddb83da13c5b8fa8862d63eb62e66f

-- CALL `acme-analytics`.c360_control.run_table(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_table(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_table(NULL, TRUE);
--      replaces every row, in one transaction
-- Rules:   a row of a known group is updated where any column differs, a new one inserted, a missing one kept
--          rows that share group must be equal, and count once
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
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_table(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings table up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'int.limit';
  DECLARE c_spec_hash STRING DEFAULT 'ffda4eac478e1dfb4916c578c9182132d5e7fd5904eae8ccf410f3c5ba94bf5a';
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
    -- The columns of raw.order must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('group' AS c360_name, 'integer' AS c360_family),
        STRUCT('select' AS c360_name, 'text' AS c360_family),
        STRUCT(LOWER('Größe') AS c360_name, 'text' AS c360_family),
        STRUCT('two words' AS c360_name, 'text' AS c360_family),
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
          c.table_name = 'order'
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
        'ZC011 int.limit: ',
        'raw.order is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 int.limit: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw.order are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_table (
      c360_action STRING,
      c360_copies INT64,
      c360_position INT64,
      `group` INT64,
      `select` STRING,
      `Größe` STRING,
      `two words` STRING,
      remark STRING,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_table SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_table SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
    INSERT INTO stage_table (
      c360_action,
      c360_copies,
      c360_position,
      `group`,
      `select`,
      `Größe`,
      `two words`,
      remark,
      updated_at
    )
    SELECT
      CASE
        WHEN b.`group` IS NULL
        THEN 'null_key'
        WHEN t.`group` IS NULL
        THEN 'insert'
        WHEN b.`select` IS DISTINCT FROM t.`select`
        OR b.`Größe` IS DISTINCT FROM t.`Größe`
        OR b.`two words` IS DISTINCT FROM t.`two words`
        OR b.remark IS DISTINCT FROM t.remark
        OR b.updated_at IS DISTINCT FROM t.updated_at
        THEN 'update'
        ELSE 'same'
      END AS c360_action,
      b.c360_copies,
      b.c360_position,
      b.`group`,
      b.`select`,
      b.`Größe`,
      b.`two words`,
      b.remark,
      b.updated_at
    FROM (
      SELECT
        m.`group`,
        m.`select`,
        m.`Größe`,
        m.`two words`,
        m.remark,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.`group`) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.`group` ORDER BY m.`group` NULLS LAST) AS c360_position
      FROM (
        SELECT
          o.`group` AS `group`,
          o.`select` AS `select`,
          o.`Größe` AS `Größe`,
          o.`two words` AS `two words`,
          CAST('it\'s $x$ 100% \\ --' AS STRING) AS remark,
          o.updated_at AS updated_at
        FROM `acme-analytics`.raw.`order` AS o
      ) AS m
    ) AS b
    LEFT JOIN `acme-analytics`.int.`limit` AS t
      ON t.`group` = b.`group` AND NOT v_full_refresh;

    -- Count what was decided.
    SET (v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
        COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(*) AS source_rows
      FROM stage_table AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 int.limit: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of table have no group',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Rows that share a key must be equal in every column.
    SET v_duplicate_keys = (
      SELECT
        COUNT(*) AS duplicate_keys
      FROM (
        SELECT
          d.`group`
        FROM (
          SELECT DISTINCT
            s.`group`,
            s.`select`,
            s.`Größe`,
            s.`two words`,
            s.remark,
            s.updated_at
          FROM stage_table AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ) AS d
        GROUP BY
          d.`group`
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
            COALESCE(CAST(s.`group` AS STRING), 'NULL') AS c360_key
          FROM stage_table AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 int.limit: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of group occur in several rows that differ',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.int.`limit` AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.int.`limit` AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.limit', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
      UPDATE `acme-analytics`.int.`limit` AS t SET `select` = s.`select`, `Größe` = s.`Größe`, `two words` = s.`two words`, remark = s.remark, updated_at = s.updated_at
      FROM stage_table AS s
      WHERE
        t.`group` = s.`group` AND s.c360_action = 'update' AND s.c360_position = 1;
      IF @@row_count <> v_updated_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.limit', ': ', CAST(v_updated_rows AS STRING), ' rows to update, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.int.`limit` (
        `group`,
        `select`,
        `Größe`,
        `two words`,
        remark,
        updated_at
      )
      SELECT
        s.`group`,
        s.`select`,
        s.`Größe`,
        s.`two words`,
        s.remark,
        s.updated_at
      FROM stage_table AS s
      WHERE
        s.c360_action = 'insert' AND s.c360_position = 1;
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.limit', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
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
