"""What Flyway, schemachange and squawk find: names, settings, order, and scripts that go through one after the other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.emit.layout import raw
from tests.migrate.changes import PHONE, snapshot, source
from tests.migrate.evolving import PROJECT, Evolving

FLYWAY = re.compile(r"(V(\d+)__\w+|R__\w+)\.sql")
SCHEMACHANGE = re.compile(r"^([V])([^_]+|(?:[^_]+_)*[^_]+)__(.+?)\.(?:sql|sql.jinja)$|^R__(.+?)\.(?:sql|sql.jinja)$", re.I)
"""As schemachange 4 recognises its files."""


@pytest.mark.parametrize(("engine", "layout"), [("duckdb", "flyway"), ("postgres", "flyway"), ("duckdb", "schemachange")])
def test_files_go_through_in_the_tools_order(engine: str, layout: str, evolving: Callable[[str], Evolving]) -> None:
    """V files by number, then the R file: an empty database gets where c360gen deploy brings it, and the second time nothing is new."""
    shop = evolving(engine)
    (shop.specs / "project.yml").write_text(
        PROJECT.replace("dialect: %s", f"dialect: %s, layout: {layout}") % (engine, engine), encoding="utf-8"
    )
    shop.write(source() + snapshot())
    shop.cli("migrate", "--name", "baseline")
    shop.write(source(phone="text") + snapshot(columns="      - {name: phone, history: new_version}\n"))
    shop.cli("migrate", "--name", "phone")
    shop.cli("check")
    folder = shop.root / layout
    names = sorted(p.name for p in folder.iterdir() if p.suffix == ".sql")
    assert names == ["R__deploy.sql", "V1__baseline.sql", "V2__phone.sql"]
    known = FLYWAY if layout == "flyway" else SCHEMACHANGE
    assert all(known.fullmatch(n) for n in names)
    if layout == "flyway":
        for name in names:
            assert "executeInTransaction=false" in (folder / f"{name}.conf").read_text(encoding="utf-8")
    for schema in ("raw",):
        shop.sql(f"CREATE SCHEMA {schema}")
    shop.sql("CREATE TABLE raw.customers (id BIGINT, email TEXT, city VARCHAR(20), score INTEGER, updated_at TIMESTAMPTZ)")
    for name in ("V1__baseline.sql", "V2__phone.sql", "R__deploy.sql"):
        shop.execute((folder / name).read_text(encoding="utf-8"))
    shop.sql(PHONE[0])
    shop.run("history", "2026-01-02 00:00:00")
    assert shop.rows("SELECT number, action FROM c360_control.migration ORDER BY number") == [(1, "contained"), (2, "applied")]
    first = (folder / "V1__baseline.sql").read_bytes()
    shop.cli("build")
    assert (folder / "V1__baseline.sql").read_bytes() == first


def test_jinja_of_schemachange_touches_nothing() -> None:
    import jinja2

    for text in ("SELECT 1;\n", "SELECT '{{ x }}', '{% y %}';\n"):
        assert jinja2.Environment(keep_trailing_newline=True).from_string(raw(text)).render().strip() == text.strip()


RULES = (
    "adding-field-with-default", "adding-not-nullable-field", "ban-drop-column", "ban-drop-function", "ban-drop-not-null", "ban-drop-table",
    "ban-drop-view", "changing-column-type", "constraint-missing-not-valid", "disallowed-unique-constraint", "prefer-bigint-over-int",
    "prefer-bigint-over-smallint", "prefer-identity", "prefer-text-field", "renaming-column", "renaming-table",
    "require-concurrent-index-creation",
)  # fmt: skip
"""What a migration is there to do, under a lock and with its dependants in the same transaction, squawk rightly calls dangerous."""


def test_squawk_reads_it(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("postgres")
    shop.write(source() + snapshot())
    shop.cli("migrate", "--name", "baseline")
    shop.write(source(phone="text", city="text") + snapshot(columns="      - {name: phone, history: empty}\n"))
    shop.cli("migrate", "--name", "phone")
    path = shop.root / "migrations/0002_phone/apply.sql"
    squawk = Path(sys.executable).parent / "squawk"
    done = subprocess.run([squawk, f"--exclude={','.join(RULES)}", path], capture_output=True, text=True, check=False)
    assert "syntax-error" not in done.stdout and done.returncode == 0, done.stdout
