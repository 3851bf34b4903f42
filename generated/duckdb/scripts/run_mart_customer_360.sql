-- c360gen | duckdb | run of marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2f8fad1c0d8f6374c0e19bfa0159ef305ead18ef14d3b5d004bf10aaed39cfaa

-- Replaces the contents of mart_customer_360 by its query.
--
-- Run it whole, in one session that nothing else writes through: `c360gen run`, or `duckdb -bail FILE < this`.
-- Before it, `SET VARIABLE as_of = TIMESTAMPTZ '…'` repeats a run as of a stated time.
--
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
-- Errors:  ZC005 time runs backwards
--          Nothing is written on an error; the row `running` stays, and the next run marks it as `abandoned`.
SET TimeZone = 'UTC';

-- 1. Announce the run in a transaction of its own, so that a run that dies leaves a trace. Its first statement fails while another
--    session runs this node, before it touches that session's row of the log.
BEGIN TRANSACTION;
UPDATE c360_control.state SET last_run_id = last_run_id WHERE node = 'marts.mart_customer_360';
UPDATE c360_control.run_log SET status = 'abandoned', finished_at = now() WHERE node = 'marts.mart_customer_360' AND status = 'running';
SET VARIABLE run_id = nextval('c360_control.run_id');
INSERT INTO c360_control.run_log (run_id, node, status, as_of, started_at, spec_hash)
SELECT getvariable('run_id'), 'marts.mart_customer_360', 'running', getvariable('as_of'), now(), 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
COMMIT;

-- 2. Lock, run time, window. Another session that runs this node at the same time fails here or at its commit.
BEGIN TRANSACTION;
SET VARIABLE known = (SELECT {'last_as_of': s.last_as_of, 'watermark': s.watermark} FROM c360_control.state AS s WHERE s.node = 'marts.mart_customer_360');
SET VARIABLE last_as_of = getvariable('known').last_as_of;
SET VARIABLE watermark = getvariable('known').watermark;
UPDATE c360_control.state SET last_run_id = getvariable('run_id') WHERE node = 'marts.mart_customer_360';
SET VARIABLE as_of = COALESCE(CAST(getvariable('as_of') AS TIMESTAMPTZ), now());
SET VARIABLE latest = getvariable('as_of') + INTERVAL '300 seconds';
SELECT
    error(concat(
        'ZC005 ', 'marts.mart_customer_360', ': the run time ', getvariable('as_of'),
        CASE
            WHEN getvariable('as_of') < getvariable('last_as_of')
            THEN concat(
                ' is before that of the last run, ', getvariable('last_as_of'), '. Nothing was written. Repeat runs in ascending order of as_of.'
            )
            ELSE ' is in the future. Nothing was written.'
        END
    ))
WHERE getvariable('as_of') < getvariable('last_as_of') OR getvariable('as_of') > now() + INTERVAL '300 seconds';

-- Count the rows that go.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS target_rows
        FROM marts.mart_customer_360 AS t
    ) AS q
);
SET VARIABLE target_rows = getvariable('counted').target_rows;

-- Empty the table; readers see its rows until the commit.
DELETE FROM marts.mart_customer_360 AS t
WHERE
  TRUE;

-- Fill it again.
INSERT INTO marts.mart_customer_360 (
  customer_id,
  full_name,
  email,
  order_count,
  lifetime_value,
  average_order_value,
  days_since_last_order,
  months_as_customer,
  payment_count,
  refund_rate,
  paid_amount,
  favourite_payment_method,
  interaction_count,
  last_channel,
  version_count,
  segment
)
SELECT
  m.customer_id,
  m.full_name,
  m.email,
  m.order_count,
  m.lifetime_value,
  m.average_order_value,
  m.days_since_last_order,
  m.months_as_customer,
  m.payment_count,
  m.refund_rate,
  m.paid_amount,
  m.favourite_payment_method,
  m.interaction_count,
  m.last_channel,
  m.version_count,
  m.segment
FROM (
  WITH clock AS (
    SELECT
      CAST(GETVARIABLE('as_of') AT TIME ZONE 'UTC' AS DATE) AS today
  ), orders AS (
    SELECT
      o.customer_id AS customer_id,
      COUNT(*) AS order_count,
      SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
      C360_QUOTIENT(SUM(o.total_amount), NULLIF(COUNT(o.total_amount), 0)) AS average_order_value,
      MIN(o.order_date) AS first_order_date,
      MAX(o.order_date) AS last_order_date
    FROM intermediate.int_customer_orders AS o
    GROUP BY
      o.customer_id
  ), payments AS (
    SELECT
      o.customer_id AS customer_id,
      COUNT(*) AS payment_count,
      SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
      SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
    FROM intermediate.int_payments AS p
    JOIN intermediate.int_customer_orders AS o
      ON o.order_id = p.order_id
    GROUP BY
      o.customer_id
  ), methods AS (
    SELECT
      o.customer_id AS customer_id,
      p.payment_method AS payment_method,
      COUNT(*) AS used
    FROM intermediate.int_payments AS p
    JOIN intermediate.int_customer_orders AS o
      ON o.order_id = p.order_id
    WHERE
      p.payment_method IS NOT NULL
    GROUP BY
      o.customer_id,
      p.payment_method
  ), favourites AS (
    SELECT
      ranked.customer_id AS customer_id,
      ranked.payment_method AS payment_method
    FROM (
      SELECT
        methods.customer_id AS customer_id,
        methods.payment_method AS payment_method,
        ROW_NUMBER() OVER (PARTITION BY methods.customer_id ORDER BY methods.used DESC NULLS FIRST, methods.payment_method) AS position
      FROM methods AS methods
    ) AS ranked
    WHERE
      ranked.position = 1
  ), contacts AS (
    SELECT
      int_interactions.customer_id AS customer_id,
      int_interactions.channel AS channel,
      COUNT(*) OVER (PARTITION BY int_interactions.customer_id) AS interaction_count,
      ROW_NUMBER() OVER (
        PARTITION BY int_interactions.customer_id
        ORDER BY int_interactions.occurred_at DESC NULLS FIRST, int_interactions.interaction_id DESC NULLS FIRST
      ) AS recency
    FROM intermediate.int_interactions AS int_interactions
  ), versions AS (
    SELECT
      customer_snapshot.customer_id AS customer_id,
      COUNT(*) AS version_count
    FROM snapshots.customer_snapshot AS customer_snapshot
    GROUP BY
      customer_snapshot.customer_id
  )
  SELECT
    c.customer_id AS customer_id,
    CAST(TRIM(c.first_name) || ' ' || TRIM(c.last_name) AS TEXT) AS full_name,
    c.email AS email,
    CAST(COALESCE(o.order_count, 0) AS BIGINT) AS order_count,
    CAST(COALESCE(o.lifetime_value, 0) AS DECIMAL(38, 2)) AS lifetime_value,
    CAST(o.average_order_value AS DECIMAL(38, 2)) AS average_order_value,
    CAST(clock.today - o.last_order_date AS BIGINT) AS days_since_last_order,
    CAST((
      (
        clock.today - o.first_order_date
      ) // 30
    ) AS BIGINT) AS months_as_customer,
    CAST(COALESCE(p.payment_count, 0) AS BIGINT) AS payment_count,
    CAST(C360_QUOTIENT(CAST(p.refund_count AS DECIMAL(12, 4)), NULLIF(p.payment_count, 0)) AS DECIMAL(9, 4)) AS refund_rate,
    CAST(COALESCE(p.paid_amount, 0) AS DECIMAL(38, 2)) AS paid_amount,
    f.payment_method AS favourite_payment_method,
    CAST(COALESCE(k.interaction_count, 0) AS BIGINT) AS interaction_count,
    k.channel AS last_channel,
    CAST(v.version_count AS BIGINT) AS version_count,
    CAST(CASE
      WHEN o.order_count IS NULL
      THEN 'prospect'
      WHEN o.lifetime_value >= 500
      THEN 'gold'
      WHEN clock.today - o.last_order_date <= 90
      THEN 'active'
      ELSE 'dormant'
    END AS TEXT) AS segment
  FROM snapshots.customer_snapshot AS c
  CROSS JOIN clock AS clock
  JOIN versions AS v
    ON v.customer_id = c.customer_id
  LEFT JOIN orders AS o
    ON o.customer_id = c.customer_id
  LEFT JOIN payments AS p
    ON p.customer_id = c.customer_id
  LEFT JOIN favourites AS f
    ON f.customer_id = c.customer_id
  LEFT JOIN contacts AS k
    ON k.customer_id = c.customer_id AND k.recency = 1
  WHERE
    c.valid_to IS NULL
) AS m;

-- Count the rows that came.
SET VARIABLE counted = (
    SELECT q
    FROM (
        SELECT
          COUNT(*) AS new_rows
        FROM marts.mart_customer_360 AS t
    ) AS q
);
SET VARIABLE new_rows = getvariable('counted').new_rows;

-- Book-keeping, in the transaction of the data.
UPDATE c360_control.state
SET last_as_of = getvariable('as_of')
WHERE node = 'marts.mart_customer_360';
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
