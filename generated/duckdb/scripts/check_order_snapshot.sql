-- c360gen | duckdb | check of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 7d122780bde4f685517a96fda2caf811fde0a599633e4b9a08f293da93eb5bde

-- Fails when the history order_snapshot is not sound.
--
-- Run it whole, in one session: `c360gen history check`, or `duckdb -bail FILE < this`
--
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
SET TimeZone = 'UTC';

-- 1. Announce it in a transaction of its own, then take the node's row, as every run does.
SET VARIABLE dry_run = false;
BEGIN TRANSACTION;
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, action, dry_run, status, as_of, started_at, spec_hash)
SELECT
    getvariable('run_id'), 'snapshots.order_snapshot', 'check', getvariable('dry_run'), 'running',
    now(), now(), '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
COMMIT;

BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'snapshots.order_snapshot';

-- Count the versions that break a rule, under the first one that each breaks.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COALESCE(SUM(l.found), 0) AS damaged_rows,
          LISTAGG(l.line, ', '
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
              LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
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
                    WHEN v.valid_to < v.c360_next
                    THEN 'gap'
                    WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
                    THEN 'orphan'
                  END AS c360_problem,
                  COALESCE(CAST(v.order_id AS TEXT), 'NULL') AS c360_key
                FROM (
                  SELECT
                    h.order_id,
                    h.valid_from,
                    h.valid_to,
                    LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from) AS c360_next,
                    COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
                  FROM snapshots.order_snapshot AS h
                ) AS v
              ) AS j
              WHERE
                j.c360_problem IS NOT NULL
            ) AS p
            GROUP BY
              p.c360_problem
          ) AS d
        ) AS l
    ) AS q
);
SET VARIABLE damaged_rows = getvariable('counted').damaged_rows;
SET VARIABLE damage = getvariable('counted').damage;

-- A sound history has none.
SELECT
    error(concat(
        'ZC016 snapshots.order_snapshot: ',
        GETVARIABLE('damaged_rows'),
        ' versions are damaged: ',
        GETVARIABLE('damage'),
        '. See the view order_snapshot_health. Rewind to a run before the damage, or mend it by hand.'
    ))
WHERE GETVARIABLE('damaged_rows') > 0;
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now()
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE dry_run = NULL;
