-- c360gen | postgres | incremental int.latest | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a572b6b80d4d148b21acfaf62919b34bab13a55a410988f304d3877cfe0b9255

CREATE TABLE IF NOT EXISTS int.latest (
  id BIGINT NOT NULL,
  email TEXT,
  updated_at TIMESTAMPTZ,
  CONSTRAINT latest_pk PRIMARY KEY (id)
);

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_latest (
  c360_action TEXT,
  c360_row tid,
  c360_copies BIGINT,
  c360_position BIGINT,
  id BIGINT,
  email TEXT,
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('int.latest') ON CONFLICT (node) DO NOTHING;
