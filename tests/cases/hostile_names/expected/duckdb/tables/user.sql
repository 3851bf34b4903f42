-- c360gen | duckdb | snapshot snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2d78583561688f4befbf711fee196904d71acf361667aab142ab79b3d7f9e988

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
  CONSTRAINT user_pk PRIMARY KEY ("group", valid_from)
);

COMMENT ON TABLE snap."user" IS 'Quotes '' and " and \ and --; DROP TABLE x; $$ and %s {{ x }}';

COMMENT ON COLUMN snap."user".valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snap."user".valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snap."user".opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snap."user".closed_run_id IS 'Run that closed this version.';

INSERT INTO c360_control.state (node) VALUES ('snap.user') ON CONFLICT (node) DO NOTHING;
