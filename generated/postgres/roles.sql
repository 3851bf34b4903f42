-- c360gen | postgres | roles, to be created once by an administrator | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 42e5f862113662b06eef62b4de75e9d6a02640b893231926e8c7bb0183eeead4

-- Run once, by an administrator, in the database of the project, before the first deploy.sql. Safe to run again.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'c360_owner') THEN
        CREATE ROLE c360_owner NOLOGIN;
    END IF;
END;
$$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'c360_job') THEN
        CREATE ROLE c360_job NOLOGIN;
    END IF;
END;
$$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'c360_read') THEN
        CREATE ROLE c360_read NOLOGIN;
    END IF;
END;
$$;

-- The owner creates schemas, and reads the sources for everybody: the workers run with its rights.
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO c360_owner', current_database());
END;
$$;
GRANT USAGE ON SCHEMA raw_data TO c360_owner;
GRANT SELECT ON raw_data.customers TO c360_owner;
GRANT SELECT ON raw_data.orders TO c360_owner;
GRANT SELECT ON raw_data.payments TO c360_owner;
GRANT SELECT ON raw_data.interactions TO c360_owner;
