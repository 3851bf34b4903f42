-- c360gen | postgres | table analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ae6c471bdc3f2d65282540d47f274e07263c03fee3b87e924cbf8e4c78a1053f

CREATE TABLE IF NOT EXISTS analytics.customers (
  id BIGINT NOT NULL,
  email TEXT,
  country TEXT,
  CONSTRAINT customers_pk PRIMARY KEY (id),
  CONSTRAINT customers_email_uq UNIQUE (
    email
  )
);

INSERT INTO c360_control.state (node) VALUES ('analytics.customers') ON CONFLICT (node) DO NOTHING;
