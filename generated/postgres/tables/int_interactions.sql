-- c360gen | postgres | incremental intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 252088cf5493dde9ccae68ad414d8ca3d665b9b74ba35c6f51ef842fcfa9a6bc

CREATE TABLE IF NOT EXISTS intermediate.int_interactions (
  interaction_id BIGINT,
  customer_id BIGINT,
  channel TEXT,
  subject TEXT,
  occurred_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_interactions IS 'Every contact with a customer, appended as it comes.';

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_interactions') ON CONFLICT (node) DO NOTHING;
