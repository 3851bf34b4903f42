-- c360gen | postgres | snapshot snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: fb9f7b06cbde250d98424499605a08b5359f34689a5a9f879bb7914d650bb6dd

CREATE TABLE IF NOT EXISTS snap.spending (
  customer_id BIGINT NOT NULL,
  total DECIMAL(38, 2),
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT spending_pk PRIMARY KEY (customer_id, valid_from),
  CONSTRAINT spending_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snap.spending IS 'History of the query of spending, one row per version.';

COMMENT ON COLUMN snap.spending.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snap.spending.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snap.spending.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snap.spending.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS spending_open_uq ON snap.spending(customer_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snap.spending') ON CONFLICT (node) DO NOTHING;
