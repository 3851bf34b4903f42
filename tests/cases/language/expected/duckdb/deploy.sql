-- c360gen | duckdb | deploy of language to target duckdb, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: cf375aa2ffd02a093e3506fd8227fed34e1a56c80e966c4d25929cb535707445

SET TimeZone = 'UTC';
BEGIN TRANSACTION;

CREATE SCHEMA IF NOT EXISTS c360_control;
CREATE SCHEMA IF NOT EXISTS analytics;
CREATE SCHEMA IF NOT EXISTS ref;
CREATE SCHEMA IF NOT EXISTS snap;

-- One row per released state, never changed.
CREATE TABLE IF NOT EXISTS c360_control.release (
    shape       TEXT NOT NULL,
    released_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Guard: a database in another released state is not touched. Changing it is what migrations are for.
SELECT
    error(concat(
        'this database is in the released state ', left(r.shape, 12), ', not in ', left('b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53', 12),
        ': tables, columns, types, keys or strategies differ. Nothing was changed; go from one state to another with a migration'
    ))
FROM (SELECT arg_max(l.shape, l.rowid) AS shape FROM c360_control.release AS l) AS r
WHERE r.shape <> 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53';


-- ==================== control.sql: control tables: run log, state, releases

-- One row per node: its watermark, and the proof that time does not run backwards.
CREATE TABLE IF NOT EXISTS c360_control.state (
    node        TEXT NOT NULL PRIMARY KEY,
    watermark   TIMESTAMPTZ,
    last_as_of  TIMESTAMPTZ,
    last_run_id BIGINT
);

-- One row per run. `succeeded` is written by the transaction that writes the data, so it means committed.
CREATE SEQUENCE IF NOT EXISTS c360_control.run_id;
CREATE TABLE IF NOT EXISTS c360_control.run_log (
    run_id           BIGINT NOT NULL,
    node             TEXT NOT NULL,
    action           TEXT NOT NULL DEFAULT 'run',
    dry_run          BOOLEAN NOT NULL DEFAULT false,
    status           TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned', 'rewound')),
    as_of            TIMESTAMPTZ,
    started_at       TIMESTAMPTZ NOT NULL,
    finished_at      TIMESTAMPTZ,
    source_rows      BIGINT,
    inserted_rows    BIGINT,
    updated_rows     BIGINT,
    closed_rows      BIGINT,
    deleted_rows     BIGINT,
    revived_rows     BIGINT,
    unchanged_rows   BIGINT,
    dated_by_run     BIGINT,
    quarantined_rows BIGINT,
    watermark_before TIMESTAMPTZ,
    watermark_after  TIMESTAMPTZ,
    window_start     TIMESTAMPTZ,
    window_end       TIMESTAMPTZ,
    message          TEXT,
    spec_hash        TEXT NOT NULL
);

-- One row per node and window of a microbatch. Delete a row, and the next run loads its window again.
CREATE TABLE IF NOT EXISTS c360_control.windows (
    node         TEXT NOT NULL,
    window_start TIMESTAMPTZ NOT NULL,
    window_end   TIMESTAMPTZ NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    run_id       BIGINT NOT NULL,
    loaded_as_of TIMESTAMPTZ,
    PRIMARY KEY (node, window_start)
);

-- The oldest window that is due at a run time, or NULL: one that is not known yet, or whose last success is older than this run and than
-- the end of its lookback. So an outage of any length fills itself, a failed window is tried again, and an old one is final.
CREATE OR REPLACE MACRO c360_control.window_next(p_node, p_begin, p_lookback, p_until) AS (
    SELECT min(d.window_start)
    FROM (
        SELECT w.window_start
        FROM c360_control.windows AS w
        WHERE w.node = p_node
          AND w.window_start BETWEEN p_begin AND p_until
          AND (w.loaded_as_of IS NULL OR w.loaded_as_of < LEAST(p_until, w.window_end + p_lookback))
        UNION ALL
        SELECT n.window_start
        FROM (
            SELECT p_begin AS window_start
            UNION ALL
            SELECT w.window_end FROM c360_control.windows AS w WHERE w.node = p_node AND w.window_start >= p_begin
        ) AS n
        WHERE n.window_start <= p_until
          AND NOT EXISTS (SELECT 1 FROM c360_control.windows AS k WHERE k.node = p_node AND k.window_start = n.window_start)
    ) AS d
);

-- Division of exact numbers, as the other engines have it: nine decimals, half away from zero. DuckDB's own gives a DOUBLE.
CREATE OR REPLACE MACRO c360_quotient(n, d) AS (
    CASE WHEN d = 0 THEN error('division by zero') ELSE
        CAST(
            sign(n) * sign(d) * (
                (2 * abs(CAST(CAST(n AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)) * 1000000000
                    + abs(CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)))
                // (2 * abs(CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)))
            ) AS DECIMAL(38, 0)
        ) * 0.000000001
    END
);

-- What is wrong now: one row per node whose last run did not succeed.
CREATE OR REPLACE VIEW c360_control.run_health AS
SELECT s.node, l.run_id, COALESCE(l.status, 'never run') AS status, l.started_at, l.finished_at, l.message
FROM c360_control.state AS s
LEFT JOIN (
    SELECT r.node, r.run_id, r.status, r.started_at, r.finished_at, r.message
    FROM c360_control.run_log AS r
    WHERE r.action = 'run'
    QUALIFY row_number() OVER (PARTITION BY r.node ORDER BY r.run_id DESC) = 1
) AS l ON l.node = s.node
WHERE l.status IS NULL OR l.status NOT IN ('succeeded', 'rewound');


-- One row per node: how fresh it is, how its last run ended, and how often it has failed since it last succeeded.
CREATE OR REPLACE VIEW c360_control.node_status AS
SELECT
    s.node, s.last_as_of AS fresh_until, s.watermark, l.run_id AS last_run_id, COALESCE(l.status, 'never run') AS last_status,
    l.started_at AS last_started_at, l.finished_at AS last_finished_at, COALESCE(f.failures, 0) AS failures, l.message,
    CAST(NULL AS TEXT) AS at_work
FROM c360_control.state AS s
LEFT JOIN (
    SELECT r.node, r.run_id, r.status, r.started_at, r.finished_at, r.message
    FROM c360_control.run_log AS r
    WHERE r.action = 'run'
    QUALIFY row_number() OVER (PARTITION BY r.node ORDER BY r.run_id DESC) = 1
) AS l ON l.node = s.node
LEFT JOIN (
    SELECT r.node, count(*) AS failures
    FROM c360_control.run_log AS r
    LEFT JOIN (
        SELECT o.node, max(o.run_id) AS run_id FROM c360_control.run_log AS o WHERE o.action = 'run' AND o.status = 'succeeded' GROUP BY o.node
    ) AS g ON g.node = r.node
    WHERE r.action = 'run' AND r.status IN ('failed', 'abandoned') AND r.run_id > COALESCE(g.run_id, 0)
    GROUP BY r.node
) AS f ON f.node = s.node;

-- One row per seed: the hash of the rows that were loaded last.
CREATE TABLE IF NOT EXISTS c360_control.seed_state (
    seed      TEXT NOT NULL PRIMARY KEY,
    digest    TEXT NOT NULL,
    loaded_at TIMESTAMPTZ NOT NULL DEFAULT now()
);


-- ==================== tables/countries.sql: seed ref.country

CREATE TABLE IF NOT EXISTS ref.country (
  code TEXT,
  name TEXT,
  since DATE
);

-- The rows of the seed, replaced as a whole, in the transaction of the deploy, when they are not what was loaded last.
DELETE FROM ref.country
WHERE
  TRUE
  AND NOT EXISTS(
    SELECT
      1
    FROM c360_control.seed_state AS s
    WHERE
      s.seed = 'ref.country'
      AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68'
  );

INSERT INTO ref.country (
  code,
  name,
  since
)
SELECT
  w.code,
  w.name,
  w.since
FROM (
  SELECT
    v.code,
    v.name,
    v.since
  FROM (VALUES
    ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
    ('NO', 'Norway, "Norge"', NULL)) AS v(code, name, since)
) AS w
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM c360_control.seed_state AS s
    WHERE
      s.seed = 'ref.country'
      AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68'
  );

INSERT INTO c360_control.seed_state (seed, digest)
SELECT 'ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68'
WHERE NOT EXISTS (SELECT 1 FROM c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68')
ON CONFLICT (seed) DO UPDATE SET digest = EXCLUDED.digest, loaded_at = EXCLUDED.loaded_at;


-- ==================== tables/customers.sql: table analytics.customers

CREATE TABLE IF NOT EXISTS analytics.customers (
  id BIGINT NOT NULL,
  email TEXT,
  country TEXT,
  CONSTRAINT customers_pk PRIMARY KEY (id)
);

INSERT INTO c360_control.state (node) VALUES ('analytics.customers') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/spending.sql: snapshot snap.spending

CREATE TABLE IF NOT EXISTS snap.spending (
  customer_id BIGINT NOT NULL,
  total DECIMAL(38, 2),
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT spending_pk PRIMARY KEY (customer_id, valid_from)
);

COMMENT ON TABLE snap.spending IS 'History of the query of spending, one row per version.';

COMMENT ON COLUMN snap.spending.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snap.spending.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snap.spending.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snap.spending.closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snap.spending') ON CONFLICT (node) DO NOTHING;


-- ==================== views/spending.sql: views of snap.spending

CREATE OR REPLACE VIEW snap.spending_current AS
SELECT
  h.customer_id,
  h.total,
  h.valid_from
FROM snap.spending AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snap.spending_current IS 'The open versions of spending: one row per key.';

COMMENT ON COLUMN snap.spending_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snap.spending_as_of(p_at) AS TABLE
SELECT
  h.customer_id,
  h.total,
  h.valid_from,
  h.valid_to
FROM snap.spending AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );

CREATE OR REPLACE MACRO snap.spending_changes(p_from, p_to) AS TABLE
SELECT
  v.customer_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.total AS total_before,
  v.total AS total_after
FROM snap.spending AS v
LEFT JOIN snap.spending AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.total AS total_before,
  CAST(NULL AS DECIMAL(38, 2)) AS total_after
FROM snap.spending AS v
LEFT JOIN snap.spending AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL;

CREATE OR REPLACE VIEW snap.spending_health AS
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
      END AS c360_problem,
      COALESCE(CAST(v.customer_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM snap.spending AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snap.spending_health IS 'What is wrong with the history spending: no row when it is sound.';

COMMENT ON COLUMN snap.spending_health.problem IS 'two_open, inverted or overlap.';

COMMENT ON COLUMN snap.spending_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snap.spending_health.example IS 'Up to five keys.';


-- ==================== tables/order_lines.sql: incremental analytics.order_lines

CREATE TABLE IF NOT EXISTS analytics.order_lines (
  id BIGINT NOT NULL,
  customer_id BIGINT NOT NULL,
  amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT order_lines_pk PRIMARY KEY (id)
);

COMMENT ON TABLE analytics.order_lines IS 'One row per large order.';

INSERT INTO c360_control.state (node) VALUES ('analytics.order_lines') ON CONFLICT (node) DO NOTHING;


-- ==================== views/source_freshness.sql: how fresh the sources are

-- One row per source that says how fresh it should be: its newest row, and whether that is too old. Ages in seconds.
CREATE OR REPLACE VIEW c360_control.source_freshness AS
SELECT
  'shop.customers' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '86400' SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '43200' SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS BIGINT) AS warn_after,
  CAST(86400 AS BIGINT) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      customers.updated_at AS loaded_at
    FROM raw.customers AS customers
  ) AS q
) AS n
UNION ALL
SELECT
  'shop.orders' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '86400' SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '43200' SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS BIGINT) AS warn_after,
  CAST(86400 AS BIGINT) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      orders.updated_at AS loaded_at
    FROM raw.orders_v2 AS orders
    WHERE
      (
        orders.amount > 0
      )
  ) AS q
) AS n;


INSERT INTO c360_control.release (shape)
SELECT 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53'
WHERE NOT EXISTS (SELECT 1 FROM c360_control.release AS r WHERE r.shape = 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53');

COMMIT;
