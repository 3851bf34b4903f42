-- c360gen | bigquery | run of marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 917f0311d43d31773fa65184483cf0eca88736df123c9f105cc30080604c436c

-- CALL `acme-analytics`.c360_control.run_mart_customer_360(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_mart_customer_360(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: mart_customer_360_pk
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC021 a constraint does not hold
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_mart_customer_360(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Replaces the contents of mart_customer_360 by its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'marts.mart_customer_360';
  DECLARE c_spec_hash STRING DEFAULT 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_target_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_violating_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_mart_customer_360 SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_mart_customer_360 SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
      FROM `acme-analytics`.marts.mart_customer_360 AS t
    );

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM `acme-analytics`.marts.mart_customer_360 AS t
    WHERE
      TRUE;
    IF @@row_count <> v_target_rows THEN
      RAISE USING MESSAGE = CONCAT('ZC006 ', 'marts.mart_customer_360', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
    END IF;

    -- Fill it again.
    INSERT INTO `acme-analytics`.marts.mart_customer_360 (
      customer_id,
      full_name,
      email,
      order_count,
      lifetime_value,
      average_order_value,
      days_since_last_order,
      months_as_customer,
      payment_count,
      refund_rate,
      paid_amount,
      favourite_payment_method,
      interaction_count,
      last_channel,
      version_count,
      segment
    )
    SELECT
      m.customer_id,
      m.full_name,
      m.email,
      m.order_count,
      m.lifetime_value,
      m.average_order_value,
      m.days_since_last_order,
      m.months_as_customer,
      m.payment_count,
      m.refund_rate,
      m.paid_amount,
      m.favourite_payment_method,
      m.interaction_count,
      m.last_channel,
      m.version_count,
      m.segment
    FROM (
      WITH clock AS (
        SELECT
          DATE(v_as_of, 'UTC') AS today
      ), orders AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS order_count,
          SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
          ROUND(AVG(CAST(o.total_amount AS BIGNUMERIC)), 9) AS average_order_value,
          MIN(o.order_date) AS first_order_date,
          MAX(o.order_date) AS last_order_date
        FROM `acme-analytics`.intermediate.int_customer_orders AS o
        GROUP BY
          o.customer_id
      ), payments AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS payment_count,
          SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
          SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
        FROM `acme-analytics`.intermediate.int_payments AS p
        JOIN `acme-analytics`.intermediate.int_customer_orders AS o
          ON o.order_id = p.order_id
        GROUP BY
          o.customer_id
      ), methods AS (
        SELECT
          o.customer_id AS customer_id,
          p.payment_method AS payment_method,
          COUNT(*) AS used
        FROM `acme-analytics`.intermediate.int_payments AS p
        JOIN `acme-analytics`.intermediate.int_customer_orders AS o
          ON o.order_id = p.order_id
        WHERE
          p.payment_method IS NOT NULL
        GROUP BY
          o.customer_id,
          p.payment_method
      ), favourites AS (
        SELECT
          ranked.customer_id AS customer_id,
          ranked.payment_method AS payment_method
        FROM (
          SELECT
            methods.customer_id AS customer_id,
            methods.payment_method AS payment_method,
            ROW_NUMBER() OVER (
              PARTITION BY methods.customer_id
              ORDER BY methods.used DESC NULLS FIRST, methods.payment_method NULLS LAST
            ) AS position
          FROM methods AS methods
        ) AS ranked
        WHERE
          ranked.position = 1
      ), contacts AS (
        SELECT
          int_interactions.customer_id AS customer_id,
          int_interactions.channel AS channel,
          COUNT(*) OVER (PARTITION BY int_interactions.customer_id) AS interaction_count,
          ROW_NUMBER() OVER (
            PARTITION BY int_interactions.customer_id
            ORDER BY int_interactions.occurred_at DESC NULLS FIRST, int_interactions.interaction_id DESC NULLS FIRST
          ) AS recency
        FROM `acme-analytics`.intermediate.int_interactions AS int_interactions
      ), versions AS (
        SELECT
          customer_snapshot.customer_id AS customer_id,
          COUNT(*) AS version_count
        FROM `acme-analytics`.snapshots.customer_snapshot AS customer_snapshot
        GROUP BY
          customer_snapshot.customer_id
      )
      SELECT
        c.customer_id AS customer_id,
        CAST(TRIM(c.first_name, ' ') || ' ' || TRIM(c.last_name, ' ') AS STRING) AS full_name,
        c.email AS email,
        CAST(COALESCE(o.order_count, 0) AS INT64) AS order_count,
        ROUND(CAST(COALESCE(o.lifetime_value, 0) AS BIGNUMERIC), 2) AS lifetime_value,
        ROUND(CAST(o.average_order_value AS BIGNUMERIC), 2) AS average_order_value,
        CAST(DATE_DIFF(clock.today, o.last_order_date, DAY) AS INT64) AS days_since_last_order,
        CAST(DIV((
          DATE_DIFF(clock.today, o.first_order_date, DAY)
        ), 30) AS INT64) AS months_as_customer,
        CAST(COALESCE(p.payment_count, 0) AS INT64) AS payment_count,
        ROUND(
          CAST(ROUND(CAST(ROUND(CAST(p.refund_count AS NUMERIC), 4) AS BIGNUMERIC) / NULLIF(p.payment_count, 0), 9) AS NUMERIC),
          4
        ) AS refund_rate,
        ROUND(CAST(COALESCE(p.paid_amount, 0) AS BIGNUMERIC), 2) AS paid_amount,
        f.payment_method AS favourite_payment_method,
        CAST(COALESCE(k.interaction_count, 0) AS INT64) AS interaction_count,
        k.channel AS last_channel,
        CAST(v.version_count AS INT64) AS version_count,
        CAST(CASE
          WHEN o.order_count IS NULL
          THEN 'prospect'
          WHEN o.lifetime_value >= 500
          THEN 'gold'
          WHEN DATE_DIFF(clock.today, o.last_order_date, DAY) <= 90
          THEN 'active'
          ELSE 'dormant'
        END AS STRING) AS segment
      FROM `acme-analytics`.snapshots.customer_snapshot AS c
      CROSS JOIN clock AS clock
      JOIN versions AS v
        ON v.customer_id = c.customer_id
      LEFT JOIN orders AS o
        ON o.customer_id = c.customer_id
      LEFT JOIN payments AS p
        ON p.customer_id = c.customer_id
      LEFT JOIN favourites AS f
        ON f.customer_id = c.customer_id
      LEFT JOIN contacts AS k
        ON k.customer_id = c.customer_id AND k.recency = 1
      WHERE
        c.valid_to IS NULL
    ) AS m;

    -- Count the rows that came.
    SET v_new_rows = (
      SELECT
        COUNT(*) AS new_rows
      FROM `acme-analytics`.marts.mart_customer_360 AS t
    );

    -- Constraint mart_customer_360_pk: customer_id is unique and never NULL.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.customer_id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.marts.mart_customer_360 AS t
        GROUP BY
          t.customer_id
        HAVING
          COUNT(*) > 1 OR t.customer_id IS NULL
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
              COALESCE(CAST(t.customer_id AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.marts.mart_customer_360 AS t
            GROUP BY
              t.customer_id
            HAVING
              COUNT(*) > 1 OR t.customer_id IS NULL
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 marts.mart_customer_360: ',
        CAST(v_violating_rows AS STRING),
        ' values of customer_id break the constraint mart_customer_360_pk: customer_id is unique and never NULL',
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
