-- c360gen | postgres | run of marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d5702c7590b1182aef9a9fc76abeb696fb0ca29314382a3fea7bff956fb1c653

-- Replaces the contents of mart_customer_360 by its query.
--
--   CALL c360_control.run_mart_customer_360();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_mart_customer_360('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_mart_customer_360();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_mart_customer_360(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'  -- what is cast to text is the same in every session
SET intervalstyle = 'postgres'
SET extra_float_digits = '1'
SET lock_timeout = '10s'
SET row_security = 'off'  -- what a policy hides would look deleted: the run fails instead
SET plan_cache_mode = 'force_custom_plan'  -- each run is planned for its own window
SET jit = 'off'  -- compiling costs more than it saves
SET work_mem = '64MB'
AS $$
DECLARE
    c_node CONSTANT TEXT := 'marts.mart_customer_360';
    c_spec_hash CONSTANT TEXT := 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_target_rows BIGINT;
    v_new_rows BIGINT;
    v_rows BIGINT;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC007',
            MESSAGE = format('%s must run under READ COMMITTED, not %s', c_node, current_setting('transaction_isolation')),
            HINT = 'A snapshot from before the lock would not see the run before.';
    END IF;

    -- 1. Lock: the run's own log row first, so that others see that it lives, then the node's row. Each is a statement of its
    --    own, so that every later one sees what the run before has committed.
    PERFORM 1
       FROM c360_control.run_log AS l
      WHERE l.run_id = p_run_id AND l.node = c_node AND l.backend_pid = pg_backend_pid() AND l.status IN ('running', 'abandoned')
        FOR UPDATE;
    IF p_run_id IS NOT NULL AND NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s: %s is not an open run of this session', c_node, p_run_id),
            HINT = 'Leave p_run_id NULL: the run opens its own row of the log.';
    END IF;
    SELECT s.watermark, s.last_as_of INTO v_watermark, v_last_as_of
      FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC008',
            MESSAGE = format('%s is not deployed', c_node),
            HINT = 'Run deploy.sql first.';
    END IF;
    IF p_run_id IS NULL THEN
        p_run_id := c360_control.run_begin(c_node, c_spec_hash, p_as_of);
    END IF;
    v_run_id := p_run_id;
    PERFORM set_config('lock_timeout', '5min', TRUE);  -- ten seconds are for waiting, not for throwing work away

    -- 2. The run time, read after the lock: a run that waited is not older than the run it waited for.
    v_as_of := COALESCE(p_as_of, clock_timestamp());
    v_latest := v_as_of + c_tolerance;
    IF v_as_of < v_last_as_of OR v_as_of > clock_timestamp() + c_tolerance THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC005',
            MESSAGE = format('%s: the run time %s is %s', c_node, v_as_of,
                CASE WHEN v_as_of < v_last_as_of THEN format('before that of the last run, %s', v_last_as_of) ELSE 'in the future' END),
            HINT = 'Nothing was written. Repeat runs in ascending order of p_as_of.';
    END IF;

    -- Count the rows that go.
    SELECT
      COUNT(*) AS target_rows
    FROM marts.mart_customer_360 AS t
    INTO v_target_rows;

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM marts.mart_customer_360 AS t
    WHERE
      TRUE;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows <> v_target_rows THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC006',
            MESSAGE = format('%s: %s rows to remove, %s found', c_node, v_target_rows, v_rows),
            HINT = 'Nothing was written. Somebody else writes to the table; call again.';
    END IF;

    -- Fill it again.
    INSERT INTO marts.mart_customer_360 (
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
          CAST(v_as_of AT TIME ZONE 'UTC' AS DATE) AS today
      ), orders AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS order_count,
          SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
          ROUND(AVG(o.total_amount), 9) AS average_order_value,
          MIN(o.order_date) AS first_order_date,
          MAX(o.order_date) AS last_order_date
        FROM intermediate.int_customer_orders AS o
        GROUP BY
          o.customer_id
      ), payments AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS payment_count,
          SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
          SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
        FROM intermediate.int_payments AS p
        JOIN intermediate.int_customer_orders AS o
          ON o.order_id = p.order_id
        GROUP BY
          o.customer_id
      ), methods AS (
        SELECT
          o.customer_id AS customer_id,
          p.payment_method AS payment_method,
          COUNT(*) AS used
        FROM intermediate.int_payments AS p
        JOIN intermediate.int_customer_orders AS o
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
        FROM intermediate.int_interactions AS int_interactions
      ), versions AS (
        SELECT
          customer_snapshot.customer_id AS customer_id,
          COUNT(*) AS version_count
        FROM snapshots.customer_snapshot AS customer_snapshot
        GROUP BY
          customer_snapshot.customer_id
      )
      SELECT
        c.customer_id AS customer_id,
        CAST(TRIM(c.first_name) || ' ' || TRIM(c.last_name) AS TEXT) AS full_name,
        c.email AS email,
        CAST(COALESCE(o.order_count, 0) AS BIGINT) AS order_count,
        CAST(COALESCE(o.lifetime_value, 0) AS DECIMAL(38, 2)) AS lifetime_value,
        CAST(o.average_order_value AS DECIMAL(38, 2)) AS average_order_value,
        CAST(clock.today - o.last_order_date AS BIGINT) AS days_since_last_order,
        CAST((
          clock.today - o.first_order_date
        ) / 30 AS BIGINT) AS months_as_customer,
        CAST(COALESCE(p.payment_count, 0) AS BIGINT) AS payment_count,
        CAST(ROUND(CAST(p.refund_count AS DECIMAL(12, 4)) / NULLIF(p.payment_count, 0), 9) AS DECIMAL(9, 4)) AS refund_rate,
        CAST(COALESCE(p.paid_amount, 0) AS DECIMAL(38, 2)) AS paid_amount,
        f.payment_method AS favourite_payment_method,
        CAST(COALESCE(k.interaction_count, 0) AS BIGINT) AS interaction_count,
        k.channel AS last_channel,
        CAST(v.version_count AS BIGINT) AS version_count,
        CAST(CASE
          WHEN o.order_count IS NULL
          THEN 'prospect'
          WHEN o.lifetime_value >= 500
          THEN 'gold'
          WHEN clock.today - o.last_order_date <= 90
          THEN 'active'
          ELSE 'dormant'
        END AS TEXT) AS segment
      FROM snapshots.customer_snapshot AS c
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
      COUNT(*) AS new_rows
    FROM marts.mart_customer_360 AS t
    INTO v_new_rows;

    -- Book-keeping, in the transaction of the data.
    IF v_last_as_of IS NULL THEN
        ANALYZE marts.mart_customer_360;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           inserted_rows = v_new_rows,
           deleted_rows = v_target_rows,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_mart_customer_360(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_mart_customer_360(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
DECLARE
    v_run_id BIGINT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
    v_context TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_mart_customer_360()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('marts.mart_customer_360', 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_mart_customer_360(v_run_id, p_as_of);
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN  -- OTHERS alone would miss a timeout and a cancel
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT,
                v_context = PG_EXCEPTION_CONTEXT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RETURN;
    END IF;

    IF v_sqlstate !~ '^ZC' THEN
        v_detail := COALESCE(NULLIF(v_detail, ''), v_context);  -- where it failed
        v_hint := CASE v_sqlstate
            WHEN '55P03'
            THEN 'Another session holds the lock: a run of this node, see c360_control.run_log where status is running, or a deploy.'
            WHEN '53100'
            THEN 'Disk or shared memory is full. In a container raise shm_size; see settings: of the target, max_parallel_workers_per_gather.'
            ELSE COALESCE(NULLIF(v_hint, ''), 'See c360_control.run_log.')
        END;
    END IF;
    PERFORM c360_control.run_failed(v_run_id, v_sqlstate, v_message, v_detail);
    COMMIT;
    RAISE EXCEPTION USING
        ERRCODE = v_sqlstate,
        MESSAGE = v_message,
        DETAIL = pg_catalog.concat_ws(' ', NULLIF(v_detail, ''), pg_catalog.format('Logged as run %s in c360_control.run_log.', v_run_id)),
        HINT = v_hint;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_mart_customer_360(TIMESTAMPTZ) FROM PUBLIC;
