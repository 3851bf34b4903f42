-- c360gen | duckdb | rewind of snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 7d3a1a9f636f8cd33148aa59626929c35c9bf9585baf086eb46339efa2ab3d41

-- Takes the history spending back to what it was after the last run at or before an instant.
--
-- Run it whole, in one session: `c360gen history rewind`, or `duckdb -bail FILE < this`, after
--   SET VARIABLE rewind_to = …;
--   SET VARIABLE dry_run = false;  -- otherwise it counts what it would do, and logs that
--
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
SET TimeZone = 'UTC';

-- 1. Announce it in a transaction of its own, then take the node's row, as every run does.
SET VARIABLE rewind_to = CAST(getvariable('rewind_to') AS TIMESTAMPTZ);
SET VARIABLE dry_run = COALESCE(CAST(getvariable('dry_run') AS BOOLEAN), true);
BEGIN TRANSACTION;
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, action, dry_run, status, as_of, started_at, spec_hash)
SELECT
    getvariable('run_id'), 'snap.spending', 'rewind', getvariable('dry_run'), 'running',
    getvariable('rewind_to'), now(), 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e';
COMMIT;

BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'snap.spending';

-- The run whose result stays.
SET VARIABLE kept = (
    SELECT {'as_of': l.as_of, 'watermark': l.watermark_after}
    FROM c360_control.run_log AS l
    WHERE l.node = 'snap.spending' AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of <= getvariable('rewind_to')
    ORDER BY l.as_of DESC, l.run_id DESC
    LIMIT 1
);
SET VARIABLE kept_as_of = getvariable('kept').as_of;

-- Nobody means all of it by NULL.
SELECT
    error(concat(
        'ZC018 snap.spending: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
    ))
WHERE GETVARIABLE('rewind_to') IS NULL;

-- Runs that are not in the log cannot be told from each other.
SELECT
    error(concat(
        'ZC018 snap.spending: ',
        'the log has no run at or before ',
        GETVARIABLE('rewind_to'),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
    ))
WHERE GETVARIABLE('kept_as_of') IS NULL;

-- What a run did that is not in the log any more cannot be taken back.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS unknown_rows
        FROM snap.spending AS h
        WHERE
          (
            h.valid_from > GETVARIABLE('rewind_to')
            AND h.opened_run_id IS NOT NULL
            AND NOT h.opened_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
          OR (
            h.valid_to > GETVARIABLE('rewind_to')
            AND h.closed_run_id IS NOT NULL
            AND NOT h.closed_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
    ) AS q
);
SET VARIABLE unknown_rows = getvariable('counted').unknown_rows;

-- A part of it would stay.
SELECT
    error(concat(
        'ZC018 snap.spending: ',
        GETVARIABLE('unknown_rows'),
        ' versions began or ended after ',
        GETVARIABLE('rewind_to'),
        ' by runs that the log has not',
        '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.'
    ))
WHERE GETVARIABLE('unknown_rows') > 0;

-- Count what the runs after that instant have done.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
          COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
        FROM snap.spending AS h
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > GETVARIABLE('rewind_to')
        ) AS o
          ON o.run_id = h.opened_run_id
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > GETVARIABLE('rewind_to')
        ) AS c
          ON c.run_id = h.closed_run_id
    ) AS q
);
SET VARIABLE removed_rows = getvariable('counted').removed_rows;
SET VARIABLE reopened_rows = getvariable('counted').reopened_rows;

-- Remove the versions that later runs opened.
DELETE FROM snap.spending AS t
WHERE
  t.opened_run_id IN (
    SELECT
      r.run_id
    FROM c360_control.run_log AS r
    WHERE
      r.action = 'run' AND r.status = 'succeeded' AND r.as_of > GETVARIABLE('rewind_to')
  )
  AND GETVARIABLE('removed_rows') > 0
  AND NOT GETVARIABLE('dry_run');

-- Open those again that later runs closed.
UPDATE snap.spending AS t SET valid_to = NULL, closed_run_id = NULL
WHERE
  t.closed_run_id IN (
    SELECT
      r.run_id
    FROM c360_control.run_log AS r
    WHERE
      r.action = 'run' AND r.status = 'succeeded' AND r.as_of > GETVARIABLE('rewind_to')
  )
  AND GETVARIABLE('reopened_rows') > 0
  AND NOT GETVARIABLE('dry_run');

-- Runs that are undone are no longer `succeeded`; the next run reads on from the one that stays.
UPDATE c360_control.run_log
SET status = 'rewound', message = concat('undone by run ', getvariable('run_id'))
WHERE node = 'snap.spending' AND action = 'run' AND status = 'succeeded' AND as_of > getvariable('rewind_to') AND NOT getvariable('dry_run');
UPDATE c360_control.state
SET last_as_of = getvariable('kept').as_of, watermark = getvariable('kept').watermark
WHERE node = 'snap.spending' AND NOT getvariable('dry_run');
UPDATE c360_control.run_log
SET status = 'succeeded',
    updated_rows = GETVARIABLE('reopened_rows'),
    deleted_rows = GETVARIABLE('removed_rows'),
    finished_at = now()
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE rewind_to = NULL;
SET VARIABLE dry_run = NULL;
