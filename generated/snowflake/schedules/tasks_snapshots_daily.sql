-- c360gen | snowflake | schedule snapshots_daily as a task graph | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8c06fab106fc3748e1325d9013a4381314384ffc88ae21d1164bb63df0f4a2a4

-- One task per node: a failing node stops only what depends on it, and EXECUTE TASK C360.c360_control.task_snapshots_daily RETRY LAST resumes there. However
-- often one fails the graph goes on for the others (0): C360.c360_control.run_status has the failures, TASK_HISTORY the errors.
-- The owner needs EXECUTE TASK on the account and USAGE on the warehouse; all tasks share one owner and one schema.
-- Tasks are created suspended. Wake the whole graph with
--   SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('C360.c360_control.task_snapshots_daily');

-- A graph can be changed only while its root is suspended; a run under way finishes with the old definition.
ALTER TASK IF EXISTS C360.c360_control.task_snapshots_daily SUSPEND;

CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily
  WAREHOUSE = ETL
  SCHEDULE = 'USING CRON 0 0 * * * UTC'
  SUSPEND_TASK_AFTER_NUM_FAILURES = 0
  COMMENT = 'Schedule snapshots_daily: root'
AS
  SELECT 1;

-- LOCK_TIMEOUT is how long a node waits for another run of itself, in seconds. Only here can it be set: a procedure with owner's
-- rights may not change session parameters, and the default is 12 hours.
CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily__customer_snapshot
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600
  TIMEZONE = 'UTC'
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule snapshots_daily: customer_snapshot'
  AFTER C360.c360_control.task_snapshots_daily
AS
  CALL C360.c360_control.run_customer_snapshot();

CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily__order_snapshot
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600
  TIMEZONE = 'UTC'
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule snapshots_daily: order_snapshot'
  AFTER C360.c360_control.task_snapshots_daily
AS
  CALL C360.c360_control.run_order_snapshot();

CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily__payment_snapshot
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600
  TIMEZONE = 'UTC'
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule snapshots_daily: payment_snapshot'
  AFTER C360.c360_control.task_snapshots_daily
AS
  CALL C360.c360_control.run_payment_snapshot();
