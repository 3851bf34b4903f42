-- c360gen | postgres | snapshot snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: e77f3695490bae91b6f0f7a36ce117c6e7aae1e619d3894770f06a372bc05b05

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

INSERT INTO c360_control.state (node) VALUES ('snap.user') ON CONFLICT (node) DO NOTHING;
