-- c360gen | postgres | roles, to be created once by an administrator | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 6f690413a1a17a05feee4abe2a48f1b2139cab87d86920c822efed3eb83900d6

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
    EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO c360_owner', pg_catalog.current_database());
END;
$$;
GRANT USAGE ON SCHEMA raw_data TO c360_owner;
GRANT SELECT ON raw_data.customers TO c360_owner;
GRANT SELECT ON raw_data.orders TO c360_owner;
GRANT SELECT ON raw_data.payments TO c360_owner;
GRANT SELECT ON raw_data.interactions TO c360_owner;
