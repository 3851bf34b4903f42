"""What somebody who may only run, or only create objects of his own, can make of that: nothing with the owner's rights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from c360gen.pipeline import LoadedProject, build, load_project
from tests.conftest import CASES, built
from tests.worlds import Embedded, World, text_of

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
OWNER, RUNNER, READER = "c360_owner", "c360_job", "c360_read"
TYPES = ("text", "bigint", "integer", "boolean", "timestamp with time zone", "interval", "regclass", "numeric", "name")
OPERATORS = ("=", "<>", "<", "<=", ">", ">=", "-", "+", "||")
FUNCTIONS = {
    "now": ((),), "clock_timestamp": ((),), "pg_backend_pid": ((),), "current_database": ((),),
    "format": (("text",), ("text", "text"), ("text", "bigint"), ("text", "text", "text"), ("text", "text", "bigint"),
               ("text", "name", "text"), ("text", "text", "bigint", "bigint"), ("text", "text", "timestamp with time zone", "text"),
               ("text", "timestamp with time zone"), ("text", "text", "bigint", "timestamp with time zone")),
    "concat_ws": (("text", "text"), ("text", "text", "text")),
    "to_regclass": (("text",), ("cstring",)), "current_setting": (("text",), ("text", "boolean"), ("name",)),
    "left": (("text", "integer"),), "md5": (("text",),), "lower": (("text",),), "nextval": (("text",), ("regclass",)),
    "pg_sleep": (("double precision",),), "quote_ident": (("text",),), "has_table_privilege": (("text", "text"),),
}  # fmt: skip
"""What generated SQL and plpgsql call, in every overload that would fit better than the one of pg_catalog."""


@pytest.fixture
def shop(database: str, project: Callable[[Path], LoadedProject]) -> Iterator[Embedded]:
    """The shipped project, deployed with its roles, and three logins: one may run, one may read, one is the owner's member."""
    found = Embedded(built(project(SPECS), "postgres"), database)
    found.deploy()
    for role in ("mallory", "rita", "olga"):
        found.sql(f"CREATE ROLE {role} LOGIN")
    found.sql(f"GRANT {RUNNER} TO mallory; GRANT {READER} TO rita; GRANT {OWNER}, {RUNNER} TO olga")
    found.sql("INSERT INTO raw_data.customers (customer_id, first_name, updated_at) VALUES (1, 'Ada', '2026-01-01 00:00:00+00')")
    yield found
    for role in ("mallory", "rita", "olga"):
        found.sql(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
    found.close()


def as_user(database: str, user: str) -> psycopg.Connection[Any]:
    return psycopg.connect(database.replace("postgres:@", f"{user}:@").replace("postgres@", f"{user}@"), autocommit=True)


def returned(type_: str) -> str:
    values = {"boolean": "true", "integer": "0", "bigint": "0", "text": "'x'", "timestamp with time zone": "pg_catalog.now()"}
    return values.get(type_, f"CAST(NULL AS {type_})")


def plant(connection: psycopg.Connection[Any], schema: str) -> int:
    """Functions, operators, aggregates and casts that would be chosen before pg_catalog's: each writes down whose rights it has."""
    connection.execute(f"CREATE TABLE {schema}.evidence (who NAME, what TEXT)")
    connection.execute(f"GRANT INSERT, SELECT ON {schema}.evidence TO PUBLIC")
    planted = 0

    def function(name: str, arguments: tuple[str, ...], result: str) -> None:
        nonlocal planted
        planted += 1
        connection.execute(f"""
            CREATE FUNCTION {schema}."{name}"({", ".join(arguments)}) RETURNS {result} LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO {schema}.evidence SELECT current_user, $w${name}({", ".join(arguments)})$w$;
                RETURN {returned(result)};
            END; $$""")

    results = {"now": "timestamp with time zone", "clock_timestamp": "timestamp with time zone", "pg_backend_pid": "integer",
               "to_regclass": "regclass", "nextval": "bigint", "has_table_privilege": "boolean"}  # fmt: skip
    for name, overloads in FUNCTIONS.items():
        for arguments in overloads:
            if arguments and arguments[0] == "cstring":
                continue
            function(name, arguments, results.get(name, "text"))
    for type_ in TYPES:
        for operator in OPERATORS:
            result = "boolean" if operator in ("=", "<>", "<", "<=", ">", ">=") else type_
            word = f"op_{OPERATORS.index(operator)}_{type_.replace(' ', '_')}"
            function(word, (type_, type_), result)
            connection.execute(f'CREATE OPERATOR {schema}.{operator} (FUNCTION = {schema}."{word}", LEFTARG = {type_}, RIGHTARG = {type_})')
    connection.execute(f'CREATE AGGREGATE {schema}.max(bigint) (SFUNC = {schema}."op_7_bigint", STYPE = bigint)')
    connection.execute(f'CREATE AGGREGATE {schema}.count(integer) (SFUNC = {schema}."op_7_integer", STYPE = integer)')
    connection.execute(f"CREATE TYPE {schema}.moment AS (t TEXT)")
    function("cast_moment", (f"{schema}.moment",), "timestamp with time zone")
    connection.execute(
        f"CREATE CAST ({schema}.moment AS timestamp with time zone) WITH FUNCTION {schema}.cast_moment({schema}.moment) AS IMPLICIT"
    )
    return planted


def tables(found: Embedded) -> list[tuple[str, str]]:
    return found.rows(
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN (SELECT nspname FROM pg_namespace WHERE nspowner = 'c360_owner'::regrole) AND c.relkind IN ('r', 'v')"
    )


def test_a_runner_who_plants_objects(shop: Embedded, database: str) -> None:
    """His schema stands before pg_catalog in his path, his temporary tables are named as ours: he runs them himself, if anybody does."""
    shop.sql("CREATE SCHEMA mallory AUTHORIZATION mallory")
    shop.sql("GRANT TEMPORARY ON DATABASE " + shop.connection.info.dbname + " TO mallory")
    ours = tables(shop)
    with as_user(database, "mallory") as connection:
        assert plant(connection, "mallory") > 100
        for _, table in ours:
            connection.execute(f'CREATE TABLE IF NOT EXISTS mallory."{table}" (x INTEGER)')
            connection.execute(f'CREATE TEMPORARY TABLE IF NOT EXISTS "{table}" (x INTEGER)')
        connection.execute("CREATE TEMPORARY TABLE customers (customer_id BIGINT)")
        connection.execute("SET search_path = mallory, pg_temp, pg_catalog")
        connection.execute("CALL c360_control.run_customer_snapshot()")
        connection.execute("CALL c360_control.run_customer_snapshot(ROW('x')::mallory.moment)")
        connection.execute("BEGIN; CALL c360_control.apply_customer_snapshot(); COMMIT")
        shop.sql("INSERT INTO raw_data.customers (customer_id, updated_at) VALUES (1, '2026-01-01 00:00:00+00')")
        with pytest.raises(psycopg.Error):
            connection.execute("CALL c360_control.run_customer_snapshot()")
        connection.execute("CALL c360_control.run_int_payments(p_full_refresh => true)")
        connection.execute("SELECT pg_catalog.count(*) FROM c360_control.run_health")
    who = shop.rows("SELECT DISTINCT who FROM mallory.evidence")
    assert who == [("mallory",)], "what is planted was found, and ran with the rights of him who planted it"
    assert shop.rows("SELECT count(*) FROM snapshots.customer_snapshot") == [(1,)]


def test_a_runner_reads_and_writes_nothing_directly(shop: Embedded, database: str) -> None:
    logs = {("c360_control", n) for n in ("run_log", "state", "windows", "run_health", "node_status")}
    ours = [*tables(shop), ("raw_data", "customers")]
    assert len(ours) > 20
    with as_user(database, "mallory") as mallory, as_user(database, "rita") as rita:
        for connection, may_read in ((mallory, lambda t: t in logs), (rita, lambda t: t[0] not in ("c360_control", "raw_data"))):
            for schema, table in ours:
                name = f'"{schema}"."{table}"'
                for statement, allowed in (
                    (f"SELECT 1 FROM {name}", may_read((schema, table))),
                    (f"INSERT INTO {name} DEFAULT VALUES", False),
                    (f"DELETE FROM {name}", False),
                    (f"TRUNCATE {name}", False),
                    (f"DROP TABLE {name}", False),
                ):
                    try:
                        connection.execute(statement)
                    except psycopg.Error as error:
                        assert not allowed, f"{statement}: {error}"
                        assert error.sqlstate in ("42501", "42809", "55000"), f"{statement}: {error}"  # the last two: it is a view
                    else:
                        assert allowed, statement
            for schema in {s for s, _ in ours}:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"CREATE TABLE {schema}.mine (x INTEGER)")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"CREATE FUNCTION {schema}.mine() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'")


def test_the_owner_among_planted_objects(shop: Embedded, database: str) -> None:
    """A schema that anybody may create in, as public was before 15, stands in the path of those who deploy, run and look."""
    shop.sql("GRANT CREATE ON SCHEMA public TO PUBLIC")
    with as_user(database, "mallory") as connection:
        plant(connection, "public")
    shop.sql("TRUNCATE TABLE public.evidence")
    with as_user(database, "olga") as olga:
        olga.execute("SET search_path = public")
        assert olga.execute("SELECT format('%s', 1::bigint)").fetchone() == ("x",), "what is planted is found"
        shop.sql("TRUNCATE TABLE public.evidence")
        olga.execute("SET search_path = public")
        olga.execute(text_of(shop.build, "deploy.sql").encode(), prepare=False)
        olga.execute("SET search_path = public")
        olga.execute("CALL c360_control.run_customer_snapshot()")
        shop.sql("INSERT INTO raw_data.customers (customer_id, updated_at) VALUES (1, '2026-01-01 00:00:00+00')")
        with pytest.raises(psycopg.Error) as found:
            olga.execute("CALL c360_control.run_customer_snapshot()")
        assert "Logged as run" in str(found.value.diag.message_detail)
        with pytest.raises(psycopg.Error):
            olga.execute(text_of(shop.build, "deploy.sql").replace(str(shop.manifest["shape"]), "f" * 64).encode(), prepare=False)
        olga.rollback()
        olga.execute("SELECT count(*) FROM c360_control.run_health")
        olga.execute("SELECT count(*) FROM snapshots.customer_snapshot_as_of(now())")
    calls = [what for _, what in shop.rows("SELECT DISTINCT who, what FROM public.evidence ORDER BY 2") if what != "now()"]
    assert calls == []


def test_roles_sql_among_planted_objects(database: str, project: Callable[[Path], LoadedProject], tmp_path: Path) -> None:
    """An administrator runs roles.sql and every other file that is generated, in a database where anybody may create in public."""
    text = (ROOT / "tests/cases/guards/specs/p.yml").read_text(encoding="utf-8")
    (tmp_path / "p.yml").write_text(text.replace("{dialect: postgres", "{dialect: postgres, owner: planted_owner, form: scripts"))
    found = Embedded(build(load_project(tmp_path), "postgres"), database)
    plant(found.connection, "public")
    found.sql("SET search_path = public")
    for path in ("roles.sql", "deploy.sql", "scripts/run_history.sql"):
        found.sql("SET search_path = public")
        found.sql(text_of(found.build, path))
    assert found.rows("SELECT DISTINCT what FROM public.evidence") == []
    found.close()


def test_every_definer_pins_its_path(project: Callable[[Path], LoadedProject]) -> None:
    text = text_of(built(project(SPECS), "postgres"), "deploy.sql")
    header = r"CREATE OR REPLACE (?:PROCEDURE|FUNCTION) (\S+?)\((?:(?!CREATE OR REPLACE).)*?SECURITY DEFINER(.*?)\nAS "
    definers = re.findall(header, text, re.S)
    assert len(definers) >= 8
    for name, settings in definers:
        assert "SET search_path = pg_catalog, pg_temp" in settings, name
    assert len(definers) == text.count("SECURITY DEFINER")


def test_only_workers_have_the_owners_rights(world: Callable[[Path, str], World]) -> None:
    """Of every strategy: the worker and what writes the log run as their owner, and the public may call nothing that writes."""
    found = world(CASES / "kinds" / "specs", "postgres")
    granted = "SELECT count(*) FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0"
    routines = found.rows(
        f"SELECT p.proname, p.prosecdef, ({granted}) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace "
        "WHERE n.nspname IN ('c360_control', 'snap', 'int')"
    )
    nodes = {"checked", "lines", "days", "months", "whole"}
    assert {name for name, definer, _ in routines if definer} == {
        *(f"apply_{node}" for node in nodes), "run_begin", "run_failed", "window_begin", "window_next",
    }  # fmt: skip
    assert {name for name, _, public in routines if public} == {"checked_as_of", "checked_changes", "run_is_alive"}
    assert {name for name, _, _ in routines} >= {f"run_{node}" for node in nodes}
