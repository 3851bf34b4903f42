-- c360gen | postgres | check of snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: fcd5833a8c2c1cea60f44f461596dcbf41af2aeb0cdc7ec9a65206492dac2ccf

-- Fails when the history history is not sound.
--
--   CALL c360_control.check_history();
--        in autocommit, at top level
--
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_history()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.history';
    v_run_id BIGINT;
    v_damaged_rows BIGINT;
    v_damage TEXT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'a4faabc2f09e59777d4f7c24ed6f7d2f0c25382ba1e099ab9fb9d462e4caf985', pg_catalog.clock_timestamp(), 'check', false);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- Count the versions that break a rule, under the first one that each breaks.
        SELECT
          COALESCE(SUM(l.found), 0) AS damaged_rows,
          STRING_AGG(l.line, ', '
          ORDER BY
            l.line) AS damage
        FROM (
          SELECT
            d.found AS found,
            d.problem || ': ' || CAST(d.found AS TEXT) || ' (' || d.example || ')' AS line
          FROM (
            SELECT
              p.c360_problem AS problem,
              COUNT(*) AS found,
              STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
              ORDER BY
                p.c360_key) AS example
            FROM (
              SELECT
                j.c360_problem,
                j.c360_key,
                ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
              FROM (
                SELECT
                  CASE
                    WHEN v.c360_open > 1
                    THEN 'two_open'
                    WHEN v.valid_to <= v.valid_from
                    THEN 'inverted'
                    WHEN v.c360_next IS NOT NULL AND (
                      v.valid_to IS NULL OR v.valid_to > v.c360_next
                    )
                    THEN 'overlap'
                  END AS c360_problem,
                  COALESCE(CAST(v.customer_id AS TEXT), 'NULL') AS c360_key
                FROM (
                  SELECT
                    h.customer_id,
                    h.valid_from,
                    h.valid_to,
                    LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
                    COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
                  FROM snapshots.history AS h
                ) AS v
              ) AS j
              WHERE
                j.c360_problem IS NOT NULL
            ) AS p
            GROUP BY
              p.c360_problem
          ) AS d
        ) AS l
        INTO v_damaged_rows, v_damage;

        -- A sound history has none.
        IF v_damaged_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC016',
                MESSAGE = format('%s: %s versions are damaged: %s', c_node, v_damaged_rows, v_damage),
                HINT = 'See the view history_health. Rewind to a run before the damage, or mend it by hand.';
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
REVOKE ALL ON PROCEDURE c360_control.check_history() FROM PUBLIC;
