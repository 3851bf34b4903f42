-- c360gen | bigquery | run of intermediate.int_customer_orders | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 38828c1ae2f54b95ebd4a75f8e7b26078e27d85d5b88368a142806c62f2732bd

-- CALL `acme-analytics`.c360_control.run_int_customer_orders(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_int_customer_orders(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_int_customer_orders(NULL, TRUE);
--      replaces every row, in one transaction
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          a row of a known order_id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share order_id must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_int_customer_orders(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings int_customer_orders up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'intermediate.int_customer_orders';
  DECLARE c_spec_hash STRING DEFAULT '084cae8c45ae0c146be65ef963062d0174d8efc5153b85bb91623a82dd9f5eb2';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_full_refresh BOOL DEFAULT COALESCE(p_full_refresh, FALSE);
  DECLARE v_incremental BOOL;
  DECLARE v_watermark TIMESTAMP;
  DECLARE v_window_start TIMESTAMP;
  DECLARE v_next_watermark TIMESTAMP;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_new_rows INT64;
  DECLARE v_updated_rows INT64;
  DECLARE v_older_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_newest TIMESTAMP;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_target_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.orders must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('order_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('order_date' AS c360_name, 'date' AS c360_family),
        STRUCT('status' AS c360_name, 'text' AS c360_family),
        STRUCT('total_amount' AS c360_name, 'number' AS c360_family),
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
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'orders'
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
        'ZC011 intermediate.int_customer_orders: ',
        'raw_data.orders is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_customer_orders: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.orders are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_int_customer_orders (
      c360_action STRING,
      c360_copies INT64,
      c360_position INT64,
      order_id INT64,
      customer_id INT64,
      order_date DATE,
      status STRING,
      total_amount NUMERIC(12, 2),
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_int_customer_orders SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_int_customer_orders SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
    SET v_watermark = (
      SELECT MAX(w.cursor_value)
      FROM `acme-analytics`.c360_control.watermark AS w
      WHERE w.node = c_node
        AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM `acme-analytics`.c360_control.watermark AS l WHERE l.node = c_node)
    );
    IF v_incremental THEN
      SET v_window_start = TIMESTAMP_SUB(v_watermark, INTERVAL 259200 SECOND);
    END IF;

    -- Read the batch once and look its keys up in the target.
    INSERT INTO stage_int_customer_orders (
      c360_action,
      c360_copies,
      c360_position,
      order_id,
      customer_id,
      order_date,
      status,
      total_amount,
      updated_at
    )
    SELECT
      CASE
        WHEN b.order_id IS NULL
        THEN 'null_key'
        WHEN b.updated_at IS NULL
        THEN 'null_time'
        WHEN t.order_id IS NULL
        THEN 'insert'
        WHEN b.customer_id IS DISTINCT FROM t.customer_id
        OR b.order_date IS DISTINCT FROM t.order_date
        OR b.status IS DISTINCT FROM t.status
        OR b.total_amount IS DISTINCT FROM t.total_amount
        OR b.updated_at IS DISTINCT FROM t.updated_at
        THEN 'update'
        ELSE 'same'
      END AS c360_action,
      b.c360_copies,
      b.c360_position,
      b.order_id,
      b.customer_id,
      b.order_date,
      b.status,
      b.total_amount,
      b.updated_at
    FROM (
      SELECT
        m.order_id,
        m.customer_id,
        m.order_date,
        m.status,
        ROUND(CAST(m.total_amount AS NUMERIC), 2) AS total_amount,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.order_id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.order_id ORDER BY m.order_id NULLS LAST) AS c360_position
      FROM (
        SELECT
          stg_orders.order_id AS order_id,
          stg_orders.customer_id AS customer_id,
          stg_orders.order_date AS order_date,
          stg_orders.status AS status,
          stg_orders.total_amount AS total_amount,
          stg_orders.updated_at AS updated_at
        FROM `acme-analytics`.staging.stg_orders AS stg_orders
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b
    LEFT JOIN `acme-analytics`.intermediate.int_customer_orders AS t
      ON t.order_id = b.order_id AND NOT v_full_refresh;

    -- Count what was decided.
    SET (v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows, v_newest) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
        COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(*) AS source_rows,
        MAX(s.updated_at) AS newest
      FROM stage_int_customer_orders AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 intermediate.int_customer_orders: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of int_customer_orders have no order_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS STRING), 'NULL') AS c360_key
          FROM stage_int_customer_orders AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 intermediate.int_customer_orders: ',
        CAST(v_null_times AS STRING),
        ' rows of the query of int_customer_orders have no usable updated_at',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Rows that share a key must be equal in every column.
    SET v_duplicate_keys = (
      SELECT
        COUNT(*) AS duplicate_keys
      FROM (
        SELECT
          d.order_id
        FROM (
          SELECT DISTINCT
            s.order_id,
            s.customer_id,
            s.order_date,
            s.status,
            s.total_amount,
            s.updated_at
          FROM stage_int_customer_orders AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ) AS d
        GROUP BY
          d.order_id
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
            COALESCE(CAST(s.order_id AS STRING), 'NULL') AS c360_key
          FROM stage_int_customer_orders AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 intermediate.int_customer_orders: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of order_id occur in several rows that differ',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.intermediate.int_customer_orders AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.intermediate.int_customer_orders AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_customer_orders', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
      UPDATE `acme-analytics`.intermediate.int_customer_orders AS t SET customer_id = s.customer_id, order_date = s.order_date, status = s.status, total_amount = s.total_amount, updated_at = s.updated_at
      FROM stage_int_customer_orders AS s
      WHERE
        t.order_id = s.order_id AND s.c360_action = 'update' AND s.c360_position = 1;
      IF @@row_count <> v_updated_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_customer_orders', ': ', CAST(v_updated_rows AS STRING), ' rows to update, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.intermediate.int_customer_orders (
        order_id,
        customer_id,
        order_date,
        status,
        total_amount,
        updated_at
      )
      SELECT
        s.order_id,
        s.customer_id,
        s.order_date,
        s.status,
        s.total_amount,
        s.updated_at
      FROM stage_int_customer_orders AS s
      WHERE
        s.c360_action = 'insert' AND s.c360_position = 1;
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_customer_orders', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    SET v_next_watermark = CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
    IF NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark) THEN
      SET v_next_watermark = v_watermark;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, v_next_watermark, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, watermark_before, watermark_after,
      source_rows, inserted_rows, updated_rows, deleted_rows, unchanged_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_watermark, v_next_watermark,
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
