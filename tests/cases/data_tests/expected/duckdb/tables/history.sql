-- c360gen | duckdb | snapshot snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 47a2f3f5382bb6cfe34bf063c533aa8d43e0772da5e6b651014801584f733906

CREATE TABLE IF NOT EXISTS snapshots.history (
  customer_id BIGINT NOT NULL,
  email TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT history_pk PRIMARY KEY (customer_id, valid_from)
);

COMMENT ON TABLE snapshots.history IS 'History of shop.customers, one row per version.';

COMMENT ON COLUMN snapshots.history.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.history.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.history.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.history.closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snapshots.history') ON CONFLICT (node) DO NOTHING;
