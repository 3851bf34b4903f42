-- c360gen | postgres | incremental int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 313acb565faed57c671d39c6a663944a695072d52529f607fd0feca954790f88

CREATE TABLE IF NOT EXISTS int."limit" (
  "group" BIGINT NOT NULL,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  remark TEXT,
  updated_at TIMESTAMPTZ,
  CONSTRAINT limit_pk PRIMARY KEY ("group")
);

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_table (
  c360_action TEXT,
  c360_row tid,
  c360_copies BIGINT,
  c360_position BIGINT,
  "group" BIGINT,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  remark TEXT,
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('int.limit') ON CONFLICT (node) DO NOTHING;
