-- c360gen | postgres | who may do what | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 66697fed9183cd7e2fc6179b45c8a1b39c0eab404dbf74a5ae7455c7fc6b4c64

-- c360_runner may call the runs and read the log, and nothing else.
GRANT USAGE ON SCHEMA c360_control TO c360_runner;
GRANT SELECT ON c360_control.run_log, c360_control.state, c360_control.windows, c360_control.run_health, c360_control.node_status, c360_control.source_freshness TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.run_begin(TEXT, TEXT, TIMESTAMPTZ, TEXT, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.run_failed(BIGINT, TEXT, TEXT, TEXT) TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.window_begin(BIGINT, TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.run_is_alive(INTEGER, TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_customers(TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_spending(TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_order_lines(TIMESTAMPTZ, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.apply_customers(BIGINT, TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.apply_spending(BIGINT, TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.apply_order_lines(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_job_nightly() TO c360_runner;

-- c360_reader may read.
GRANT USAGE ON SCHEMA analytics, ref, snap TO c360_reader;
GRANT SELECT ON ref.country TO c360_reader;
GRANT SELECT ON analytics.customers TO c360_reader;
GRANT SELECT ON snap.spending TO c360_reader;
GRANT SELECT ON snap.spending_current TO c360_reader;
GRANT SELECT ON snap.spending_health TO c360_reader;
GRANT SELECT ON analytics.order_lines TO c360_reader;
GRANT EXECUTE ON FUNCTION snap.spending_as_of(TIMESTAMPTZ) TO c360_reader;
GRANT EXECUTE ON FUNCTION snap.spending_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_reader;

-- analyst may read the nodes that name it under grants:.
GRANT USAGE ON SCHEMA ref, analytics, snap TO analyst;
GRANT SELECT ON ref.country TO analyst;
GRANT SELECT ON analytics.customers TO analyst;
GRANT SELECT ON snap.spending TO analyst;
GRANT SELECT ON snap.spending_current TO analyst;
GRANT SELECT ON snap.spending_health TO analyst;
GRANT EXECUTE ON FUNCTION snap.spending_as_of(TIMESTAMPTZ) TO analyst;
GRANT EXECUTE ON FUNCTION snap.spending_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO analyst;
