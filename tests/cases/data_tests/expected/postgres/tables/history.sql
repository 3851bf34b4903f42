-- c360gen | postgres | snapshot snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 73cf2b1f942a57e3c967d62a4faeeb8d481fc103431419a26e2e4813d1efa178

CREATE TABLE IF NOT EXISTS snapshots.history (
  customer_id BIGINT NOT NULL,
  email TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT history_pk PRIMARY KEY (customer_id, valid_from),
  CONSTRAINT history_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.history IS 'History of shop.customers, one row per version.';

COMMENT ON COLUMN snapshots.history.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.history.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.history.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.history.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS history_open_uq ON snapshots.history(customer_id)
WHERE
  valid_to IS NULL;

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_history (
  c360_action TEXT,
  c360_row tid,
  c360_rows BIGINT,
  c360_open_from TIMESTAMPTZ,
  c360_starts_at TIMESTAMPTZ,
  c360_ends_at TIMESTAMPTZ,
  customer_id BIGINT,
  email TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('snapshots.history') ON CONFLICT (node) DO NOTHING;
