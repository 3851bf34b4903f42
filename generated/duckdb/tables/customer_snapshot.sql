-- c360gen | duckdb | snapshot snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8f2123cb79ec2474a4cad774c2526cdf6a753608050b45dcbbbaf4e31b0f518d

CREATE TABLE IF NOT EXISTS snapshots.customer_snapshot (
  customer_id BIGINT NOT NULL,
  first_name TEXT,
  last_name TEXT,
  email TEXT,
  phone TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT customer_snapshot_pk PRIMARY KEY (customer_id, valid_from)
);

COMMENT ON TABLE snapshots.customer_snapshot IS 'History of every customer, one row per version of name, e-mail address and telephone number.';

COMMENT ON COLUMN snapshots.customer_snapshot.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.customer_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.customer_snapshot.closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snapshots.customer_snapshot') ON CONFLICT (node) DO NOTHING;
