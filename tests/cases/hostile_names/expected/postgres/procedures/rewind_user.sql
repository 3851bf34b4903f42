-- c360gen | postgres | rewind of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 44eb119d84e28bf4b9a966f6a9468f1c10de28d8030b4f83e1acf87abc9da2ed

-- Takes the history user back to what it was after the last run at or before an instant.
--
--   CALL c360_control.rewind_user('2026-01-31 02:00:00+00');
--        in autocommit, at top level: a dry run, which counts what it would do and logs that
--   CALL c360_control.rewind_user('2026-01-31 02:00:00+00', p_dry_run => false);
--        does it
--
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.rewind_user(p_to TIMESTAMPTZ, p_dry_run BOOLEAN DEFAULT TRUE)
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snap.user';
    v_run_id BIGINT;
    v_rewind_to TIMESTAMPTZ := p_to;
    v_dry_run BOOLEAN := COALESCE(p_dry_run, true);
    v_kept_watermark TIMESTAMPTZ;
    v_unknown_rows BIGINT;
    v_removed_rows BIGINT;
    v_reopened_rows BIGINT;
    v_kept_as_of TIMESTAMPTZ;
    v_rows BIGINT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8', v_rewind_to, 'rewind', v_dry_run);
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

        -- The run whose result stays.
        SELECT l.as_of, l.watermark_after INTO v_kept_as_of, v_kept_watermark
          FROM c360_control.run_log AS l
         WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of <= v_rewind_to
         ORDER BY l.as_of DESC, l.run_id DESC
         LIMIT 1;

        -- Nobody means all of it by NULL.
        IF v_rewind_to IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the instant is NULL', c_node),
                HINT = 'Nothing was written. Say to which instant; the run log shows which runs there are.';
        END IF;

        -- Runs that are not in the log cannot be told from each other.
        IF v_kept_as_of IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the log has no run at or before %s', c_node, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; the run log shows which runs there are.';
        END IF;

        -- What a run did that is not in the log any more cannot be taken back.
        SELECT
          COUNT(*) AS unknown_rows
        FROM snap."user" AS h
        WHERE
          (
            h.valid_from > v_rewind_to
            AND h.opened_run_id IS NOT NULL
            AND NOT h.opened_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
          OR (
            h.valid_to > v_rewind_to
            AND h.closed_run_id IS NOT NULL
            AND NOT h.closed_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
        INTO v_unknown_rows;

        -- A part of it would stay.
        IF v_unknown_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: %s versions began or ended after %s by runs that the log has not', c_node, v_unknown_rows, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
        END IF;

        -- Count what the runs after that instant have done.
        SELECT
          COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
          COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
        FROM snap."user" AS h
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS o
          ON o.run_id = h.opened_run_id
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS c
          ON c.run_id = h.closed_run_id
        INTO v_removed_rows, v_reopened_rows;

        -- Remove the versions that later runs opened.
        IF v_removed_rows > 0 AND NOT v_dry_run THEN
            DELETE FROM snap."user" AS t
            WHERE
              t.opened_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_removed_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to remove, %s found', c_node, v_removed_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Open those again that later runs closed.
        IF v_reopened_rows > 0 AND NOT v_dry_run THEN
            UPDATE snap."user" AS t SET valid_to = NULL, closed_run_id = NULL
            WHERE
              t.closed_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_reopened_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to open again, %s found', c_node, v_reopened_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Runs that are undone are no longer `succeeded`; the next run reads on from the one that stays.
        IF NOT v_dry_run THEN
            UPDATE c360_control.run_log AS l
               SET status = 'rewound', message = format('undone by run %s', v_run_id)
             WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of > v_rewind_to;
            UPDATE c360_control.state AS s
               SET last_as_of = v_kept_as_of, watermark = v_kept_watermark, last_run_id = v_run_id
             WHERE s.node = c_node;
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               updated_rows = v_reopened_rows,
               deleted_rows = v_removed_rows,
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
        RAISE NOTICE '%: rewind%: updated_rows %, deleted_rows %, run %',
            c_node, CASE WHEN v_dry_run THEN ', a dry run' ELSE '' END, v_reopened_rows, v_removed_rows, v_run_id;
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
REVOKE ALL ON PROCEDURE c360_control.rewind_user(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;
