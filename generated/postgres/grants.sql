-- c360gen | postgres | who may do what | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f471d46de7daeb547dfc1960c9dd2a4186c48749ad0be2ce38647caafdebdcfe

-- c360_job may call the runs and read the log, and nothing else.
GRANT USAGE ON SCHEMA c360_control TO c360_job;
GRANT SELECT ON c360_control.run_log, c360_control.state, c360_control.windows, c360_control.run_health, c360_control.node_status TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.run_begin(TEXT, TEXT, TIMESTAMPTZ, TEXT, BOOLEAN) TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.run_failed(BIGINT, TEXT, TEXT, TEXT) TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.window_begin(BIGINT, TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.run_is_alive(INTEGER, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_customer_snapshot(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_order_snapshot(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_payment_snapshot(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_int_customer_orders(TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_int_interactions(TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_int_payments(TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_mart_customer_360(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_customer_snapshot(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_order_snapshot(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_payment_snapshot(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_int_customer_orders(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_int_interactions(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_int_payments(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_mart_customer_360(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_job_snapshots_daily() TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_job_incrementals() TO c360_job;

-- c360_read may read.
GRANT USAGE ON SCHEMA intermediate, marts, snapshots, staging TO c360_read;
GRANT SELECT ON snapshots.customer_snapshot TO c360_read;
GRANT SELECT ON snapshots.customer_snapshot_current TO c360_read;
GRANT SELECT ON snapshots.customer_snapshot_health TO c360_read;
GRANT SELECT ON snapshots.order_snapshot TO c360_read;
GRANT SELECT ON snapshots.order_snapshot_current TO c360_read;
GRANT SELECT ON snapshots.order_snapshot_health TO c360_read;
GRANT SELECT ON snapshots.payment_snapshot TO c360_read;
GRANT SELECT ON snapshots.payment_snapshot_current TO c360_read;
GRANT SELECT ON snapshots.payment_snapshot_health TO c360_read;
GRANT SELECT ON staging.stg_customers TO c360_read;
GRANT SELECT ON staging.stg_interactions TO c360_read;
GRANT SELECT ON staging.stg_orders TO c360_read;
GRANT SELECT ON staging.stg_payments TO c360_read;
GRANT SELECT ON intermediate.int_customer_orders TO c360_read;
GRANT SELECT ON intermediate.int_interactions TO c360_read;
GRANT SELECT ON intermediate.int_payments TO c360_read;
GRANT SELECT ON marts.mart_customer_360 TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.customer_snapshot_as_of(TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.customer_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.order_snapshot_as_of(TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.order_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.payment_snapshot_as_of(TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.payment_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_read;
