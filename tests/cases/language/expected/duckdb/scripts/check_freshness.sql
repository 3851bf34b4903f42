-- c360gen | duckdb | check of the sources' freshness | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f7081e4f107cfe0210ef964a4f5ac436c0a0aaa633fd5f8ac55e00dad3f98ec4

-- Fails when a source is older than its error_after.
--
-- Run it whole, in one session: `duckdb -bail FILE < this`
--
-- Rules:   the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old
-- Errors:  ZC019 a source is too old
SET TimeZone = 'UTC';

-- 1. Announce it in a transaction of its own.
SET VARIABLE dry_run = false;
BEGIN TRANSACTION;
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, action, dry_run, status, as_of, started_at, spec_hash)
SELECT
    getvariable('run_id'), 'c360_control.source_freshness', 'check', getvariable('dry_run'), 'running',
    now(), now(), 'c47d31e339b59e58ad0a2626591ab31a6aedf5d416568ded59fb46f6f5f17f00';
COMMIT;

BEGIN TRANSACTION;

-- Look at every source that says how fresh it should be.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS stale_sources,
          LISTAGG(s.line, '; '
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
    ) AS q
);
SET VARIABLE stale_sources = getvariable('counted').stale_sources;
SET VARIABLE stale_names = getvariable('counted').stale_names;

-- Runs over old rows succeed and say nothing.
SELECT
    error(concat(
        'ZC019 c360_control.source_freshness: ',
        GETVARIABLE('stale_sources'),
        ' sources are older than their error_after: ',
        GETVARIABLE('stale_names'),
        '. See the view source_freshness. Ask whoever loads the sources.'
    ))
WHERE GETVARIABLE('stale_sources') > 0;
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now()
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE dry_run = NULL;
