-- c360gen | postgres | incremental int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9e4a863262b0b8af774d24ed66fbc2d3739c67c6c32f3eb40e724742511e97cd

CREATE TABLE IF NOT EXISTS int."limit" (
  "group" BIGINT NOT NULL,
  "select" TEXT,
  "Größe" TEXT,
  "two words" TEXT,
  remark TEXT,
  updated_at TIMESTAMPTZ,
  CONSTRAINT limit_pk PRIMARY KEY ("group")
);

INSERT INTO c360_control.state (node) VALUES ('int.limit') ON CONFLICT (node) DO NOTHING;
