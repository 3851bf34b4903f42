-- c360gen | duckdb | run of intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b1de3d68787ec7a27721e1ffd3101173f4a9b6eae57b9cd268e91a509838ba8b

-- Brings int_payments up to date with its query.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time, `SET VARIABLE full_refresh = true` replaces every row.
--
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          the rows of every payment_id in the batch replace those in the table; other rows are kept
-- Errors:  ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC011 source columns are not as declared
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'intermediate.int_payments';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'intermediate.int_payments' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'intermediate.int_payments', 'running', getvariable('as_of'), now(), '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'intermediate.int_payments');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'intermediate.int_payments';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'intermediate.int_payments', ': the run time ', getvariable('as_of'),
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
SET VARIABLE window_start = CASE WHEN getvariable('incremental') THEN getvariable('watermark') - INTERVAL '259200 seconds' END;

-- The columns of raw_data.payments must be there, of the kind that is declared.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
          COUNT(*) AS drifted_columns,
          LISTAGG(w.c360_name, '; '
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
            AND LOWER(c.table_name) = LOWER('payments')
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
        'ZC011 intermediate.int_payments: ',
        'raw_data.payments is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
    ))
WHERE GETVARIABLE('missing_tables') > 0;

-- What is missing or retyped would be lost or bent in silence.
SELECT
    error(concat(
        'ZC011 intermediate.int_payments: ',
        GETVARIABLE('drifted_columns'),
        ' columns of raw_data.payments are missing or of another kind than declared: ',
        GETVARIABLE('drifted_names'),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
    ))
WHERE GETVARIABLE('drifted_columns') > 0;

-- 3. The stage, private to this session.
CREATE OR REPLACE TEMPORARY TABLE stage_int_payments (
  c360_action TEXT,
  payment_id BIGINT,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ
);

-- Read the batch once.
INSERT INTO stage_int_payments (
  c360_action,
  payment_id,
  order_id,
  payment_method,
  amount,
  status,
  updated_at
)
SELECT
  CASE
    WHEN b.payment_id IS NULL
    THEN 'null_key'
    WHEN b.updated_at IS NULL
    OR b.updated_at = CAST('infinity' AS TIMESTAMPTZ)
    OR b.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
    THEN 'null_time'
    ELSE 'batch'
  END AS c360_action,
  b.payment_id,
  b.order_id,
  b.payment_method,
  b.amount,
  b.status,
  b.updated_at
FROM (
  SELECT
    m.payment_id,
    m.order_id,
    m.payment_method,
    CAST(m.amount AS DECIMAL(12, 2)) AS amount,
    m.status,
    m.updated_at
  FROM (
    SELECT
      stg_payments.payment_id AS payment_id,
      stg_payments.order_id AS order_id,
      stg_payments.payment_method AS payment_method,
      stg_payments.amount AS amount,
      stg_payments.status AS status,
      stg_payments.updated_at AS updated_at
    FROM staging.stg_payments AS stg_payments
  ) AS m
  WHERE
    GETVARIABLE('window_start') IS NULL
    OR m.updated_at >= GETVARIABLE('window_start')
    OR m.updated_at IS NULL
) AS b;

-- Count what was decided.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(CASE WHEN s.c360_action IN ('batch', 'null_key', 'null_time') THEN 1 END) AS source_rows,
          COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
          COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
          MAX(s.updated_at) AS newest
        FROM stage_int_payments AS s
    ) AS q
);
SET VARIABLE source_rows = getvariable('counted').source_rows;
SET VARIABLE null_keys = getvariable('counted').null_keys;
SET VARIABLE null_times = getvariable('counted').null_times;
SET VARIABLE newest = getvariable('counted').newest;

-- Keys must not be NULL.
SELECT
    error(concat(
        'ZC002 intermediate.int_payments: ',
        GETVARIABLE('null_keys'),
        ' rows of the query of int_payments have no payment_id',
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('null_keys') > 0;

-- No watermark would ever reach a NULL.
SELECT
    error(concat(
        'ZC003 intermediate.int_payments: ',
        GETVARIABLE('null_times'),
        ' rows of the query of int_payments have no usable updated_at',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
              FROM stage_int_payments AS s
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

-- A full refresh replaces every row.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_payments AS t
        WHERE
          GETVARIABLE('full_refresh')
    ) AS q
);
SET VARIABLE target_rows = getvariable('counted').target_rows;

-- Empty the table; readers see its rows until the commit.
DELETE FROM intermediate.int_payments AS t
WHERE
  TRUE AND GETVARIABLE('full_refresh');

-- Find the keys whose rows differ, as multisets: what is equal is not written again.
INSERT INTO stage_int_payments (
  c360_action,
  payment_id
)
SELECT DISTINCT
  'replace' AS c360_action,
  g.payment_id
FROM (
  SELECT
    u.payment_id
  FROM (
    SELECT
      s.payment_id,
      s.order_id,
      s.payment_method,
      s.amount,
      s.status,
      s.updated_at,
      1 AS c360_side
    FROM stage_int_payments AS s
    WHERE
      s.c360_action = 'batch'
    UNION ALL
    SELECT
      t.payment_id,
      t.order_id,
      t.payment_method,
      t.amount,
      t.status,
      t.updated_at,
      -1 AS c360_side
    FROM intermediate.int_payments AS t
    INNER JOIN (
      SELECT DISTINCT
        k.payment_id
      FROM stage_int_payments AS k
      WHERE
        k.c360_action = 'batch'
    ) AS b
      ON b.payment_id = t.payment_id
  ) AS u
  GROUP BY
    u.payment_id,
    u.order_id,
    u.payment_method,
    u.amount,
    u.status,
    u.updated_at
  HAVING
    SUM(u.c360_side) <> 0
) AS g;

-- Count what will be replaced.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          (
            SELECT
              COUNT(*)
            FROM intermediate.int_payments AS t
            INNER JOIN stage_int_payments AS r
              ON r.payment_id = t.payment_id AND r.c360_action = 'replace'
          ) AS deleted_rows,
          (
            SELECT
              COUNT(*)
            FROM stage_int_payments AS s
            INNER JOIN stage_int_payments AS r
              ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
            WHERE
              s.c360_action = 'batch'
          ) AS new_rows
    ) AS q
);
SET VARIABLE deleted_rows = getvariable('counted').deleted_rows;
SET VARIABLE new_rows = getvariable('counted').new_rows;

-- Remove the rows of the keys that differ.
DELETE FROM intermediate.int_payments AS t
WHERE
  EXISTS(
    SELECT
      1
    FROM stage_int_payments AS r
    WHERE
      r.c360_action = 'replace' AND r.payment_id = t.payment_id
  )
  AND GETVARIABLE('deleted_rows') > 0;

-- Insert the rows that replace them.
INSERT INTO intermediate.int_payments (
  payment_id,
  order_id,
  payment_method,
  amount,
  status,
  updated_at
)
SELECT
  w.payment_id,
  w.order_id,
  w.payment_method,
  w.amount,
  w.status,
  w.updated_at
FROM (
  SELECT
    s.payment_id,
    s.order_id,
    s.payment_method,
    s.amount,
    s.status,
    s.updated_at
  FROM stage_int_payments AS s
  INNER JOIN stage_int_payments AS r
    ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
  WHERE
    s.c360_action = 'batch'
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
WHERE node = 'intermediate.int_payments';
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now(),
    as_of = getvariable('as_of'),
    source_rows = GETVARIABLE('source_rows'),
    inserted_rows = GETVARIABLE('new_rows'),
    deleted_rows = CASE WHEN GETVARIABLE('full_refresh') THEN GETVARIABLE('target_rows') ELSE GETVARIABLE('deleted_rows') END,
    unchanged_rows = GETVARIABLE('source_rows') - GETVARIABLE('new_rows'),
    watermark_before = getvariable('watermark'),
    watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = 'intermediate.int_payments'),
    message = NULL
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE as_of = NULL;
SET VARIABLE full_refresh = NULL;
