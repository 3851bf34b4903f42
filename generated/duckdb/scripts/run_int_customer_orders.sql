-- c360gen | duckdb | run of intermediate.int_customer_orders | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 815ac78d05c6247e59c4329fd53deddd0b184ece8eed6f8657125a31822bc599

-- Brings int_customer_orders up to date with its query.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time, `SET VARIABLE full_refresh = true` replaces every row.
--
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          a row of a known order_id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share order_id must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC011 source columns are not as declared
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'intermediate.int_customer_orders';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'intermediate.int_customer_orders' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'intermediate.int_customer_orders', 'running', getvariable('as_of'), now(), '084cae8c45ae0c146be65ef963062d0174d8efc5153b85bb91623a82dd9f5eb2';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'intermediate.int_customer_orders');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'intermediate.int_customer_orders';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'intermediate.int_customer_orders', ': the run time ', getvariable('as_of'),
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

-- The columns of raw_data.orders must be there, of the kind that is declared.
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
          ('order_id', 'integer'),
          ('customer_id', 'integer'),
          ('order_date', 'date'),
          ('status', 'text'),
          ('total_amount', 'number'),
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
            AND LOWER(c.table_name) = LOWER('orders')
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
        'ZC011 intermediate.int_customer_orders: ',
        'raw_data.orders is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
    ))
WHERE GETVARIABLE('missing_tables') > 0;

-- What is missing or retyped would be lost or bent in silence.
SELECT
    error(concat(
        'ZC011 intermediate.int_customer_orders: ',
        GETVARIABLE('drifted_columns'),
        ' columns of raw_data.orders are missing or of another kind than declared: ',
        GETVARIABLE('drifted_names'),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
    ))
WHERE GETVARIABLE('drifted_columns') > 0;

-- 3. The stage, private to this session.
CREATE OR REPLACE TEMPORARY TABLE stage_int_customer_orders (
  c360_action TEXT,
  c360_row BIGINT,
  c360_copies BIGINT,
  c360_position BIGINT,
  order_id BIGINT,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ
);

-- Read the batch once and look its keys up in the target.
INSERT INTO stage_int_customer_orders (
  c360_action,
  c360_row,
  c360_copies,
  c360_position,
  order_id,
  customer_id,
  order_date,
  status,
  total_amount,
  updated_at
)
SELECT
  CASE
    WHEN b.order_id IS NULL
    THEN 'null_key'
    WHEN b.updated_at IS NULL
    OR b.updated_at = CAST('infinity' AS TIMESTAMPTZ)
    OR b.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
    THEN 'null_time'
    WHEN t.order_id IS NULL
    THEN 'insert'
    WHEN b.customer_id IS DISTINCT FROM t.customer_id
    OR b.order_date IS DISTINCT FROM t.order_date
    OR b.status IS DISTINCT FROM t.status
    OR b.total_amount IS DISTINCT FROM t.total_amount
    OR b.updated_at IS DISTINCT FROM t.updated_at
    THEN 'update'
    ELSE 'same'
  END AS c360_action,
  t.rowid AS c360_row,
  b.c360_copies,
  b.c360_position,
  b.order_id,
  b.customer_id,
  b.order_date,
  b.status,
  b.total_amount,
  b.updated_at
FROM (
  SELECT
    m.order_id,
    m.customer_id,
    m.order_date,
    m.status,
    CAST(m.total_amount AS DECIMAL(12, 2)) AS total_amount,
    m.updated_at,
    COUNT(*) OVER (PARTITION BY m.order_id) AS c360_copies,
    ROW_NUMBER() OVER (PARTITION BY m.order_id ORDER BY m.order_id) AS c360_position
  FROM (
    SELECT
      stg_orders.order_id AS order_id,
      stg_orders.customer_id AS customer_id,
      stg_orders.order_date AS order_date,
      stg_orders.status AS status,
      stg_orders.total_amount AS total_amount,
      stg_orders.updated_at AS updated_at
    FROM staging.stg_orders AS stg_orders
  ) AS m
  WHERE
    GETVARIABLE('window_start') IS NULL
    OR m.updated_at >= GETVARIABLE('window_start')
    OR m.updated_at IS NULL
) AS b
LEFT JOIN intermediate.int_customer_orders AS t
  ON t.order_id = b.order_id AND NOT GETVARIABLE('full_refresh');

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
          COUNT(*) AS source_rows,
          MAX(s.updated_at) AS newest
        FROM stage_int_customer_orders AS s
    ) AS q
);
SET VARIABLE new_rows = getvariable('counted').new_rows;
SET VARIABLE updated_rows = getvariable('counted').updated_rows;
SET VARIABLE older_rows = getvariable('counted').older_rows;
SET VARIABLE null_keys = getvariable('counted').null_keys;
SET VARIABLE null_times = getvariable('counted').null_times;
SET VARIABLE source_rows = getvariable('counted').source_rows;
SET VARIABLE newest = getvariable('counted').newest;

-- Keys must not be NULL.
SELECT
    error(concat(
        'ZC002 intermediate.int_customer_orders: ',
        GETVARIABLE('null_keys'),
        ' rows of the query of int_customer_orders have no order_id',
        '. Nothing was written. Mend the rows in the source.'
    ))
WHERE GETVARIABLE('null_keys') > 0;

-- No watermark would ever reach a NULL.
SELECT
    error(concat(
        'ZC003 intermediate.int_customer_orders: ',
        GETVARIABLE('null_times'),
        ' rows of the query of int_customer_orders have no usable updated_at',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s.order_id AS TEXT), 'NULL') AS c360_key
              FROM stage_int_customer_orders AS s
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

-- Rows that share a key must be equal in every column.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            d.order_id
          FROM (
            SELECT DISTINCT
              s.order_id,
              s.customer_id,
              s.order_date,
              s.status,
              s.total_amount,
              s.updated_at
            FROM stage_int_customer_orders AS s
            WHERE
              s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ) AS d
          GROUP BY
            d.order_id
          HAVING
            COUNT(*) > 1
        ) AS r
    ) AS q
);
SET VARIABLE duplicate_keys = getvariable('counted').duplicate_keys;

-- Which of two different rows would win would be chance.
SELECT
    error(concat(
        'ZC001 intermediate.int_customer_orders: ',
        GETVARIABLE('duplicate_keys'),
        ' values of order_id occur in several rows that differ',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                COALESCE(CAST(s.order_id AS TEXT), 'NULL') AS c360_key
              FROM stage_int_customer_orders AS s
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
        FROM intermediate.int_customer_orders AS t
        WHERE
          GETVARIABLE('full_refresh')
    ) AS q
);
SET VARIABLE target_rows = getvariable('counted').target_rows;

-- Empty the table; readers see its rows until the commit.
DELETE FROM intermediate.int_customer_orders AS t
WHERE
  TRUE AND GETVARIABLE('full_refresh');

-- Update the rows that differ; the count must be exact.
UPDATE intermediate.int_customer_orders AS t SET customer_id = s.customer_id, order_date = s.order_date, status = s.status, total_amount = s.total_amount, updated_at = s.updated_at
FROM stage_int_customer_orders AS s
WHERE
  t.rowid = s.c360_row
  AND t.order_id = s.order_id
  AND s.c360_action = 'update'
  AND s.c360_position = 1
  AND GETVARIABLE('updated_rows') > 0;

-- Insert the rows that are new.
INSERT INTO intermediate.int_customer_orders (
  order_id,
  customer_id,
  order_date,
  status,
  total_amount,
  updated_at
)
SELECT
  w.order_id,
  w.customer_id,
  w.order_date,
  w.status,
  w.total_amount,
  w.updated_at
FROM (
  SELECT
    s.order_id,
    s.customer_id,
    s.order_date,
    s.status,
    s.total_amount,
    s.updated_at
  FROM stage_int_customer_orders AS s
  WHERE
    s.c360_action = 'insert' AND s.c360_position = 1
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
WHERE node = 'intermediate.int_customer_orders';
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now(),
    as_of = getvariable('as_of'),
    source_rows = GETVARIABLE('source_rows'),
    inserted_rows = GETVARIABLE('new_rows'),
    updated_rows = GETVARIABLE('updated_rows'),
    deleted_rows = CASE WHEN GETVARIABLE('full_refresh') THEN GETVARIABLE('target_rows') ELSE 0 END,
    unchanged_rows = GETVARIABLE('source_rows') - GETVARIABLE('new_rows') - GETVARIABLE('updated_rows') - GETVARIABLE('older_rows'),
    watermark_before = getvariable('watermark'),
    watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = 'intermediate.int_customer_orders'),
    message = NULL
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE as_of = NULL;
SET VARIABLE full_refresh = NULL;
