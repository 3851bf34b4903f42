-- c360gen | postgres | snapshot snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8072c0c02d98dcb63eb43c409718fea5fa323f2645e10e82477a63fbf3fdf8a8

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

INSERT INTO c360_control.state (node) VALUES ('snapshots.history') ON CONFLICT (node) DO NOTHING;
