-- c360gen | postgres | incremental int.latest | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4df70e1108cb7aa212f8c248ae3eee941e4082d4e56652bd587cbcdff4cdd368

CREATE TABLE IF NOT EXISTS int.latest (
  id BIGINT NOT NULL,
  email TEXT,
  updated_at TIMESTAMPTZ,
  CONSTRAINT latest_pk PRIMARY KEY (id)
);

INSERT INTO c360_control.state (node) VALUES ('int.latest') ON CONFLICT (node) DO NOTHING;
