-- c360gen | postgres | run of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 5b5760eb44c2e762bd97f32c77755edfbbabe8df96815474ff343244723baee2

-- Brings the history payment_snapshot up to date with raw_data.payments.
--
--   CALL c360_control.run_payment_snapshot();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_payment_snapshot('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_payment_snapshot();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   a row of raw_data.payments is new or changed when any of its columns but payment_id, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.payments stays open
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_payment_snapshot(
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
SET parallel_tuple_cost = '0'  -- rows that are unchanged stay with the worker that reads them
SET default_tablespace = ''  -- for the stage
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.payment_snapshot';
    c_spec_hash CONSTANT TEXT := 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_page_cost CONSTANT TEXT := current_setting('random_page_cost');
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_staged_rows BIGINT;
    v_absent_rows BIGINT;
    v_starting_rows BIGINT;
    v_closing_rows BIGINT;
    v_deleted_rows BIGINT;
    v_revived_rows BIGINT;
    v_dated_by_run BIGINT;
    v_blocked_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_future_times BIGINT;
    v_source_rows BIGINT;
    v_open_rows BIGINT;
    v_duplicate_keys BIGINT;
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

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    CREATE UNLOGGED TABLE c360_control.stage_payment_snapshot AS
    SELECT
      d.c360_action,
      CAST(NULL AS BIGINT) AS c360_rows,
      d.c360_row,
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
      END AS c360_ends_at,
      CAST(d.payment_id AS BIGINT) AS payment_id,
      CAST(d.order_id AS BIGINT) AS order_id,
      CAST(d.payment_method AS TEXT) AS payment_method,
      CAST(d.amount AS DECIMAL(12, 2)) AS amount,
      CAST(d.status AS TEXT) AS status,
      CAST(d.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND e.c360_boundary > v_as_of
          THEN 'blocked'
          WHEN e.c360_action = 'new' AND e.c360_boundary IS NOT NULL
          THEN 'revive'
          ELSE e.c360_action
        END AS c360_action,
        e.c360_boundary AS c360_boundary,
        e.c360_row,
        e.c360_open_from,
        e.payment_id,
        e.order_id,
        e.payment_method,
        e.amount,
        e.status,
        e.updated_at
      FROM (
        SELECT
          x.c360_action,
          x.c360_row,
          x.c360_open_from,
          x.payment_id,
          x.order_id,
          x.payment_method,
          x.amount,
          x.status,
          x.updated_at,
          CASE
            WHEN x.c360_open_from IS NOT NULL
            THEN x.c360_open_from
            WHEN EXISTS(
              SELECT
                1
              FROM snapshots.payment_snapshot AS a
            )
            THEN (
              SELECT
                MAX(p.valid_to) AS c360_boundary
              FROM snapshots.payment_snapshot AS p
              WHERE
                p.payment_id = x.payment_id
            )
          END AS c360_boundary
        FROM (
          SELECT
            w.c360_action,
            w.c360_row,
            w.c360_open_from,
            w.payment_id,
            w.order_id,
            w.payment_method,
            w.amount,
            w.status,
            w.updated_at
          FROM (
            SELECT
              CASE
                WHEN s.payment_id IS NULL
                THEN 'null_key'
                WHEN c.c360_copies > 1
                THEN 'duplicate_key'
                WHEN s.updated_at IS NULL OR s.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
                THEN 'null_time'
                WHEN s.updated_at > v_latest
                THEN 'future_time'
                WHEN o.valid_from IS NULL
                THEN 'new'
                WHEN s.order_id IS DISTINCT FROM o.order_id
                OR s.payment_method IS DISTINCT FROM o.payment_method
                OR s.amount IS DISTINCT FROM o.amount
                OR s.status IS DISTINCT FROM o.status
                THEN 'change'
              END AS c360_action,
              o.c360_row,
              o.valid_from AS c360_open_from,
              s.payment_id AS payment_id,
              s.order_id AS order_id,
              s.payment_method AS payment_method,
              s.amount AS amount,
              s.status AS status,
              s.updated_at AS updated_at
            FROM (
              SELECT
                r.payment_id,
                r.order_id,
                r.payment_method,
                CAST(r.amount AS DECIMAL(12, 2)) AS amount,
                r.status,
                r.updated_at,
                TRUE AS c360_present
              FROM raw_data.payments AS r
            ) AS s
            LEFT JOIN (
              SELECT
                h.payment_id,
                h.order_id,
                h.payment_method,
                h.amount,
                h.status,
                h.valid_from,
                h.ctid AS c360_row
              FROM snapshots.payment_snapshot AS h
              WHERE
                h.valid_to IS NULL
            ) AS o
              ON o.payment_id = s.payment_id
            LEFT JOIN (
              SELECT
                r.payment_id,
                COUNT(*) AS c360_copies
              FROM raw_data.payments AS r
              GROUP BY
                r.payment_id
              HAVING
                COUNT(*) > 1
            ) AS c
              ON c.payment_id = s.payment_id
          ) AS w
          WHERE
            w.c360_action IS NOT NULL
        ) AS x
        OFFSET 0
      ) AS e
    ) AS d
    UNION ALL
    SELECT
      'source' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS payment_id,
      NULL AS order_id,
      NULL AS payment_method,
      NULL AS amount,
      NULL AS status,
      NULL AS updated_at
    FROM raw_data.payments AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS payment_id,
      NULL AS order_id,
      NULL AS payment_method,
      NULL AS amount,
      NULL AS status,
      NULL AS updated_at
    FROM snapshots.payment_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN NOT s.c360_action IN ('source', 'open') THEN 1 END) AS staged_rows,
      COUNT(CASE WHEN FALSE THEN 1 END) AS absent_rows,
      COUNT(CASE WHEN s.c360_action IN ('new', 'change', 'revive') THEN 1 END) AS starting_rows,
      COUNT(CASE WHEN s.c360_ends_at IS NOT NULL THEN 1 END) AS closing_rows,
      COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS deleted_rows,
      COUNT(CASE WHEN s.c360_action = 'revive' THEN 1 END) AS revived_rows,
      COUNT(CASE WHEN s.c360_starts_at IS NOT NULL AND s.c360_starts_at IS DISTINCT FROM s.updated_at THEN 1 END) AS dated_by_run,
      COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
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
            k.payment_id
          FROM c360_control.stage_payment_snapshot AS k
          WHERE
            k.c360_action = 'duplicate_key'
        ) AS u
      ) AS duplicate_keys
    FROM c360_control.stage_payment_snapshot AS s
    INTO v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_null_keys, v_null_times, v_future_times, v_source_rows, v_open_rows, v_duplicate_keys;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of raw_data.payments have no payment_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Each key must occur once.
    IF v_duplicate_keys > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'duplicate_key'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC001',
            MESSAGE = format('%s: %s values of payment_id occur in several rows of raw_data.payments', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Every row must have a time.
    IF v_null_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of raw_data.payments have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- No time may lie beyond the clock and its tolerance.
    IF v_future_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC009',
            MESSAGE = format('%s: %s rows of raw_data.payments have updated_at later than %s', c_node, v_future_times, v_latest),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Compare the clocks.';
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC010',
            MESSAGE = format('%s: %s keys have versions that begin at or end after the run time %s and cannot be closed or followed at it', c_node, v_blocked_rows, v_as_of),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Run again once that time has passed.';
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
        PERFORM set_config('random_page_cost', '0', TRUE);  -- addresses are known, and in the table's order: read these rows, not all
        UPDATE snapshots.payment_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
        FROM (
          SELECT
            s.c360_ends_at,
            s.c360_open_from,
            s.c360_row,
            s.payment_id
          FROM c360_control.stage_payment_snapshot AS s
          ORDER BY
            s.c360_row
        ) AS s
        WHERE
          t.ctid = s.c360_row
          AND t.payment_id = s.payment_id
          AND t.valid_from = s.c360_open_from
          AND t.valid_to IS NULL
          AND s.c360_ends_at IS NOT NULL;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_closing_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to close, %s found', c_node, v_closing_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
        PERFORM set_config('random_page_cost', c_page_cost, TRUE);
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
        INSERT INTO snapshots.payment_snapshot (
          payment_id,
          order_id,
          payment_method,
          amount,
          status,
          updated_at,
          valid_from,
          opened_run_id
        )
        SELECT
          s.payment_id,
          s.order_id,
          s.payment_method,
          s.amount,
          s.status,
          s.updated_at,
          s.c360_starts_at AS valid_from,
          v_run_id AS opened_run_id
        FROM c360_control.stage_payment_snapshot AS s
        WHERE
          s.c360_action IN ('new', 'change', 'revive')
        ORDER BY
          s.payment_id;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_starting_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to insert, %s found', c_node, v_starting_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_payment_snapshot;
    IF v_last_as_of IS NULL THEN
        ANALYZE snapshots.payment_snapshot;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           source_rows = v_source_rows,
           inserted_rows = v_starting_rows,
           closed_rows = v_closing_rows,
           deleted_rows = v_deleted_rows,
           revived_rows = v_revived_rows,
           unchanged_rows = v_source_rows - (v_staged_rows - v_absent_rows),
           dated_by_run = v_dated_by_run,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_payment_snapshot(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_payment_snapshot(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_payment_snapshot()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('snapshots.payment_snapshot', 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_payment_snapshot(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_payment_snapshot(TIMESTAMPTZ) FROM PUBLIC;
