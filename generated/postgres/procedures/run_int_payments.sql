-- c360gen | postgres | run of intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ff41195d82aea79aacd0b8cff49dae6f95d5ffad9ed703bdeb95b77ed9e3ecf5

-- Brings int_payments up to date with its query.
--
--   CALL c360_control.run_int_payments();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_int_payments('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_int_payments(p_full_refresh => true);
--        replaces every row, in one transaction
--   CALL c360_control.apply_int_payments();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          the rows of every payment_id in the batch replace those in the table; other rows are kept
-- Errors:  ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_int_payments(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL,
    IN    p_full_refresh BOOLEAN     DEFAULT false
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
SET parallel_tuple_cost = '0'  -- rows that are unchanged stay with the worker that reads them
SET default_tablespace = ''  -- for the stage
AS $$
DECLARE
    c_node CONSTANT TEXT := 'intermediate.int_payments';
    c_spec_hash CONSTANT TEXT := '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_lookback CONSTANT INTERVAL := INTERVAL '259200 seconds';  -- not days: days would follow daylight saving
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_window_start TIMESTAMPTZ;
    v_full_refresh BOOLEAN := COALESCE(p_full_refresh, false);
    v_incremental BOOLEAN;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_swapped_views BIGINT;
    v_swapped_names TEXT;
    v_source_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_newest TIMESTAMPTZ;
    v_target_rows BIGINT;
    v_deleted_rows BIGINT;
    v_new_rows BIGINT;
    v_rows BIGINT;
    v_sample TEXT;
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
    v_incremental := v_last_as_of IS NOT NULL AND NOT v_full_refresh;
    v_window_start := CASE WHEN v_incremental THEN v_watermark - c_lookback END;

    -- The columns of raw_data.payments must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('payment_id', 'integer'),
      ('order_id', 'integer'),
      ('payment_method', 'text'),
      ('amount', 'number'),
      ('status', 'text'),
      ('updated_at', 'timestamptz')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        CAST(a.attname AS TEXT) AS c360_name,
        CASE
          WHEN t.typname IN ('int2', 'int4', 'int8')
          THEN 'integer'
          WHEN t.typname = 'numeric'
          AND information_schema._pg_numeric_scale(t.oid, CASE WHEN d.typbasetype = 0 THEN a.atttypmod ELSE d.typtypmod END) = 0
          THEN 'integer'
          WHEN t.typcategory = 'N'
          THEN 'number'
          WHEN t.typcategory = 'S'
          THEN 'text'
          WHEN t.typcategory = 'B'
          THEN 'boolean'
          ELSE CAST(t.typname AS TEXT)
        END AS c360_family
      FROM pg_catalog.pg_attribute AS a
      JOIN pg_catalog.pg_class AS c
        ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_type AS d
        ON d.oid = a.atttypid
      JOIN pg_catalog.pg_type AS t
        ON t.oid = CASE WHEN d.typbasetype = 0 THEN d.oid ELSE d.typbasetype END
      WHERE
        n.nspname = 'raw_data' AND c.relname = 'payments' AND a.attnum > 0 AND NOT a.attisdropped
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
    INTO v_missing_tables, v_drifted_columns, v_drifted_names;

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: raw_data.payments is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.payments are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Views must read what is called raw_data.payments now.
    SELECT
      COUNT(*) AS swapped_views,
      STRING_AGG(v.c360_name, '; '
      ORDER BY
        v.c360_name) AS swapped_names
    FROM (
      SELECT
        w.c360_name
      FROM (VALUES
        ('staging.stg_payments')) AS w(c360_name)
      WHERE
        NOT EXISTS(
          SELECT
            1
          FROM pg_catalog.pg_rewrite AS r
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = TO_REGCLASS('pg_catalog.pg_rewrite') AND d.objid = r.oid
          WHERE
            r.ev_class = TO_REGCLASS(w.c360_name)
            AND d.refclassid = TO_REGCLASS('pg_catalog.pg_class')
            AND d.refobjid = TO_REGCLASS('raw_data.payments')
        )
    ) AS v
    INTO v_swapped_views, v_swapped_names;

    -- A view keeps the table that it was made over: what was loaded since would never be seen.
    IF v_swapped_views > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s views read a table that is not called raw_data.payments any more: %s', c_node, v_swapped_views, v_swapped_names),
            HINT = 'Nothing was written. Run deploy.sql, which makes the views anew.';
    END IF;

    -- Read the batch once.
    CREATE UNLOGGED TABLE c360_control.stage_int_payments AS
    SELECT
      CASE
        WHEN b.payment_id IS NULL
        THEN 'null_key'
        WHEN b.updated_at IS NULL
        OR b.updated_at = CAST('infinity' AS TIMESTAMPTZ)
        OR b.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
        THEN 'null_time'
        ELSE 'batch'
      END AS c360_action,
      CAST(b.payment_id AS BIGINT) AS payment_id,
      CAST(b.order_id AS BIGINT) AS order_id,
      CAST(b.payment_method AS TEXT) AS payment_method,
      CAST(b.amount AS DECIMAL(12, 2)) AS amount,
      CAST(b.status AS TEXT) AS status,
      CAST(b.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        m.payment_id,
        m.order_id,
        m.payment_method,
        CAST(m.amount AS DECIMAL(12, 2)) AS amount,
        m.status,
        m.updated_at
      FROM (
        SELECT
          stg_payments.payment_id AS payment_id,
          stg_payments.order_id AS order_id,
          stg_payments.payment_method AS payment_method,
          stg_payments.amount AS amount,
          stg_payments.status AS status,
          stg_payments.updated_at AS updated_at
        FROM staging.stg_payments AS stg_payments
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action IN ('batch', 'null_key', 'null_time') THEN 1 END) AS source_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      MAX(s.updated_at) AS newest
    FROM c360_control.stage_int_payments AS s
    INTO v_source_rows, v_null_keys, v_null_times, v_newest;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of the query of int_payments have no payment_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_int_payments AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of the query of int_payments have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_payments AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM intermediate.int_payments AS t
        WHERE
          TRUE;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_target_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to remove, %s found', c_node, v_target_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Find the keys whose rows differ, as multisets: what is equal is not written again.
    INSERT INTO c360_control.stage_int_payments (
      c360_action,
      payment_id
    )
    SELECT DISTINCT
      'replace' AS c360_action,
      g.payment_id
    FROM (
      SELECT
        u.payment_id
      FROM (
        SELECT
          s.payment_id,
          s.order_id,
          s.payment_method,
          s.amount,
          s.status,
          s.updated_at,
          1 AS c360_side
        FROM c360_control.stage_int_payments AS s
        WHERE
          s.c360_action = 'batch'
        UNION ALL
        SELECT
          t.payment_id,
          t.order_id,
          t.payment_method,
          t.amount,
          t.status,
          t.updated_at,
          -1 AS c360_side
        FROM intermediate.int_payments AS t
        INNER JOIN (
          SELECT DISTINCT
            k.payment_id
          FROM c360_control.stage_int_payments AS k
          WHERE
            k.c360_action = 'batch'
        ) AS b
          ON b.payment_id = t.payment_id
      ) AS u
      GROUP BY
        u.payment_id,
        u.order_id,
        u.payment_method,
        u.amount,
        u.status,
        u.updated_at
      HAVING
        SUM(u.c360_side) <> 0
    ) AS g;

    -- Count what will be replaced.
    SELECT
      (
        SELECT
          COUNT(*)
        FROM intermediate.int_payments AS t
        INNER JOIN c360_control.stage_int_payments AS r
          ON r.payment_id = t.payment_id AND r.c360_action = 'replace'
      ) AS deleted_rows,
      (
        SELECT
          COUNT(*)
        FROM c360_control.stage_int_payments AS s
        INNER JOIN c360_control.stage_int_payments AS r
          ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
        WHERE
          s.c360_action = 'batch'
      ) AS new_rows
    INTO v_deleted_rows, v_new_rows;

    -- Remove the rows of the keys that differ.
    IF v_deleted_rows > 0 THEN
        DELETE FROM intermediate.int_payments AS t
        WHERE
          EXISTS(
            SELECT
              1
            FROM c360_control.stage_int_payments AS r
            WHERE
              r.c360_action = 'replace' AND r.payment_id = t.payment_id
          );
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_deleted_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to remove, %s found', c_node, v_deleted_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Insert the rows that replace them.
    IF v_new_rows > 0 THEN
        INSERT INTO intermediate.int_payments (
          payment_id,
          order_id,
          payment_method,
          amount,
          status,
          updated_at
        )
        SELECT
          s.payment_id,
          s.order_id,
          s.payment_method,
          s.amount,
          s.status,
          s.updated_at
        FROM c360_control.stage_int_payments AS s
        INNER JOIN c360_control.stage_int_payments AS r
          ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
        WHERE
          s.c360_action = 'batch';
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_new_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to insert, %s found', c_node, v_new_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_int_payments;
    IF NOT v_incremental THEN
        ANALYZE intermediate.int_payments;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           watermark = GREATEST(
               CASE WHEN NOT v_full_refresh THEN s.watermark END,  -- GREATEST skips NULL; LEAST would, too, and an empty batch would
               CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END  -- move the watermark to the run time
           ),
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           source_rows = v_source_rows,
           inserted_rows = v_new_rows,
           deleted_rows = CASE WHEN v_full_refresh THEN v_target_rows ELSE v_deleted_rows END,
           unchanged_rows = v_source_rows - v_new_rows,
           watermark_before = v_watermark,
           watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = c_node),
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_int_payments(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_int_payments(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL,
    IN p_full_refresh BOOLEAN     DEFAULT false
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_int_payments()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('intermediate.int_payments', '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_int_payments(v_run_id, p_as_of, p_full_refresh);
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
REVOKE ALL ON PROCEDURE c360_control.run_int_payments(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;
