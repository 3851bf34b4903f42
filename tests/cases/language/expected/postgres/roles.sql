-- c360gen | postgres | roles, to be created once by an administrator | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 88e89051a7263ddabe36f4a9c1eeb4342156792ecc134698b774bd4e6b529eb3

-- Run once, by an administrator, in the database of the project, before the first deploy.sql. Safe to run again.
-- Whoever deploys must be a member of the owner (GRANT c360_owner TO …): deploy.sql does SET LOCAL ROLE.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'c360_owner') THEN
        CREATE ROLE c360_owner NOLOGIN;
    END IF;
END;
$$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'c360_runner') THEN
        CREATE ROLE c360_runner NOLOGIN;
    END IF;
END;
$$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'c360_reader') THEN
        CREATE ROLE c360_reader NOLOGIN;
    END IF;
END;
$$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'analyst') THEN
        CREATE ROLE analyst NOLOGIN;
    END IF;
END;
$$;

-- The owner creates schemas, and reads the sources for everybody: the workers run with its rights.
DO $$
BEGIN
    EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO c360_owner', pg_catalog.current_database());
END;
$$;
GRANT USAGE ON SCHEMA raw TO c360_owner;
GRANT SELECT ON raw.customers TO c360_owner;
GRANT SELECT ON raw.orders_v2 TO c360_owner;
