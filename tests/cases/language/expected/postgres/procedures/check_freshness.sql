-- c360gen | postgres | check of the sources' freshness | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 7a3822695f8feb9b87f32193155ed39c8fa3c9ff48dab7978c7d38dc11da4808

-- Fails when a source is older than its error_after.
--
--   CALL c360_control.check_freshness();
--        in autocommit, at top level
--
-- Rules:   the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old
-- Errors:  ZC019 a source is too old
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_freshness()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'c360_control.source_freshness';
    v_run_id BIGINT;
    v_stale_sources BIGINT;
    v_stale_names TEXT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'c47d31e339b59e58ad0a2626591ab31a6aedf5d416568ded59fb46f6f5f17f00', pg_catalog.clock_timestamp(), 'check', false);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;

        -- Look at every source that says how fresh it should be.
        SELECT
          COUNT(*) AS stale_sources,
          STRING_AGG(s.line, '; '
          ORDER BY
            s.line) AS stale_names
        FROM (
          SELECT
            l.source || ' (' || l.loaded || ')' AS line
          FROM (
            SELECT
              f.source AS source,
              COALESCE(CAST(f.loaded_at AS TEXT), 'no row') AS loaded
            FROM c360_control.source_freshness AS f
            WHERE
              f.status = 'error'
          ) AS l
        ) AS s
        INTO v_stale_sources, v_stale_names;

        -- Runs over old rows succeed and say nothing.
        IF v_stale_sources > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC019',
                MESSAGE = format('%s: %s sources are older than their error_after: %s', c_node, v_stale_sources, v_stale_names),
                HINT = 'See the view source_freshness. Ask whoever loads the sources.';
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.check_freshness() FROM PUBLIC;
