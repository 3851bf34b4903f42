-- c360gen | duckdb | table analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: e1d2c46365afc6b6c6f96bc44e58503897949421c8cd7bfc7f13a657c6b58969

CREATE TABLE IF NOT EXISTS analytics.customers (
  id BIGINT NOT NULL,
  email TEXT,
  country TEXT,
  CONSTRAINT customers_pk PRIMARY KEY (id)
);

INSERT INTO c360_control.state (node) VALUES ('analytics.customers') ON CONFLICT (node) DO NOTHING;
