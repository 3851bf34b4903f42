-- c360gen | postgres | run of intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4c27c4c256575faa0598e15b52a2349e16534cf808e702d5f4d39b1006789215

-- Brings int_interactions up to date with its query.
--
--   CALL c360_control.run_int_interactions();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_int_interactions('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_int_interactions(p_full_refresh => true);
--        replaces every row, in one transaction
--   CALL c360_control.apply_int_interactions();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   reads rows whose occurred_at is after the watermark and not after the run time
--          rows are added, never changed; rows that arrive later with a cursor at or below the watermark are not read
-- Errors:  ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_int_interactions(
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
    c_node CONSTANT TEXT := 'intermediate.int_interactions';
    c_spec_hash CONSTANT TEXT := 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_lookback CONSTANT INTERVAL := INTERVAL '0 seconds';  -- not days: days would follow daylight saving
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
    v_new_rows BIGINT;
    v_null_times BIGINT;
    v_source_rows BIGINT;
    v_newest TIMESTAMPTZ;
    v_target_rows BIGINT;
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
    v_incremental := v_last_as_of IS NOT NULL AND NOT v_full_refresh;
    v_window_start := CASE WHEN v_incremental THEN v_watermark - c_lookback END;

    -- The columns of raw_data.interactions must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('interaction_id', 'integer'),
      ('customer_id', 'integer'),
      ('channel', 'text'),
      ('subject', 'text'),
      ('occurred_at', 'timestamptz')) AS w(c360_name, c360_family)
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
        n.nspname = 'raw_data' AND c.relname = 'interactions' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.interactions is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.interactions are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Views must read what is called raw_data.interactions now.
    SELECT
      COUNT(*) AS swapped_views,
      STRING_AGG(v.c360_name, '; '
      ORDER BY
        v.c360_name) AS swapped_names
    FROM (
      SELECT
        w.c360_name
      FROM (VALUES
        ('staging.stg_interactions')) AS w(c360_name)
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
            AND d.refobjid = TO_REGCLASS('raw_data.interactions')
        )
    ) AS v
    INTO v_swapped_views, v_swapped_names;

    -- A view keeps the table that it was made over: what was loaded since would never be seen.
    IF v_swapped_views > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s views read a table that is not called raw_data.interactions any more: %s', c_node, v_swapped_views, v_swapped_names),
            HINT = 'Nothing was written. Run deploy.sql, which makes the views anew.';
    END IF;

    -- Read the rows beyond the watermark.
    CREATE UNLOGGED TABLE c360_control.stage_int_interactions AS
    SELECT
      CASE
        WHEN b.occurred_at IS NULL
        OR b.occurred_at = CAST('infinity' AS TIMESTAMPTZ)
        OR b.occurred_at = CAST('-infinity' AS TIMESTAMPTZ)
        THEN 'null_time'
        ELSE 'insert'
      END AS c360_action,
      CAST(b.interaction_id AS BIGINT) AS interaction_id,
      CAST(b.customer_id AS BIGINT) AS customer_id,
      CAST(b.channel AS TEXT) AS channel,
      CAST(b.subject AS TEXT) AS subject,
      CAST(b.occurred_at AS TIMESTAMPTZ) AS occurred_at
    FROM (
      SELECT
        m.interaction_id,
        m.customer_id,
        m.channel,
        m.subject,
        m.occurred_at
      FROM (
        SELECT
          stg_interactions.interaction_id AS interaction_id,
          stg_interactions.customer_id AS customer_id,
          stg_interactions.channel AS channel,
          stg_interactions.subject AS subject,
          stg_interactions.occurred_at AS occurred_at
        FROM staging.stg_interactions AS stg_interactions
      ) AS m
      WHERE
        (
          (
            v_window_start IS NULL OR m.occurred_at > v_window_start
          ) AND m.occurred_at <= v_as_of
        )
        OR m.occurred_at IS NULL
    ) AS b;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows,
      MAX(s.occurred_at) AS newest
    FROM c360_control.stage_int_interactions AS s
    INTO v_new_rows, v_null_times, v_source_rows, v_newest;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of the query of int_interactions have no usable occurred_at', c_node, v_null_times),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_interactions AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM intermediate.int_interactions AS t
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

    -- Append the rows.
    IF v_new_rows > 0 THEN
        INSERT INTO intermediate.int_interactions (
          interaction_id,
          customer_id,
          channel,
          subject,
          occurred_at
        )
        SELECT
          s.interaction_id,
          s.customer_id,
          s.channel,
          s.subject,
          s.occurred_at
        FROM c360_control.stage_int_interactions AS s
        WHERE
          s.c360_action = 'insert';
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_new_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to append, %s found', c_node, v_new_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_int_interactions;
    IF NOT v_incremental THEN
        ANALYZE intermediate.int_interactions;  -- who reads it next is planned for what it holds now
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
           deleted_rows = CASE WHEN v_full_refresh THEN v_target_rows ELSE 0 END,
           unchanged_rows = 0,
           watermark_before = v_watermark,
           watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = c_node),
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_int_interactions(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_int_interactions(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_int_interactions()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('intermediate.int_interactions', 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_int_interactions(v_run_id, p_as_of, p_full_refresh);
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
REVOKE ALL ON PROCEDURE c360_control.run_int_interactions(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;
