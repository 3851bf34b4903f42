-- c360gen | duckdb | run of intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: afcc091f92d4b56197a95dbe2306d76f3156e3645a9dcf491eb378d59bc12926

-- Brings int_interactions up to date with its query.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time, `SET VARIABLE full_refresh = true` replaces every row.
--
-- Rules:   reads rows whose occurred_at is after the watermark and not after the run time
--          rows are added, never changed; rows that arrive later with a cursor at or below the watermark are not read
-- Errors:  ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC011 source columns are not as declared
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'intermediate.int_interactions';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'intermediate.int_interactions' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'intermediate.int_interactions', 'running', getvariable('as_of'), now(), 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'intermediate.int_interactions');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'intermediate.int_interactions';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'intermediate.int_interactions', ': the run time ', getvariable('as_of'),
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
SET VARIABLE window_start = CASE WHEN getvariable('incremental') THEN getvariable('watermark') - INTERVAL '0 seconds' END;

-- The columns of raw_data.interactions must be there, of the kind that is declared.
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
          ('interaction_id', 'integer'),
          ('customer_id', 'integer'),
          ('channel', 'text'),
          ('subject', 'text'),
          ('occurred_at', 'timestamptz')) AS w(c360_name, c360_family)
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
            LOWER(c.schema_name) = LOWER('raw_data')
            AND LOWER(c.table_name) = LOWER('interactions')
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
        'ZC011 intermediate.int_interactions: ',
        'raw_data.interactions is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
    ))
WHERE GETVARIABLE('missing_tables') > 0;

-- What is missing or retyped would be lost or bent in silence.
SELECT
    error(concat(
        'ZC011 intermediate.int_interactions: ',
        GETVARIABLE('drifted_columns'),
        ' columns of raw_data.interactions are missing or of another kind than declared: ',
        GETVARIABLE('drifted_names'),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
    ))
WHERE GETVARIABLE('drifted_columns') > 0;

-- 3. The stage, private to this session.
CREATE OR REPLACE TEMPORARY TABLE stage_int_interactions (
  c360_action TEXT,
  interaction_id BIGINT,
  customer_id BIGINT,
  channel TEXT,
  subject TEXT,
  occurred_at TIMESTAMPTZ
);

-- Read the rows beyond the watermark.
INSERT INTO stage_int_interactions (
  c360_action,
  interaction_id,
  customer_id,
  channel,
  subject,
  occurred_at
)
SELECT
  CASE
    WHEN b.occurred_at IS NULL
    OR b.occurred_at = CAST('infinity' AS TIMESTAMPTZ)
    OR b.occurred_at = CAST('-infinity' AS TIMESTAMPTZ)
    THEN 'null_time'
    ELSE 'insert'
  END AS c360_action,
  b.interaction_id,
  b.customer_id,
  b.channel,
  b.subject,
  b.occurred_at
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
        GETVARIABLE('window_start') IS NULL OR m.occurred_at > GETVARIABLE('window_start')
      )
      AND m.occurred_at <= GETVARIABLE('as_of')
    )
    OR m.occurred_at IS NULL
) AS b;

-- Count what was decided.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(CASE WHEN s.c360_action = 'insert' THEN 1 END) AS new_rows,
          COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
          COUNT(*) AS source_rows,
          MAX(s.occurred_at) AS newest
        FROM stage_int_interactions AS s
    ) AS q
);
SET VARIABLE new_rows = getvariable('counted').new_rows;
SET VARIABLE null_times = getvariable('counted').null_times;
SET VARIABLE source_rows = getvariable('counted').source_rows;
SET VARIABLE newest = getvariable('counted').newest;

-- No watermark would ever reach a NULL.
SELECT
    error(concat(
        'ZC003 intermediate.int_interactions: ',
        GETVARIABLE('null_times'),
        ' rows of the query of int_interactions have no usable occurred_at',
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('null_times') > 0;

-- A full refresh replaces every row.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_interactions AS t
        WHERE
          GETVARIABLE('full_refresh')
    ) AS q
);
SET VARIABLE target_rows = getvariable('counted').target_rows;

-- Empty the table; readers see its rows until the commit.
DELETE FROM intermediate.int_interactions AS t
WHERE
  TRUE AND GETVARIABLE('full_refresh');

-- Append the rows.
INSERT INTO intermediate.int_interactions (
  interaction_id,
  customer_id,
  channel,
  subject,
  occurred_at
)
SELECT
  w.interaction_id,
  w.customer_id,
  w.channel,
  w.subject,
  w.occurred_at
FROM (
  SELECT
    s.interaction_id,
    s.customer_id,
    s.channel,
    s.subject,
    s.occurred_at
  FROM stage_int_interactions AS s
  WHERE
    s.c360_action = 'insert'
) AS w
WHERE
  GETVARIABLE('new_rows') > 0;

-- Book-keeping, in the transaction of the data.
UPDATE c360_control.state
SET last_as_of = getvariable('as_of'),
    watermark = GREATEST(
        CASE WHEN NOT getvariable('full_refresh') THEN watermark END,  -- GREATEST skips NULL; LEAST would, too, and an empty batch
        CASE  -- would move the watermark to the run time
            WHEN getvariable('newest') > getvariable('as_of') THEN getvariable('as_of')
            ELSE getvariable('newest')
        END
    )
WHERE node = 'intermediate.int_interactions';
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now(),
    as_of = getvariable('as_of'),
    source_rows = GETVARIABLE('source_rows'),
    inserted_rows = GETVARIABLE('new_rows'),
    deleted_rows = CASE WHEN GETVARIABLE('full_refresh') THEN GETVARIABLE('target_rows') ELSE 0 END,
    unchanged_rows = 0,
    watermark_before = getvariable('watermark'),
    watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = 'intermediate.int_interactions'),
    message = NULL
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE as_of = NULL;
SET VARIABLE full_refresh = NULL;
