-- c360gen | bigquery | run of snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 131c91266358914720863fde4a05112ee697d82e9ce86aec90440ee561e73591

-- CALL `acme-analytics`.c360_control.run_customer_snapshot(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_customer_snapshot(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
-- Rules:   a row of raw_data.customers is new or changed when any of its columns but customer_id, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.customers closes at the run time
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC004 the source is empty
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_customer_snapshot(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Brings the history customer_snapshot up to date with raw_data.customers')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.customer_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_staged_rows INT64;
  DECLARE v_absent_rows INT64;
  DECLARE v_starting_rows INT64;
  DECLARE v_closing_rows INT64;
  DECLARE v_deleted_rows INT64;
  DECLARE v_revived_rows INT64;
  DECLARE v_dated_by_run INT64;
  DECLARE v_blocked_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_unmatched_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_future_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_open_rows INT64;
  DECLARE v_new_keys INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.customers must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 7 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('first_name' AS c360_name, 'text' AS c360_family),
        STRUCT('last_name' AS c360_name, 'text' AS c360_family),
        STRUCT('email' AS c360_name, 'text' AS c360_family),
        STRUCT('phone' AS c360_name, 'text' AS c360_family),
        STRUCT('created_at' AS c360_name, 'timestamptz' AS c360_family),
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
        'ZC011 snapshots.customer_snapshot: ',
        'raw_data.customers is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.customer_snapshot: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.customers are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_customer_snapshot (
      c360_action STRING,
      c360_rows INT64,
      c360_open_from TIMESTAMP,
      c360_starts_at TIMESTAMP,
      c360_ends_at TIMESTAMP,
      customer_id INT64,
      first_name STRING,
      last_name STRING,
      email STRING,
      phone STRING,
      created_at TIMESTAMP,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    INSERT INTO stage_customer_snapshot (
      c360_action,
      c360_rows,
      c360_open_from,
      c360_starts_at,
      c360_ends_at,
      customer_id,
      first_name,
      last_name,
      email,
      phone,
      created_at,
      updated_at
    )
    SELECT
      d.c360_action,
      NULL AS c360_rows,
      d.c360_open_from,
      CASE
        WHEN d.c360_action IN ('new', 'change', 'revive')
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          ) AND d.updated_at <= v_as_of
          THEN d.updated_at
          ELSE v_as_of
        END
      END AS c360_starts_at,
      CASE
        WHEN d.c360_action = 'change'
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          ) AND d.updated_at <= v_as_of
          THEN d.updated_at
          ELSE v_as_of
        END
        WHEN d.c360_action = 'delete'
        THEN v_as_of
      END AS c360_ends_at,
      d.customer_id,
      d.first_name,
      d.last_name,
      d.email,
      d.phone,
      d.created_at,
      d.updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND l.c360_boundary > v_as_of
          THEN 'blocked'
          WHEN e.c360_action = 'new' AND l.c360_boundary IS NOT NULL
          THEN 'revive'
          ELSE e.c360_action
        END AS c360_action,
        COALESCE(e.c360_open_from, l.c360_boundary) AS c360_boundary,
        e.c360_open_from,
        e.customer_id,
        e.first_name,
        e.last_name,
        e.email,
        e.phone,
        e.created_at,
        e.updated_at
      FROM (
        SELECT
          w.c360_action,
          w.c360_open_from,
          w.customer_id,
          w.first_name,
          w.last_name,
          w.email,
          w.phone,
          w.created_at,
          w.updated_at
        FROM (
          SELECT
            CASE
              WHEN s.c360_present IS NULL
              THEN 'delete'
              WHEN s.customer_id IS NULL
              THEN 'null_key'
              WHEN s.updated_at IS NULL
              THEN 'null_time'
              WHEN s.updated_at > v_latest
              THEN 'future_time'
              WHEN o.valid_from IS NULL
              THEN 'new'
              WHEN s.first_name IS DISTINCT FROM o.first_name
              OR s.last_name IS DISTINCT FROM o.last_name
              OR s.email IS DISTINCT FROM o.email
              OR s.phone IS DISTINCT FROM o.phone
              OR s.created_at IS DISTINCT FROM o.created_at
              THEN 'change'
            END AS c360_action,
            o.valid_from AS c360_open_from,
            COALESCE(s.customer_id, o.customer_id) AS customer_id,
            s.first_name AS first_name,
            s.last_name AS last_name,
            s.email AS email,
            s.phone AS phone,
            s.created_at AS created_at,
            s.updated_at AS updated_at
          FROM (
            SELECT
              r.customer_id,
              r.first_name,
              r.last_name,
              r.email,
              r.phone,
              r.created_at,
              r.updated_at,
              TRUE AS c360_present
            FROM `acme-analytics`.raw_data.customers AS r
          ) AS s
          FULL JOIN (
            SELECT
              h.customer_id,
              h.first_name,
              h.last_name,
              h.email,
              h.phone,
              h.created_at,
              h.valid_from
            FROM `acme-analytics`.snapshots.customer_snapshot AS h
            WHERE
              h.valid_to IS NULL
          ) AS o
            ON o.customer_id = s.customer_id
        ) AS w
        WHERE
          w.c360_action IS NOT NULL
      ) AS e
      LEFT JOIN (
        SELECT
          p.customer_id,
          MAX(p.valid_to) AS c360_boundary
        FROM `acme-analytics`.snapshots.customer_snapshot AS p
        WHERE
          p.valid_to IS NOT NULL
        GROUP BY
          p.customer_id
      ) AS l
        ON l.customer_id = e.customer_id
    ) AS d
    UNION ALL
    SELECT
      'source' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS customer_id,
      NULL AS first_name,
      NULL AS last_name,
      NULL AS email,
      NULL AS phone,
      NULL AS created_at,
      NULL AS updated_at
    FROM `acme-analytics`.raw_data.customers AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS customer_id,
      NULL AS first_name,
      NULL AS last_name,
      NULL AS email,
      NULL AS phone,
      NULL AS created_at,
      NULL AS updated_at
    FROM `acme-analytics`.snapshots.customer_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SET (v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_new_rows, v_unmatched_rows, v_null_keys, v_null_times, v_future_times, v_source_rows,
         v_open_rows, v_new_keys) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN NOT s.c360_action IN ('source', 'open') THEN 1 END) AS staged_rows,
        COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS absent_rows,
        COUNT(CASE WHEN s.c360_action IN ('new', 'change', 'revive') THEN 1 END) AS starting_rows,
        COUNT(CASE WHEN s.c360_ends_at IS NOT NULL THEN 1 END) AS closing_rows,
        COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS deleted_rows,
        COUNT(CASE WHEN s.c360_action = 'revive' THEN 1 END) AS revived_rows,
        COUNT(CASE WHEN s.c360_starts_at IS NOT NULL AND s.c360_starts_at IS DISTINCT FROM s.updated_at THEN 1 END) AS dated_by_run,
        COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
        COUNT(CASE WHEN s.c360_action = 'new' THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_open_from IS NULL AND NOT s.c360_action IN ('source', 'open') THEN 1 END) AS unmatched_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(CASE WHEN s.c360_action = 'future_time' THEN 1 END) AS future_times,
        MAX(CASE WHEN s.c360_action = 'source' THEN s.c360_rows END) AS source_rows,
        MAX(CASE WHEN s.c360_action = 'open' THEN s.c360_rows END) AS open_rows,
        (
          SELECT
            COUNT(*)
          FROM (
            SELECT DISTINCT
              k.customer_id
            FROM stage_customer_snapshot AS k
            WHERE
              k.c360_action IN ('new', 'revive')
          ) AS u
        ) AS new_keys
      FROM stage_customer_snapshot AS s
    );

    -- Only where the numbers do not add up, look for the keys that occur twice.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_duplicate_keys = (
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            r.customer_id
          FROM `acme-analytics`.raw_data.customers AS r
          GROUP BY
            r.customer_id
          HAVING
            COUNT(*) > 1
        ) AS d
      );
    END IF;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 snapshots.customer_snapshot: ',
        CAST(v_null_keys AS STRING),
        ' rows of raw_data.customers have no customer_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Each key must occur once.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM (
            SELECT
              r.customer_id
            FROM `acme-analytics`.raw_data.customers AS r
            GROUP BY
              r.customer_id
            HAVING
              COUNT(*) > 1
          ) AS s
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 snapshots.customer_snapshot: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of customer_id occur in several rows of raw_data.customers',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Every row must have a time.
    IF v_null_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM stage_customer_snapshot AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 snapshots.customer_snapshot: ',
        CAST(v_null_times AS STRING),
        ' rows of raw_data.customers have no usable updated_at',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- No time may lie beyond the clock and its tolerance.
    IF v_future_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM stage_customer_snapshot AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC009 snapshots.customer_snapshot: ',
        CAST(v_future_times AS STRING),
        ' rows of raw_data.customers have updated_at later than ',
        CAST(v_latest AS STRING),
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Compare the clocks.'
      );
    END IF;

    -- An empty source is more likely a failed load than the end of everything.
    IF v_open_rows > 0 AND v_source_rows = 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC004 snapshots.customer_snapshot: ',
        'raw_data.customers is empty while ',
        CAST(v_open_rows AS STRING),
        ' versions are open',
        '. Nothing was written. Load the source first.'
      );
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM stage_customer_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC010 snapshots.customer_snapshot: ',
        CAST(v_blocked_rows AS STRING),
        ' keys have versions that begin at or end after the run time ',
        CAST(v_as_of AS STRING),
        ' and cannot be closed or followed at it',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Run again once that time has passed.'
      );
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
      UPDATE `acme-analytics`.snapshots.customer_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
      FROM stage_customer_snapshot AS s
      WHERE
        t.customer_id = s.customer_id
        AND t.valid_from = s.c360_open_from
        AND t.valid_to IS NULL
        AND s.c360_ends_at IS NOT NULL;
      IF @@row_count <> v_closing_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.customer_snapshot', ': ', CAST(v_closing_rows AS STRING), ' versions to close, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
      INSERT INTO `acme-analytics`.snapshots.customer_snapshot (
        customer_id,
        first_name,
        last_name,
        email,
        phone,
        created_at,
        updated_at,
        valid_from,
        opened_run_id
      )
      SELECT
        s.customer_id,
        s.first_name,
        s.last_name,
        s.email,
        s.phone,
        s.created_at,
        s.updated_at,
        s.c360_starts_at AS valid_from,
        v_run_id AS opened_run_id
      FROM stage_customer_snapshot AS s
      WHERE
        s.c360_action IN ('new', 'change', 'revive');
      IF @@row_count <> v_starting_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.customer_snapshot', ': ', CAST(v_starting_rows AS STRING), ' versions to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_source_rows,
      v_starting_rows,
      v_closing_rows,
      v_deleted_rows,
      v_revived_rows,
      v_source_rows - (v_staged_rows - v_absent_rows),
      v_dated_by_run
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
