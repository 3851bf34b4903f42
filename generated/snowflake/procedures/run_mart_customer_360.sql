-- c360gen | snowflake | run of marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: fe099ab7e0f7fa66d449281f7c3eb292dbb5457880a6afceb7ba6e7f1a397397

CREATE OR REPLACE PROCEDURE C360.c360_control.run_mart_customer_360(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Replaces the contents of mart_customer_360 by its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_mart_customer_360();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_mart_customer_360('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: mart_customer_360_pk
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC021 a constraint does not hold
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'marts.mart_customer_360';
  c_spec_hash VARCHAR DEFAULT 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_target_rows NUMBER(18, 0) DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_violating_rows NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_mart_customer_360
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_mart_customer_360 AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;

  -- Count the rows that go.
  SELECT
    q.target_rows
  INTO
    :v_target_rows
  FROM (
    SELECT
      COUNT(*) AS target_rows
    FROM C360.marts.mart_customer_360 AS t
  ) AS q;

  -- Empty the table; readers see its rows until the commit.
  DELETE FROM C360.marts.mart_customer_360 AS t
  WHERE
    TRUE;
  v_written := SQLROWCOUNT;
  IF (v_written <> v_target_rows) THEN
    v_message := 'ZC006 ' || 'marts.mart_customer_360' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
    RAISE guard_failed;
  END IF;

  -- Fill it again.
  INSERT INTO C360.marts.mart_customer_360 (
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
        CAST(:v_as_of AS DATE) AS today
    ), orders AS (
      SELECT
        o.customer_id AS customer_id,
        COUNT(*) AS order_count,
        SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
        ROUND(CAST(SUM(o.total_amount) AS NUMBER(38, 9)) / NULLIF(COUNT(o.total_amount), 0), 9) AS average_order_value,
        MIN(o.order_date) AS first_order_date,
        MAX(o.order_date) AS last_order_date
      FROM C360.intermediate.int_customer_orders AS o
      GROUP BY
        o.customer_id
    ), payments AS (
      SELECT
        o.customer_id AS customer_id,
        COUNT(*) AS payment_count,
        SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
        SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
      FROM C360.intermediate.int_payments AS p
      JOIN C360.intermediate.int_customer_orders AS o
        ON o.order_id = p.order_id
      GROUP BY
        o.customer_id
    ), methods AS (
      SELECT
        o.customer_id AS customer_id,
        p.payment_method AS payment_method,
        COUNT(*) AS used
      FROM C360.intermediate.int_payments AS p
      JOIN C360.intermediate.int_customer_orders AS o
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
          ROW_NUMBER() OVER (PARTITION BY methods.customer_id ORDER BY methods.used DESC, methods.payment_method) AS position
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
          ORDER BY int_interactions.occurred_at DESC, int_interactions.interaction_id DESC
        ) AS recency
      FROM C360.intermediate.int_interactions AS int_interactions
    ), versions AS (
      SELECT
        customer_snapshot.customer_id AS customer_id,
        COUNT(*) AS version_count
      FROM C360.snapshots.customer_snapshot AS customer_snapshot
      GROUP BY
        customer_snapshot.customer_id
    )
    SELECT
      c.customer_id AS customer_id,
      CAST(TRIM(c.first_name) || ' ' || TRIM(c.last_name) AS VARCHAR) AS full_name,
      c.email AS email,
      CAST(COALESCE(o.order_count, 0) AS NUMBER(38, 0)) AS order_count,
      CAST(COALESCE(o.lifetime_value, 0) AS NUMBER(38, 2)) AS lifetime_value,
      CAST(o.average_order_value AS NUMBER(38, 2)) AS average_order_value,
      CAST(DATEDIFF(DAY, o.last_order_date, clock.today) AS NUMBER(38, 0)) AS days_since_last_order,
      CAST(CAST((
        (
          DATEDIFF(DAY, o.first_order_date, clock.today)
        ) - (
          DATEDIFF(DAY, o.first_order_date, clock.today)
        ) % 30
      ) / 30 AS NUMBER(38, 0)) AS NUMBER(38, 0)) AS months_as_customer,
      CAST(COALESCE(p.payment_count, 0) AS NUMBER(38, 0)) AS payment_count,
      CAST(ROUND(CAST(CAST(p.refund_count AS NUMBER(12, 4)) AS NUMBER(38, 9)) / NULLIF(p.payment_count, 0), 9) AS NUMBER(9, 4)) AS refund_rate,
      CAST(COALESCE(p.paid_amount, 0) AS NUMBER(38, 2)) AS paid_amount,
      f.payment_method AS favourite_payment_method,
      CAST(COALESCE(k.interaction_count, 0) AS NUMBER(38, 0)) AS interaction_count,
      k.channel AS last_channel,
      CAST(v.version_count AS NUMBER(38, 0)) AS version_count,
      CAST(CASE
        WHEN o.order_count IS NULL
        THEN 'prospect'
        WHEN o.lifetime_value >= 500
        THEN 'gold'
        WHEN DATEDIFF(DAY, o.last_order_date, clock.today) <= 90
        THEN 'active'
        ELSE 'dormant'
      END AS VARCHAR) AS segment
    FROM C360.snapshots.customer_snapshot AS c
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
  SELECT
    q.new_rows
  INTO
    :v_new_rows
  FROM (
    SELECT
      COUNT(*) AS new_rows
    FROM C360.marts.mart_customer_360 AS t
  ) AS q;

  -- Constraint mart_customer_360_pk: customer_id is unique and never NULL.
  SELECT
    q.violating_rows
  INTO
    :v_violating_rows
  FROM (
    SELECT
      COUNT(*) AS violating_rows
    FROM (
      SELECT
        COALESCE(CAST(t.customer_id AS VARCHAR), 'NULL') AS c360_key_1
      FROM C360.marts.mart_customer_360 AS t
      GROUP BY
        t.customer_id
      HAVING
        COUNT(*) > 1 OR t.customer_id IS NULL
    ) AS b
  ) AS q;

  -- The engine itself does not look at it.
  IF (v_violating_rows > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          CAST(b.c360_key_1 AS VARCHAR) AS c360_key
        FROM (
          SELECT
            COALESCE(CAST(t.customer_id AS VARCHAR), 'NULL') AS c360_key_1
          FROM C360.marts.mart_customer_360 AS t
          GROUP BY
            t.customer_id
          HAVING
            COUNT(*) > 1 OR t.customer_id IS NULL
        ) AS b
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC021 marts.mart_customer_360: '
      || v_violating_rows
      || ' values of customer_id break the constraint mart_customer_360_pk: customer_id is unique and never NULL'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source, or take the constraint away.';
    RAISE guard_failed;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, NULL, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by,
    inserted_rows, deleted_rows
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_new_rows,
    :v_target_rows
  ;
  UPDATE C360.c360_control.lock_mart_customer_360 SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;
