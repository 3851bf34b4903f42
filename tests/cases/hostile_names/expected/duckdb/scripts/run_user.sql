-- c360gen | duckdb | run of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: bdef5b59be05b34c5e2a044e5b4ab6ccf0bea153461e0bf8163ee0fa60a8aada

-- Brings the history user up to date with raw.order.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time.
--
-- Rules:   a row of raw.order is new or changed when any of its columns but group, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw.order closes at the run time
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC004 the source is empty
--          ZC005 time runs backwards
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'snap.user';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'snap.user' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'snap.user', 'running', getvariable('as_of'), now(), '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'snap.user');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'snap.user';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'snap.user', ': the run time ', getvariable('as_of'),
        CASE
            WHEN getvariable('as_of') < getvariable('last_as_of')
            THEN concat(
                ' is before that of the last run, ', getvariable('last_as_of'), '. Nothing was written. Repeat runs in ascending order of as_of.'
            )
            ELSE ' is in the future. Nothing was written.'
        END
    ))
WHERE getvariable('as_of') < getvariable('last_as_of') OR getvariable('as_of') > now() + INTERVAL '300 seconds';

-- The columns of raw.order must be there, of the kind that is declared.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
          COUNT(*) AS drifted_columns,
          LISTAGG(w.c360_name, '; '
          ORDER BY
            w.c360_name) AS drifted_names
        FROM (VALUES
          ('group', 'integer'),
          ('select', 'text'),
          (LOWER('Größe'), 'text'),
          ('two words', 'text'),
          ('updated_at', 'timestamptz')) AS w(c360_name, c360_family)
        LEFT JOIN (
          SELECT
            LOWER(c.column_name) AS c360_name,
            CASE
              WHEN c.data_type LIKE '%INT' OR c.data_type LIKE '%INTEGER' OR c.data_type LIKE 'DECIMAL(%,0)'
              THEN 'integer'
              WHEN c.data_type LIKE 'DECIMAL%' OR c.data_type IN ('DOUBLE', 'FLOAT')
              THEN 'number'
              WHEN c.data_type = 'VARCHAR'
              THEN 'text'
              WHEN c.data_type = 'TIMESTAMP WITH TIME ZONE'
              THEN 'timestamptz'
              WHEN c.data_type IN ('TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS')
              THEN 'timestamp'
              ELSE LOWER(c.data_type)
            END AS c360_family
          FROM DUCKDB_COLUMNS() AS c
          WHERE
            LOWER(c.schema_name) = LOWER('raw')
            AND LOWER(c.table_name) = LOWER('order')
            AND c.database_name = CURRENT_DATABASE()
        ) AS a
          ON a.c360_name = w.c360_name
        WHERE
          a.c360_family IS NULL
          OR a.c360_family <> w.c360_family
          AND NOT (
            a.c360_family = 'integer' AND w.c360_family = 'number'
          )
    ) AS q
);
SET VARIABLE missing_tables = getvariable('counted').missing_tables;
SET VARIABLE drifted_columns = getvariable('counted').drifted_columns;
SET VARIABLE drifted_names = getvariable('counted').drifted_names;

-- No column at all: who reads the catalog sees nothing of a table that is not there.
SELECT
    error(concat(
        'ZC011 snap.user: ',
        'raw.order is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
    ))
WHERE GETVARIABLE('missing_tables') > 0;

-- What is missing or retyped would be lost or bent in silence.
SELECT
    error(concat(
        'ZC011 snap.user: ',
        GETVARIABLE('drifted_columns'),
        ' columns of raw.order are missing or of another kind than declared: ',
        GETVARIABLE('drifted_names'),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
    ))
WHERE GETVARIABLE('drifted_columns') > 0;

-- 3. The stage, private to this session.
CREATE OR REPLACE TEMPORARY TABLE stage_user (
  c360_action TEXT,
  c360_row BIGINT,
  c360_rows BIGINT,
  c360_open_from TIMESTAMPTZ,
  c360_starts_at TIMESTAMPTZ,
  c360_ends_at TIMESTAMPTZ,
  "group" BIGINT,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  updated_at TIMESTAMPTZ
);

-- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
-- are not staged; rows that must not be written are staged under the name of their problem.
INSERT INTO stage_user (
  c360_action,
  c360_rows,
  c360_row,
  c360_open_from,
  c360_starts_at,
  c360_ends_at,
  "group",
  "select",
  "Größe",
  "two words",
  updated_at
)
SELECT
  d.c360_action,
  NULL AS c360_rows,
  d.c360_row,
  d.c360_open_from,
  CASE
    WHEN d.c360_action IN ('new', 'change', 'revive')
    THEN CASE
      WHEN (
        d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
      )
      AND d.updated_at <= GETVARIABLE('as_of')
      THEN d.updated_at
      ELSE GETVARIABLE('as_of')
    END
  END AS c360_starts_at,
  CASE
    WHEN d.c360_action = 'change'
    THEN CASE
      WHEN (
        d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
      )
      AND d.updated_at <= GETVARIABLE('as_of')
      THEN d.updated_at
      ELSE GETVARIABLE('as_of')
    END
    WHEN d.c360_action = 'delete'
    THEN GETVARIABLE('as_of')
  END AS c360_ends_at,
  d."group",
  d."select",
  d."Größe",
  d."two words",
  d.updated_at
FROM (
  SELECT
    CASE
      WHEN e.c360_action = 'new' AND l.c360_boundary > GETVARIABLE('as_of')
      THEN 'blocked'
      WHEN e.c360_action = 'new' AND l.c360_boundary IS NOT NULL
      THEN 'revive'
      ELSE e.c360_action
    END AS c360_action,
    COALESCE(e.c360_open_from, l.c360_boundary) AS c360_boundary,
    e.c360_row,
    e.c360_open_from,
    e."group",
    e."select",
    e."Größe",
    e."two words",
    e.updated_at
  FROM (
    SELECT
      w.c360_action,
      w.c360_row,
      w.c360_open_from,
      w."group",
      w."select",
      w."Größe",
      w."two words",
      w.updated_at
    FROM (
      SELECT
        CASE
          WHEN s.c360_present IS NULL
          THEN 'delete'
          WHEN s."group" IS NULL
          THEN 'null_key'
          WHEN s.updated_at IS NULL OR s.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
          THEN 'null_time'
          WHEN s.updated_at > GETVARIABLE('latest')
          THEN 'future_time'
          WHEN o.valid_from IS NULL
          THEN 'new'
          WHEN s."select" IS DISTINCT FROM o."select"
          OR s."Größe" IS DISTINCT FROM o."Größe"
          OR s."two words" IS DISTINCT FROM o."two words"
          THEN 'change'
        END AS c360_action,
        o.c360_row,
        o.valid_from AS c360_open_from,
        COALESCE(s."group", o."group") AS "group",
        s."select" AS "select",
        s."Größe" AS "Größe",
        s."two words" AS "two words",
        s.updated_at AS updated_at
      FROM (
        SELECT
          r."group",
          r."select",
          r."Größe",
          r."two words",
          r.updated_at,
          TRUE AS c360_present
        FROM raw."order" AS r
      ) AS s
      FULL JOIN (
        SELECT
          h."group",
          h."select",
          h."Größe",
          h."two words",
          h.valid_from,
          h.rowid AS c360_row
        FROM snap."user" AS h
        WHERE
          h.valid_to IS NULL
      ) AS o
        ON o."group" = s."group"
    ) AS w
    WHERE
      w.c360_action IS NOT NULL
  ) AS e
  LEFT JOIN (
    SELECT
      p."group",
      MAX(p.valid_to) AS c360_boundary
    FROM snap."user" AS p
    WHERE
      p.valid_to IS NOT NULL
    GROUP BY
      p."group"
  ) AS l
    ON l."group" = e."group"
) AS d
UNION ALL
SELECT
  'source' AS c360_action,
  COUNT(*) AS c360_rows,
  NULL AS c360_row,
  NULL AS c360_open_from,
  NULL AS c360_starts_at,
  NULL AS c360_ends_at,
  NULL AS "group",
  NULL AS "select",
  NULL AS "Größe",
  NULL AS "two words",
  NULL AS updated_at
FROM raw."order" AS r
UNION ALL
SELECT
  'open' AS c360_action,
  COUNT(*) AS c360_rows,
  NULL AS c360_row,
  NULL AS c360_open_from,
  NULL AS c360_starts_at,
  NULL AS c360_ends_at,
  NULL AS "group",
  NULL AS "select",
  NULL AS "Größe",
  NULL AS "two words",
  NULL AS updated_at
FROM snap."user" AS h
WHERE
  h.valid_to IS NULL;

-- Count what was decided.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(CASE WHEN NOT s.c360_action IN ('source', 'open') THEN 1 END) AS staged_rows,
          COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS absent_rows,
          COUNT(CASE WHEN s.c360_action IN ('new', 'change', 'revive') THEN 1 END) AS starting_rows,
          COUNT(CASE WHEN s.c360_ends_at IS NOT NULL THEN 1 END) AS closing_rows,
          COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS deleted_rows,
          COUNT(CASE WHEN s.c360_action = 'revive' THEN 1 END) AS revived_rows,
          COUNT(CASE WHEN s.c360_starts_at IS NOT NULL AND s.c360_starts_at IS DISTINCT FROM s.updated_at THEN 1 END) AS dated_by_run,
          COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
          COUNT(CASE WHEN s.c360_action = 'new' THEN 1 END) AS new_rows,
          COUNT(CASE WHEN s.c360_open_from IS NULL AND NOT s.c360_action IN ('source', 'open') THEN 1 END) AS unmatched_rows,
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
                k."group"
              FROM stage_user AS k
              WHERE
                k.c360_action IN ('new', 'revive')
            ) AS u
          ) AS new_keys
        FROM stage_user AS s
    ) AS q
);
SET VARIABLE staged_rows = getvariable('counted').staged_rows;
SET VARIABLE absent_rows = getvariable('counted').absent_rows;
SET VARIABLE starting_rows = getvariable('counted').starting_rows;
SET VARIABLE closing_rows = getvariable('counted').closing_rows;
SET VARIABLE deleted_rows = getvariable('counted').deleted_rows;
SET VARIABLE revived_rows = getvariable('counted').revived_rows;
SET VARIABLE dated_by_run = getvariable('counted').dated_by_run;
SET VARIABLE blocked_rows = getvariable('counted').blocked_rows;
SET VARIABLE new_rows = getvariable('counted').new_rows;
SET VARIABLE unmatched_rows = getvariable('counted').unmatched_rows;
SET VARIABLE null_keys = getvariable('counted').null_keys;
SET VARIABLE null_times = getvariable('counted').null_times;
SET VARIABLE future_times = getvariable('counted').future_times;
SET VARIABLE source_rows = getvariable('counted').source_rows;
SET VARIABLE open_rows = getvariable('counted').open_rows;
SET VARIABLE new_keys = getvariable('counted').new_keys;

-- Only where the numbers do not add up, look for the keys that occur twice.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            r."group"
          FROM raw."order" AS r
          GROUP BY
            r."group"
          HAVING
            COUNT(*) > 1
        ) AS d
        WHERE
          GETVARIABLE('source_rows') - GETVARIABLE('unmatched_rows') <> GETVARIABLE('open_rows') - GETVARIABLE('absent_rows')
          OR GETVARIABLE('new_keys') <> GETVARIABLE('new_rows') + GETVARIABLE('revived_rows')
    ) AS q
);
SET VARIABLE duplicate_keys = getvariable('counted').duplicate_keys;

-- Keys must not be NULL.
SELECT
    error(concat(
        'ZC002 snap.user: ',
        GETVARIABLE('null_keys'),
        ' rows of raw.order have no group',
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('null_keys') > 0;

-- Each key must occur once.
SELECT
    error(concat(
        'ZC001 snap.user: ',
        GETVARIABLE('duplicate_keys'),
        ' values of group occur in several rows of raw.order',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s."group" AS TEXT), 'NULL') AS c360_key
              FROM (
                SELECT
                  r."group"
                FROM raw."order" AS r
                GROUP BY
                  r."group"
                HAVING
                  COUNT(*) > 1
              ) AS s
              ORDER BY
                c360_key
              LIMIT 5
            ) AS k
        ),
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('source_rows') - GETVARIABLE('unmatched_rows') <> GETVARIABLE('open_rows') - GETVARIABLE('absent_rows') OR GETVARIABLE('new_keys') <> GETVARIABLE('new_rows') + GETVARIABLE('revived_rows');

-- Every row must have a time.
SELECT
    error(concat(
        'ZC003 snap.user: ',
        GETVARIABLE('null_times'),
        ' rows of raw.order have no usable updated_at',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s."group" AS TEXT), 'NULL') AS c360_key
              FROM stage_user AS s
              WHERE
                s.c360_action = 'null_time'
              ORDER BY
                c360_key
              LIMIT 5
            ) AS k
        ),
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('null_times') > 0;

-- No time may lie beyond the clock and its tolerance.
SELECT
    error(concat(
        'ZC009 snap.user: ',
        GETVARIABLE('future_times'),
        ' rows of raw.order have updated_at later than ',
        GETVARIABLE('latest'),
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s."group" AS TEXT), 'NULL') AS c360_key
              FROM stage_user AS s
              WHERE
                s.c360_action = 'future_time'
              ORDER BY
                c360_key
              LIMIT 5
            ) AS k
        ),
        '. Nothing was written. Compare the clocks.'
    ))
WHERE GETVARIABLE('future_times') > 0;

-- An empty source is more likely a failed load than the end of everything.
SELECT
    error(concat(
        'ZC004 snap.user: ',
        'raw.order is empty while ',
        GETVARIABLE('open_rows'),
        ' versions are open',
        '. Nothing was written. Load the source first.'
    ))
WHERE GETVARIABLE('open_rows') > 0 AND GETVARIABLE('source_rows') = 0;

-- A version cannot end before it starts, nor begin before the one before it has ended.
SELECT
    error(concat(
        'ZC010 snap.user: ',
        GETVARIABLE('blocked_rows'),
        ' keys have versions that begin at or end after the run time ',
        GETVARIABLE('as_of'),
        ' and cannot be closed or followed at it',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s."group" AS TEXT), 'NULL') AS c360_key
              FROM stage_user AS s
              WHERE
                s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
              ORDER BY
                c360_key
              LIMIT 5
            ) AS k
        ),
        '. Nothing was written. Run again once that time has passed.'
    ))
WHERE GETVARIABLE('blocked_rows') > 0;

-- Close the versions that ended. Key and start name the exact row, and the count must be exact.
UPDATE snap."user" AS t SET valid_to = s.c360_ends_at, closed_run_id = GETVARIABLE('run_id')
FROM stage_user AS s
WHERE
  t.rowid = s.c360_row
  AND t."group" = s."group"
  AND t.valid_from = s.c360_open_from
  AND t.valid_to IS NULL
  AND s.c360_ends_at IS NOT NULL
  AND GETVARIABLE('closing_rows') > 0;

-- Insert the versions that began.
INSERT INTO snap."user" (
  "group",
  "select",
  "Größe",
  "two words",
  updated_at,
  valid_from,
  opened_run_id
)
SELECT
  w."group",
  w."select",
  w."Größe",
  w."two words",
  w.updated_at,
  w.valid_from,
  w.opened_run_id
FROM (
  SELECT
    s."group",
    s."select",
    s."Größe",
    s."two words",
    s.updated_at,
    s.c360_starts_at AS valid_from,
    GETVARIABLE('run_id') AS opened_run_id
  FROM stage_user AS s
  WHERE
    s.c360_action IN ('new', 'change', 'revive')
) AS w
WHERE
  GETVARIABLE('starting_rows') > 0;

-- Book-keeping, in the transaction of the data.
UPDATE c360_control.state
SET last_as_of = getvariable('as_of')
WHERE node = 'snap.user';
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now(),
    as_of = getvariable('as_of'),
    source_rows = GETVARIABLE('source_rows'),
    inserted_rows = GETVARIABLE('starting_rows'),
    closed_rows = GETVARIABLE('closing_rows'),
    deleted_rows = GETVARIABLE('deleted_rows'),
    revived_rows = GETVARIABLE('revived_rows'),
    unchanged_rows = GETVARIABLE('source_rows') - (GETVARIABLE('staged_rows') - GETVARIABLE('absent_rows')),
    dated_by_run = GETVARIABLE('dated_by_run'),
    message = NULL
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE as_of = NULL;
