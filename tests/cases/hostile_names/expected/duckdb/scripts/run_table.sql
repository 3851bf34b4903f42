-- c360gen | duckdb | run of int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 78838830781584f11a71b71b6fa9704951825acbca1d012169780ea22e324fe7

-- Brings table up to date with its query.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time, `SET VARIABLE full_refresh = true` replaces every row.
--
-- Rules:   a row of a known group is updated where any column differs, a new one inserted, a missing one kept
--          rows that share group must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC005 time runs backwards
--          ZC011 source columns are not as declared
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'int.limit';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'int.limit' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'int.limit', 'running', getvariable('as_of'), now(), 'ffda4eac478e1dfb4916c578c9182132d5e7fd5904eae8ccf410f3c5ba94bf5a';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'int.limit');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'int.limit';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'int.limit', ': the run time ', getvariable('as_of'),
        CASE
            WHEN getvariable('as_of') < getvariable('last_as_of')
            THEN concat(
                ' is before that of the last run, ', getvariable('last_as_of'), '. Nothing was written. Repeat runs in ascending order of as_of.'
            )
            ELSE ' is in the future. Nothing was written.'
        END
    ))
WHERE getvariable('as_of') < getvariable('last_as_of') OR getvariable('as_of') > now() + INTERVAL '300 seconds';
SET VARIABLE full_refresh = COALESCE(CAST(getvariable('full_refresh') AS BOOLEAN), false);
SET VARIABLE incremental = getvariable('last_as_of') IS NOT NULL AND NOT getvariable('full_refresh');

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
        'ZC011 int.limit: ',
        'raw.order is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
    ))
WHERE GETVARIABLE('missing_tables') > 0;

-- What is missing or retyped would be lost or bent in silence.
SELECT
    error(concat(
        'ZC011 int.limit: ',
        GETVARIABLE('drifted_columns'),
        ' columns of raw.order are missing or of another kind than declared: ',
        GETVARIABLE('drifted_names'),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
    ))
WHERE GETVARIABLE('drifted_columns') > 0;

-- 3. The stage, private to this session.
CREATE OR REPLACE TEMPORARY TABLE stage_table (
  c360_action TEXT,
  c360_row BIGINT,
  c360_copies BIGINT,
  c360_position BIGINT,
  "group" BIGINT,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  remark TEXT,
  updated_at TIMESTAMPTZ
);

-- Read the batch once and look its keys up in the target.
INSERT INTO stage_table (
  c360_action,
  c360_row,
  c360_copies,
  c360_position,
  "group",
  "select",
  "Größe",
  "two words",
  remark,
  updated_at
)
SELECT
  CASE
    WHEN b."group" IS NULL
    THEN 'null_key'
    WHEN t."group" IS NULL
    THEN 'insert'
    WHEN b."select" IS DISTINCT FROM t."select"
    OR b."Größe" IS DISTINCT FROM t."Größe"
    OR b."two words" IS DISTINCT FROM t."two words"
    OR b.remark IS DISTINCT FROM t.remark
    OR b.updated_at IS DISTINCT FROM t.updated_at
    THEN 'update'
    ELSE 'same'
  END AS c360_action,
  t.rowid AS c360_row,
  b.c360_copies,
  b.c360_position,
  b."group",
  b."select",
  b."Größe",
  b."two words",
  b.remark,
  b.updated_at
FROM (
  SELECT
    m."group",
    m."select",
    m."Größe",
    m."two words",
    m.remark,
    m.updated_at,
    COUNT(*) OVER (PARTITION BY m."group") AS c360_copies,
    ROW_NUMBER() OVER (PARTITION BY m."group" ORDER BY m."group") AS c360_position
  FROM (
    SELECT
      o."group" AS "group",
      o."select" AS "select",
      o."Größe" AS "Größe",
      o."two words" AS "two words",
      CAST('it''s $x$ 100% \ --' AS TEXT) AS remark,
      o.updated_at AS updated_at
    FROM raw."order" AS o
  ) AS m
) AS b
LEFT JOIN int."limit" AS t
  ON t."group" = b."group" AND NOT GETVARIABLE('full_refresh');

-- Count what was decided.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
          COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
          COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
          COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
          COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
          COUNT(*) AS source_rows
        FROM stage_table AS s
    ) AS q
);
SET VARIABLE new_rows = getvariable('counted').new_rows;
SET VARIABLE updated_rows = getvariable('counted').updated_rows;
SET VARIABLE older_rows = getvariable('counted').older_rows;
SET VARIABLE null_keys = getvariable('counted').null_keys;
SET VARIABLE null_times = getvariable('counted').null_times;
SET VARIABLE source_rows = getvariable('counted').source_rows;

-- Keys must not be NULL.
SELECT
    error(concat(
        'ZC002 int.limit: ',
        GETVARIABLE('null_keys'),
        ' rows of the query of table have no group',
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('null_keys') > 0;

-- Rows that share a key must be equal in every column.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            d."group"
          FROM (
            SELECT DISTINCT
              s."group",
              s."select",
              s."Größe",
              s."two words",
              s.remark,
              s.updated_at
            FROM stage_table AS s
            WHERE
              s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ) AS d
          GROUP BY
            d."group"
          HAVING
            COUNT(*) > 1
        ) AS r
    ) AS q
);
SET VARIABLE duplicate_keys = getvariable('counted').duplicate_keys;

-- Which of two different rows would win would be chance.
SELECT
    error(concat(
        'ZC001 int.limit: ',
        GETVARIABLE('duplicate_keys'),
        ' values of group occur in several rows that differ',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s."group" AS TEXT), 'NULL') AS c360_key
              FROM stage_table AS s
              WHERE
                s.c360_copies > 1 AND s.c360_action <> 'superseded'
              ORDER BY
                c360_key
              LIMIT 5
            ) AS k
        ),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
    ))
WHERE GETVARIABLE('duplicate_keys') > 0;

-- A full refresh replaces every row.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS target_rows
        FROM int."limit" AS t
        WHERE
          GETVARIABLE('full_refresh')
    ) AS q
);
SET VARIABLE target_rows = getvariable('counted').target_rows;

-- Empty the table; readers see its rows until the commit.
DELETE FROM int."limit" AS t
WHERE
  TRUE AND GETVARIABLE('full_refresh');

-- Update the rows that differ; the count must be exact.
UPDATE int."limit" AS t SET "select" = s."select", "Größe" = s."Größe", "two words" = s."two words", remark = s.remark, updated_at = s.updated_at
FROM stage_table AS s
WHERE
  t.rowid = s.c360_row
  AND t."group" = s."group"
  AND s.c360_action = 'update'
  AND s.c360_position = 1
  AND GETVARIABLE('updated_rows') > 0;

-- Insert the rows that are new.
INSERT INTO int."limit" (
  "group",
  "select",
  "Größe",
  "two words",
  remark,
  updated_at
)
SELECT
  w."group",
  w."select",
  w."Größe",
  w."two words",
  w.remark,
  w.updated_at
FROM (
  SELECT
    s."group",
    s."select",
    s."Größe",
    s."two words",
    s.remark,
    s.updated_at
  FROM stage_table AS s
  WHERE
    s.c360_action = 'insert' AND s.c360_position = 1
) AS w
WHERE
  GETVARIABLE('new_rows') > 0;

-- Book-keeping, in the transaction of the data.
UPDATE c360_control.state
SET last_as_of = getvariable('as_of')
WHERE node = 'int.limit';
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now(),
    as_of = getvariable('as_of'),
    source_rows = GETVARIABLE('source_rows'),
    inserted_rows = GETVARIABLE('new_rows'),
    updated_rows = GETVARIABLE('updated_rows'),
    deleted_rows = CASE WHEN GETVARIABLE('full_refresh') THEN GETVARIABLE('target_rows') ELSE 0 END,
    unchanged_rows = GETVARIABLE('source_rows') - GETVARIABLE('new_rows') - GETVARIABLE('updated_rows') - GETVARIABLE('older_rows'),
    message = NULL
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE as_of = NULL;
SET VARIABLE full_refresh = NULL;
