"""The file for pg_cron, executed against the two functions and the table that it uses, in the shapes that pg_cron documents."""

from __future__ import annotations

from pathlib import Path

import psycopg

ROOT = Path(__file__).parents[2]
CRON = """
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint GENERATED ALWAYS AS IDENTITY, schedule text, command text, jobname text, 
                       username text DEFAULT current_user,
                       active boolean DEFAULT true, UNIQUE (jobname, username));
CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO cron.job (jobname, schedule, command) VALUES ($1, $2, $3)
    ON CONFLICT (jobname, username) DO UPDATE SET schedule = EXCLUDED.schedule, command = EXCLUDED.command RETURNING jobid $$;
CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL,
                               username text DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    UPDATE cron.job AS j SET active = COALESCE(alter_job.active, j.active) WHERE j.jobid = job_id $$;
"""


def test_jobs_are_created_paused_and_once(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CRON)
        for _ in range(2):
            for file in sorted((ROOT / "generated/postgres/schedules").glob("*.sql")):
                connection.execute(file.read_text(encoding="utf-8").encode(), prepare=False)
        found = connection.execute("SELECT jobname, schedule, command, active FROM cron.job ORDER BY jobname").fetchall()
    assert found == [
        ("customer_360 incrementals", "0 */3 * * *", "CALL c360_control.run_job_incrementals()", False),
        ("customer_360 snapshots_daily", "0 0 * * *", "CALL c360_control.run_job_snapshots_daily()", False),
    ]
