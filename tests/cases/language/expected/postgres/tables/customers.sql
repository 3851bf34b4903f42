-- c360gen | postgres | table analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f5da7e78008450fb300d261c0f8eea80c4300dc52601f8cd0e812a3c3a4667cf

CREATE TABLE IF NOT EXISTS analytics.customers (
  id BIGINT NOT NULL,
  email TEXT,
  country TEXT,
  CONSTRAINT customers_pk PRIMARY KEY (id),
  CONSTRAINT customers_email_uq UNIQUE (
    email
  ) DEFERRABLE
);

INSERT INTO c360_control.state (node) VALUES ('analytics.customers') ON CONFLICT (node) DO NOTHING;
