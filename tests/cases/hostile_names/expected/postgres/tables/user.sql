-- c360gen | postgres | snapshot snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2ca9aef8f90b377631cef5e109fcb44c99038da70ad17386262efedd90126df7

CREATE TABLE IF NOT EXISTS snap."user" (
  "group" BIGINT NOT NULL,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT user_pk PRIMARY KEY ("group", valid_from),
  CONSTRAINT user_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snap."user" IS 'Quotes '' and " and \ and --; DROP TABLE x; $$ and %s {{ x }}';

COMMENT ON COLUMN snap."user".valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snap."user".valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snap."user".opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snap."user".closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS user_open_uq ON snap."user"("group")
WHERE
  valid_to IS NULL;

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_user (
  c360_action TEXT,
  c360_row tid,
  c360_rows BIGINT,
  c360_open_from TIMESTAMPTZ,
  c360_starts_at TIMESTAMPTZ,
  c360_ends_at TIMESTAMPTZ,
  "group" BIGINT,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('snap.user') ON CONFLICT (node) DO NOTHING;
