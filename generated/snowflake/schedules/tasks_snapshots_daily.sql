-- c360gen | snowflake | schedule snapshots_daily as a task graph | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: db806e6ca207bf70babdc751727ce97a60cfcb3637df3611cd5f33c84f134158

-- One task per node: a failing node stops only what depends on it, and EXECUTE TASK C360.c360_control.task_snapshots_daily RETRY LAST resumes there. However
-- often one fails the graph goes on for the others (0): C360.c360_control.run_status has the failures, TASK_HISTORY the errors.
-- The owner needs EXECUTE TASK on the account and USAGE on the warehouse; all tasks share one owner and one schema.
-- CREATE OR REPLACE TASK takes away what was granted on the task: grant it again, after every time this file is executed.
-- Tasks are created suspended. Wake the whole graph with
--   SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('C360.c360_control.task_snapshots_daily');

-- A graph can be changed only while its root is suspended. Its tasks are, too, so that none is awake while others are replaced. A run
-- under way finishes with the old definition.
ALTER TASK IF EXISTS C360.c360_control.task_snapshots_daily SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_snapshots_daily__customer_snapshot SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_snapshots_daily__order_snapshot SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_snapshots_daily__payment_snapshot SUSPEND;

CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily
  WAREHOUSE = ETL
  SCHEDULE = 'USING CRON 0 0 * * * UTC'
  SUSPEND_TASK_AFTER_NUM_FAILURES = 0
  COMMENT = 'Schedule snapshots_daily: root'
AS
  SELECT 1;

-- LOCK_TIMEOUT is how long a node waits for another run of itself, in seconds. Only here can it be set: a procedure with owner's
-- rights may not change session parameters, and the default is 12 hours. AUTOCOMMIT may be off for a user or an account: a node would
-- then be called within a transaction.
CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily__customer_snapshot
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule snapshots_daily: customer_snapshot'
  AFTER C360.c360_control.task_snapshots_daily
AS
  CALL C360.c360_control.run_customer_snapshot();

CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily__order_snapshot
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule snapshots_daily: order_snapshot'
  AFTER C360.c360_control.task_snapshots_daily
AS
  CALL C360.c360_control.run_order_snapshot();

CREATE OR REPLACE TASK C360.c360_control.task_snapshots_daily__payment_snapshot
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule snapshots_daily: payment_snapshot'
  AFTER C360.c360_control.task_snapshots_daily
AS
  CALL C360.c360_control.run_payment_snapshot();
