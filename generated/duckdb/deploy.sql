-- c360gen | duckdb | deploy of customer_360 to target duckdb, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 821fd76c9640e97f4a775f6f8b8dc2f195b29705a033d2fdd68bf134ec5780e2

SET TimeZone = 'UTC';
BEGIN TRANSACTION;

CREATE SCHEMA IF NOT EXISTS c360_control;
CREATE SCHEMA IF NOT EXISTS intermediate;
CREATE SCHEMA IF NOT EXISTS marts;
CREATE SCHEMA IF NOT EXISTS snapshots;
CREATE SCHEMA IF NOT EXISTS staging;

-- One row per released state, never changed.
CREATE TABLE IF NOT EXISTS c360_control.release (
    shape       TEXT NOT NULL,
    released_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Guard: a database in another released state is not touched. Changing it is what migrations are for.
SELECT
    error(concat(
        'this database is in the released state ', left(r.shape, 12), ', not in ', left('7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f', 12),
        ': tables, columns, types, keys or strategies differ. Nothing was changed; go from one state to another with a migration'
    ))
FROM (SELECT arg_max(l.shape, l.rowid) AS shape FROM c360_control.release AS l) AS r
WHERE r.shape <> '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f';


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


-- ==================== tables/customer_snapshot.sql: snapshot snapshots.customer_snapshot

CREATE TABLE IF NOT EXISTS snapshots.customer_snapshot (
  customer_id BIGINT NOT NULL,
  first_name TEXT,
  last_name TEXT,
  email TEXT,
  phone TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT customer_snapshot_pk PRIMARY KEY (customer_id, valid_from)
);

COMMENT ON TABLE snapshots.customer_snapshot IS 'History of every customer, one row per version of name, e-mail address and telephone number.';

COMMENT ON COLUMN snapshots.customer_snapshot.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.customer_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.customer_snapshot.closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snapshots.customer_snapshot') ON CONFLICT (node) DO NOTHING;


-- ==================== views/customer_snapshot.sql: views of snapshots.customer_snapshot

CREATE OR REPLACE VIEW snapshots.customer_snapshot_current AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.customer_snapshot_current IS 'The open versions of customer_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snapshots.customer_snapshot_as_of(p_at) AS TABLE
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.customer_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );

CREATE OR REPLACE MACRO snapshots.customer_snapshot_changes(p_from, p_to) AS TABLE
SELECT
  v.customer_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.first_name AS first_name_before,
  v.first_name AS first_name_after,
  b.last_name AS last_name_before,
  v.last_name AS last_name_after,
  b.email AS email_before,
  v.email AS email_after,
  b.phone AS phone_before,
  v.phone AS phone_after,
  b.created_at AS created_at_before,
  v.created_at AS created_at_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.customer_snapshot AS v
LEFT JOIN snapshots.customer_snapshot AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.first_name AS first_name_before,
  CAST(NULL AS TEXT) AS first_name_after,
  v.last_name AS last_name_before,
  CAST(NULL AS TEXT) AS last_name_after,
  v.email AS email_before,
  CAST(NULL AS TEXT) AS email_after,
  v.phone AS phone_before,
  CAST(NULL AS TEXT) AS phone_after,
  v.created_at AS created_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS created_at_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.customer_snapshot AS v
LEFT JOIN snapshots.customer_snapshot AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL;

CREATE OR REPLACE VIEW snapshots.customer_snapshot_health AS
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
      FROM snapshots.customer_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snapshots.customer_snapshot_health IS 'What is wrong with the history customer_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.customer_snapshot_health.problem IS 'two_open, inverted, overlap, gap or orphan.';

COMMENT ON COLUMN snapshots.customer_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.customer_snapshot_health.example IS 'Up to five keys.';


-- ==================== tables/order_snapshot.sql: snapshot snapshots.order_snapshot

CREATE TABLE IF NOT EXISTS snapshots.order_snapshot (
  order_id BIGINT NOT NULL,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT order_snapshot_pk PRIMARY KEY (order_id, valid_from)
);

COMMENT ON TABLE snapshots.order_snapshot IS 'History of every order from pending over shipped to delivered.';

COMMENT ON COLUMN snapshots.order_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.order_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.order_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.order_snapshot.closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snapshots.order_snapshot') ON CONFLICT (node) DO NOTHING;


-- ==================== views/order_snapshot.sql: views of snapshots.order_snapshot

CREATE OR REPLACE VIEW snapshots.order_snapshot_current AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.order_snapshot_current IS 'The open versions of order_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.order_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snapshots.order_snapshot_as_of(p_at) AS TABLE
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.order_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );

CREATE OR REPLACE MACRO snapshots.order_snapshot_changes(p_from, p_to) AS TABLE
SELECT
  v.order_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.customer_id AS customer_id_before,
  v.customer_id AS customer_id_after,
  b.order_date AS order_date_before,
  v.order_date AS order_date_after,
  b.status AS status_before,
  v.status AS status_after,
  b.total_amount AS total_amount_before,
  v.total_amount AS total_amount_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.order_snapshot AS v
LEFT JOIN snapshots.order_snapshot AS b
  ON b.order_id = v.order_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.order_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.customer_id AS customer_id_before,
  CAST(NULL AS BIGINT) AS customer_id_after,
  v.order_date AS order_date_before,
  CAST(NULL AS DATE) AS order_date_after,
  v.status AS status_before,
  CAST(NULL AS TEXT) AS status_after,
  v.total_amount AS total_amount_before,
  CAST(NULL AS DECIMAL(12, 2)) AS total_amount_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.order_snapshot AS v
LEFT JOIN snapshots.order_snapshot AS n
  ON n.order_id = v.order_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL;

CREATE OR REPLACE VIEW snapshots.order_snapshot_health AS
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
  p.c360_problem;

COMMENT ON VIEW snapshots.order_snapshot_health IS 'What is wrong with the history order_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.order_snapshot_health.problem IS 'two_open, inverted, overlap, gap or orphan.';

COMMENT ON COLUMN snapshots.order_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.order_snapshot_health.example IS 'Up to five keys.';


-- ==================== tables/payment_snapshot.sql: snapshot snapshots.payment_snapshot

CREATE TABLE IF NOT EXISTS snapshots.payment_snapshot (
  payment_id BIGINT NOT NULL,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT payment_snapshot_pk PRIMARY KEY (payment_id, valid_from)
);

COMMENT ON TABLE snapshots.payment_snapshot IS 'History of every payment from pending over completed to refunded.';

COMMENT ON COLUMN snapshots.payment_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.payment_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.payment_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.payment_snapshot.closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snapshots.payment_snapshot') ON CONFLICT (node) DO NOTHING;


-- ==================== views/payment_snapshot.sql: views of snapshots.payment_snapshot

CREATE OR REPLACE VIEW snapshots.payment_snapshot_current AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.payment_snapshot_current IS 'The open versions of payment_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.payment_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

CREATE OR REPLACE MACRO snapshots.payment_snapshot_as_of(p_at) AS TABLE
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  );

CREATE OR REPLACE MACRO snapshots.payment_snapshot_changes(p_from, p_to) AS TABLE
SELECT
  v.payment_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.order_id AS order_id_before,
  v.order_id AS order_id_after,
  b.payment_method AS payment_method_before,
  v.payment_method AS payment_method_after,
  b.amount AS amount_before,
  v.amount AS amount_after,
  b.status AS status_before,
  v.status AS status_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.payment_snapshot AS v
LEFT JOIN snapshots.payment_snapshot AS b
  ON b.payment_id = v.payment_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.payment_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.order_id AS order_id_before,
  CAST(NULL AS BIGINT) AS order_id_after,
  v.payment_method AS payment_method_before,
  CAST(NULL AS TEXT) AS payment_method_after,
  v.amount AS amount_before,
  CAST(NULL AS DECIMAL(12, 2)) AS amount_after,
  v.status AS status_before,
  CAST(NULL AS TEXT) AS status_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.payment_snapshot AS v
LEFT JOIN snapshots.payment_snapshot AS n
  ON n.payment_id = v.payment_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL;

CREATE OR REPLACE VIEW snapshots.payment_snapshot_health AS
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
      COALESCE(CAST(v.payment_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.payment_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
      FROM snapshots.payment_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snapshots.payment_snapshot_health IS 'What is wrong with the history payment_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.problem IS 'two_open, inverted, overlap, gap or orphan.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.example IS 'Up to five keys.';


-- ==================== views/stg_customers.sql: view staging.stg_customers

CREATE OR REPLACE VIEW staging.stg_customers AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name) AS first_name,
  TRIM(customers.last_name) AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM raw_data.customers AS customers;


-- ==================== views/stg_interactions.sql: view staging.stg_interactions

CREATE OR REPLACE VIEW staging.stg_interactions AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM raw_data.interactions AS interactions;


-- ==================== views/stg_orders.sql: view staging.stg_orders

CREATE OR REPLACE VIEW staging.stg_orders AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM raw_data.orders AS orders;


-- ==================== views/stg_payments.sql: view staging.stg_payments

CREATE OR REPLACE VIEW staging.stg_payments AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM raw_data.payments AS payments;


-- ==================== tables/int_customer_orders.sql: incremental intermediate.int_customer_orders

CREATE TABLE IF NOT EXISTS intermediate.int_customer_orders (
  order_id BIGINT NOT NULL,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT int_customer_orders_pk PRIMARY KEY (order_id)
);

COMMENT ON TABLE intermediate.int_customer_orders IS 'Orders, the latest state of each.';

CREATE INDEX IF NOT EXISTS int_customer_orders_customer_id_ix ON intermediate.int_customer_orders(customer_id);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_customer_orders') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/int_interactions.sql: incremental intermediate.int_interactions

CREATE TABLE IF NOT EXISTS intermediate.int_interactions (
  interaction_id BIGINT,
  customer_id BIGINT,
  channel TEXT,
  subject TEXT,
  occurred_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_interactions IS 'Every contact with a customer, appended as it comes.';

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_interactions') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/int_payments.sql: incremental intermediate.int_payments

CREATE TABLE IF NOT EXISTS intermediate.int_payments (
  payment_id BIGINT NOT NULL,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_payments IS 'Payments, the latest state of each.';

CREATE INDEX IF NOT EXISTS int_payments_key_ix ON intermediate.int_payments(payment_id);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_payments') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/mart_customer_360.sql: table marts.mart_customer_360

CREATE TABLE IF NOT EXISTS marts.mart_customer_360 (
  customer_id BIGINT NOT NULL,
  full_name TEXT,
  email TEXT,
  order_count BIGINT,
  lifetime_value DECIMAL(38, 2),
  average_order_value DECIMAL(38, 2),
  days_since_last_order BIGINT,
  months_as_customer BIGINT,
  payment_count BIGINT,
  refund_rate DECIMAL(9, 4),
  paid_amount DECIMAL(38, 2),
  favourite_payment_method TEXT,
  interaction_count BIGINT,
  last_channel TEXT,
  version_count BIGINT,
  segment TEXT,
  CONSTRAINT mart_customer_360_pk PRIMARY KEY (customer_id)
);

COMMENT ON TABLE marts.mart_customer_360 IS 'One row per current customer - value, recency, payment behaviour, contacts, segment.';

COMMENT ON COLUMN marts.mart_customer_360.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN marts.mart_customer_360.lifetime_value IS 'Sum of all orders that were not cancelled, in euro.';

COMMENT ON COLUMN marts.mart_customer_360.days_since_last_order IS 'Whole days between the last order and the run.';

COMMENT ON COLUMN marts.mart_customer_360.months_as_customer IS 'Months of 30 days since the first order, truncated.';

COMMENT ON COLUMN marts.mart_customer_360.refund_rate IS 'Share of payments that were refunded.';

COMMENT ON COLUMN marts.mart_customer_360.version_count IS 'Versions of the customer in the history.';

INSERT INTO c360_control.state (node) VALUES ('marts.mart_customer_360') ON CONFLICT (node) DO NOTHING;


INSERT INTO c360_control.release (shape)
SELECT '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f'
WHERE NOT EXISTS (SELECT 1 FROM c360_control.release AS r WHERE r.shape = '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f');

COMMIT;
