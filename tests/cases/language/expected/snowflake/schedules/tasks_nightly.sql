-- c360gen | snowflake | schedule nightly as a task graph | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f26dd2cd1967678a888f43f97b322d5778cddcb9943bd9117230472116ea609b

-- One task per node: a failing node stops only what depends on it, and EXECUTE TASK C360.c360_control.task_nightly RETRY LAST resumes there. However
-- often one fails the graph goes on for the others (0): C360.c360_control.run_status has the failures, TASK_HISTORY the errors.
-- The owner needs EXECUTE TASK and EXECUTE MANAGED TASK on the account; all tasks share one owner and one schema.
-- CREATE OR REPLACE TASK takes away what was granted on the task: grant it again, after every time this file is executed.
-- Tasks are created suspended. Wake the whole graph with
--   SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('C360.c360_control.task_nightly');

-- A graph can be changed only while its root is suspended. Its tasks are, too, so that none is awake while others are replaced. A run
-- under way finishes with the old definition.
ALTER TASK IF EXISTS C360.c360_control.task_nightly SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_nightly__customers SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_nightly__spending SUSPEND;
ALTER TASK IF EXISTS C360.c360_control.task_nightly__order_lines SUSPEND;

CREATE OR REPLACE TASK C360.c360_control.task_nightly
  SCHEDULE = 'USING CRON 0 2 * * * UTC'
  SUSPEND_TASK_AFTER_NUM_FAILURES = 0
  COMMENT = 'Schedule nightly: root'
AS
  SELECT 1;

-- LOCK_TIMEOUT is how long a node waits for another run of itself, in seconds. Only here can it be set: a procedure with owner's
-- rights may not change session parameters, and the default is 12 hours. AUTOCOMMIT may be off for a user or an account: a node would
-- then be called within a transaction.
CREATE OR REPLACE TASK C360.c360_control.task_nightly__customers
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule nightly: customers'
  AFTER C360.c360_control.task_nightly
AS
  CALL C360.c360_control.run_customers();

CREATE OR REPLACE TASK C360.c360_control.task_nightly__spending
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule nightly: spending'
  AFTER C360.c360_control.task_nightly
AS
  CALL C360.c360_control.run_spending();

CREATE OR REPLACE TASK C360.c360_control.task_nightly__order_lines
  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE
  USER_TASK_TIMEOUT_MS = 43200000
  COMMENT = 'Schedule nightly: order_lines'
  AFTER C360.c360_control.task_nightly__customers
AS
  CALL C360.c360_control.run_order_lines();
