"""Real schemachange reads what `layout: schemachange` writes: which scripts, in which order, and which statements it would send."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
from tests.migrate.changes import snapshot, source
from tests.warehouse.read_snowflake import pieces

ROOT = Path(__file__).parents[2]
PROJECT = """
version: 2
project: {name: shop, schema: mart}
targets: {snowflake: {dialect: snowflake, database: C360, layout: schemachange}}
models:
  - {name: looks_like_jinja, sql: "select id, '{{ '{{ x }}' }} {{ '{% y %}' }}; $' as it from {{ ref('history') }}"}
"""
COMMENT = re.compile(r"^\s*--[^\n]*$", re.M)


def cli_(*words: str) -> None:
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == 0, done.output


def plain(statement: str) -> str:
    """A statement without the comments around it, which may stand before or behind its neighbour, and without its semicolon."""
    head, marker, rest = statement.partition("$$")
    return (COMMENT.sub("", head) + marker + rest).strip().rstrip(";").strip()


@pytest.mark.schemachange
def test_it_sends_the_statements_that_we_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()
    Path("specs/project.yml").write_text(PROJECT, encoding="utf-8")
    Path("specs/shop.yml").write_text(source() + snapshot(), encoding="utf-8")
    cli_("migrate", "--name", "baseline")
    phone = source(phone="text") + snapshot(columns="      - {name: phone, history: empty}\n")
    Path("specs/shop.yml").write_text(phone, encoding="utf-8")
    cli_("migrate", "--name", "phone")
    folder = tmp_path / "generated/snowflake/schemachange"
    python = ROOT / ".venv-schemachange" / "bin" / "python"
    assert python.exists(), f"{python} is not there: make schemachange"
    asked = [str(python), str(Path(__file__).with_name("inside.py")), str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [name for _, name, _ in found] == ["V1__baseline.sql", "V2__phone.sql", "R__deploy.sql"]
    deploy = (tmp_path / "generated/snowflake/deploy.sql").read_text(encoding="utf-8")
    apply = (tmp_path / "generated/snowflake/migrations/0002_phone/apply.sql").read_text(encoding="utf-8")
    for (_, name, statements), text in zip(found[1:], (apply, deploy), strict=True):
        assert list(map(plain, statements)) == [plain(piece) for piece, _ in pieces(text)], name
    assert any("{{ x }} {% y %}; $" in s for s in found[2][2]), "jinja ate it"
