-- c360gen | snowflake | schedule incrementals as a task graph | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4a0080f5a7c68164ca3619cd93d5517d673f646f7e764f8b7e65798708c24497

-- One task per node: a failing node stops only what depends on it, and EXECUTE TASK C360.c360_control.task_incrementals RETRY LAST resumes there. However
-- often one fails the graph goes on for the others (0): C360.c360_control.run_status has the failures, TASK_HISTORY the errors.
-- The owner needs EXECUTE TASK on the account and USAGE on the warehouse; all tasks share one owner and one schema.
-- CREATE OR REPLACE TASK takes away what was granted on the task: grant it again, after every time this file is executed.
-- Tasks are created suspended. Wake the whole graph with
--   SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('C360.c360_control.task_incrementals');

-- A graph can be changed only while its root is suspended. Its tasks are, too, so that none is awake while others are replaced. A run
-- under way finishes with the old definition.
ALTER TASK IF EXISTS C360.c360_control.task_incrementals SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_incrementals__int_customer_orders SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_incrementals__int_interactions SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_incrementals__int_payments SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_incrementals__mart_customer_360 SUSPEND;

CREATE OR REPLACE TASK C360.c360_control.task_incrementals
  WAREHOUSE = ETL
  SCHEDULE = 'USING CRON 0 */3 * * * UTC'
  SUSPEND_TASK_AFTER_NUM_FAILURES = 0
  COMMENT = 'Schedule incrementals: root'
AS
  SELECT 1;

-- LOCK_TIMEOUT is how long a node waits for another run of itself, in seconds. Only here can it be set: a procedure with owner's
-- rights may not change session parameters, and the default is 12 hours. AUTOCOMMIT may be off for a user or an account: a node would
-- then be called within a transaction.
CREATE OR REPLACE TASK C360.c360_control.task_incrementals__int_customer_orders
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule incrementals: int_customer_orders'
  AFTER C360.c360_control.task_incrementals
AS
  CALL C360.c360_control.run_int_customer_orders();

CREATE OR REPLACE TASK C360.c360_control.task_incrementals__int_interactions
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule incrementals: int_interactions'
  AFTER C360.c360_control.task_incrementals
AS
  CALL C360.c360_control.run_int_interactions();

CREATE OR REPLACE TASK C360.c360_control.task_incrementals__int_payments
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule incrementals: int_payments'
  AFTER C360.c360_control.task_incrementals
AS
  CALL C360.c360_control.run_int_payments();

CREATE OR REPLACE TASK C360.c360_control.task_incrementals__mart_customer_360
  WAREHOUSE = ETL
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule incrementals: mart_customer_360'
  AFTER C360.c360_control.task_incrementals__int_customer_orders, C360.c360_control.task_incrementals__int_interactions, C360.c360_control.task_incrementals__int_payments
AS
  CALL C360.c360_control.run_mart_customer_360();
