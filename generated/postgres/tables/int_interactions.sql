-- c360gen | postgres | incremental intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: fdc37f437867052224268af833134d16bdde3eaafe0ec1dd435e9fa9b10346b0

CREATE TABLE IF NOT EXISTS intermediate.int_interactions (
  interaction_id BIGINT,
  customer_id BIGINT,
  channel TEXT,
  subject TEXT,
  occurred_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_interactions IS 'Every contact with a customer, appended as it comes.';

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_int_interactions (
  c360_action TEXT,
  interaction_id BIGINT,
  customer_id BIGINT,
  channel TEXT,
  subject TEXT,
  occurred_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_interactions') ON CONFLICT (node) DO NOTHING;
