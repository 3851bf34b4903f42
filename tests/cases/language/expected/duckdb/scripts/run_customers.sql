-- c360gen | duckdb | run of analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 6c0f5b8bffdbc344be4907d3f2fb49165156fa42fadbb073ca3d2016db11998b

-- Replaces the contents of customers by its query.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time.
--
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: customers_email_uq
-- Errors:  ZC005 time runs backwards
--          ZC011 source columns are not as declared
--          ZC021 a constraint does not hold
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'analytics.customers';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'analytics.customers' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'analytics.customers', 'running', getvariable('as_of'), now(), '66af08f6696b199e6f90da8675b7f122c40f389a4bba02393afbcd771b3a7591';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'analytics.customers');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'analytics.customers';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'analytics.customers', ': the run time ', getvariable('as_of'),
        CASE
            WHEN getvariable('as_of') < getvariable('last_as_of')
            THEN concat(
                ' is before that of the last run, ', getvariable('last_as_of'), '. Nothing was written. Repeat runs in ascending order of as_of.'
            )
            ELSE ' is in the future. Nothing was written.'
        END
    ))
WHERE getvariable('as_of') < getvariable('last_as_of') OR getvariable('as_of') > now() + INTERVAL '300 seconds';

-- The columns of shop.customers must be there, of the kind that is declared.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
          COUNT(*) AS drifted_columns,
          LISTAGG(w.c360_name, '; '
          ORDER BY
            w.c360_name) AS drifted_names
        FROM (VALUES
          ('id', 'integer'),
          ('email', 'text'),
          ('country', 'text'),
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
            AND LOWER(c.table_name) = LOWER('customers')
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
        'ZC011 analytics.customers: ',
        'shop.customers is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
    ))
WHERE GETVARIABLE('missing_tables') > 0;

-- What is missing or retyped would be lost or bent in silence.
SELECT
    error(concat(
        'ZC011 analytics.customers: ',
        GETVARIABLE('drifted_columns'),
        ' columns of shop.customers are missing or of another kind than declared: ',
        GETVARIABLE('drifted_names'),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
    ))
WHERE GETVARIABLE('drifted_columns') > 0;

-- Count the rows that go.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS target_rows
        FROM analytics.customers AS t
    ) AS q
);
SET VARIABLE target_rows = getvariable('counted').target_rows;

-- Empty the table; readers see its rows until the commit.
DELETE FROM analytics.customers AS t
WHERE
  TRUE;

-- Fill it again.
INSERT INTO analytics.customers (
  id,
  email,
  country
)
SELECT
  m.id,
  m.email,
  m.country
FROM (
  SELECT
    c.id AS id,
    c.email AS email,
    n.name AS country
  FROM raw.customers AS c
  LEFT JOIN ref.country AS n
    ON n.code = c.country
) AS m;

-- Count the rows that came.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS new_rows
        FROM analytics.customers AS t
    ) AS q
);
SET VARIABLE new_rows = getvariable('counted').new_rows;

-- Constraint customers_email_uq: email is unique.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS violating_rows
        FROM (
          SELECT
            COALESCE(CAST(t.email AS TEXT), 'NULL') AS c360_key_1
          FROM analytics.customers AS t
          WHERE
            t.email IS NOT NULL
          GROUP BY
            t.email
          HAVING
            COUNT(*) > 1
        ) AS b
    ) AS q
);
SET VARIABLE violating_rows = getvariable('counted').violating_rows;

-- The engine itself does not look at it.
SELECT
    error(concat(
        'ZC021 analytics.customers: ',
        GETVARIABLE('violating_rows'),
        ' values of email break the constraint customers_email_uq: email is unique',
        ', for example ',
        (
            SELECT
              LISTAGG(k.c360_key, '; '
              ORDER BY
                k.c360_key) AS c360_sample
            FROM (
              SELECT DISTINCT
                CAST(b.c360_key_1 AS TEXT) AS c360_key
              FROM (
                SELECT
                  COALESCE(CAST(t.email AS TEXT), 'NULL') AS c360_key_1
                FROM analytics.customers AS t
                WHERE
                  t.email IS NOT NULL
                GROUP BY
                  t.email
                HAVING
                  COUNT(*) > 1
              ) AS b
              ORDER BY
                c360_key
              LIMIT 5
            ) AS k
        ),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
    ))
WHERE GETVARIABLE('violating_rows') > 0;

-- Book-keeping, in the transaction of the data.
UPDATE c360_control.state
SET last_as_of = getvariable('as_of')
WHERE node = 'analytics.customers';
UPDATE c360_control.run_log
SET status = 'succeeded',
    finished_at = now(),
    as_of = getvariable('as_of'),
    inserted_rows = GETVARIABLE('new_rows'),
    deleted_rows = GETVARIABLE('target_rows'),
    message = NULL
WHERE run_id = getvariable('run_id');
COMMIT;
SET VARIABLE as_of = NULL;
