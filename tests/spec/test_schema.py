"""The JSON Schema says what the models accept: every key with words of its own, every good spec valid, every unknown key refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from c360gen import explanations
from c360gen.cli.main import cli
from c360gen.diagnostics import Diagnostics
from c360gen.spec import schema
from c360gen.spec.yaml import parse
from tests.conftest import CASES
from tests.test_explanations import SPEC_CODES, fences

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(schema.text())
VALIDATOR = Draft202012Validator(SCHEMA)
GOOD = sorted(p for c in CASES.iterdir() if c.name != "bad" for p in c.glob("specs/**/*.y*ml"))
SHIPPED = sorted([*(ROOT / "specs").rglob("*.yml"), ROOT / "c360gen/cli/scaffold/project.yml"])


def mistakes(data: Any) -> list[str]:
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(data)]


def data_of(path: Path) -> Any:
    """As editors read YAML: a date is text."""
    tree = parse(path.read_text(encoding="utf-8"), path.as_posix(), Diagnostics())
    assert tree is not None
    return tree.data


def keys() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, section in {"file": SCHEMA, **SCHEMA["$defs"]}.items():
        for written in (section, *section.get("anyOf", ())):
            for key, value in written.get("properties", {}).items():
                yield f"{name}.{key}", value


def chosen(value: dict[str, Any]) -> bool:
    """Whether the schema itself lists every value."""
    arms = [a for a in value.get("anyOf", [value]) if a.get("type") != "null"]
    return all("enum" in a or "const" in a or a.get("type") == "boolean" or "$ref" in a for a in arms)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("key,value", [*keys()], ids=lambda x: x if isinstance(x, str) else "")
def test_every_key_has_a_description_and_an_example_that_is_valid(key: str, value: dict[str, Any]) -> None:
    assert value["description"].endswith((".", "…", "?")), "a sentence"
    assert chosen(value) or value["examples"]
    for example in (*value.get("examples", ()), *([value["default"]] if "default" in value else [])):
        assert list(VALIDATOR.evolve(schema={**value, "$defs": SCHEMA["$defs"]}).iter_errors(example)) == []


def test_every_section_has_a_description() -> None:
    assert all(section["description"] for section in (SCHEMA, *SCHEMA["$defs"].values()))


@pytest.mark.parametrize("path", [*SHIPPED, *GOOD], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_good_specs_are_valid(path: Path) -> None:
    assert mistakes(data_of(path)) == []


@pytest.mark.parametrize("code", SPEC_CODES)
def test_what_the_explanations_say_instead_is_valid(code: str) -> None:
    (instead,) = fences(explanations.page(code).sections["Instead"], "yaml")
    assert mistakes(yaml.safe_load(instead)) == []


@pytest.mark.parametrize("name", [n for n, d in SCHEMA["$defs"].items() if d.get("type") == "object"])
def test_unknown_keys_are_refused(name: str) -> None:
    section = {**SCHEMA["$defs"][name], "$defs": SCHEMA["$defs"]}
    assert any("no_such_key" in e.message for e in Draft202012Validator(section).iter_errors({"no_such_key": 1}))


@pytest.mark.parametrize(
    "written",
    [
        {"models": [{"name": "a", "config": {"unique_key": "id"}}, {"name": "b", "config": {"unique_key": ["id", "line"]}}]},
        {"models": [{"name": "a", "config": {"partition_by": "d"}}, {"name": "b", "config": {"partition_by": {"field": "d"}}}]},
        {"models": [{"name": "a", "columns": [{"name": "x", "tests": ["unique", {"accepted_values": {"arguments": {"values": [1]}}}]}]}]},
        {"snapshots": [{"name": "a", "config": {"check_cols": x}} for x in ("all", ["b"], {"all_except": ["c"]})]},
        {"snapshots": [{"name": "a", "config": {"source_delta": x}} for x in (True, False, {"deletes": "none"})]},
        {"models": [{"name": "a", "config": {"lookback": x}} for x in (3, "3 days")]},
        {"models": [{"name": "a", "sql": "select 1"}, {"name": "b", "sql": {"postgres": "select 1", "bigquery": "select 1"}}]},
    ],
    ids=str,
)
def test_every_way_to_write_it_is_valid(written: dict[str, Any]) -> None:
    assert mistakes(written) == []


@pytest.mark.parametrize(
    "written",
    [
        {"models": [{"name": "a", "config": {"lookback": "3 dayz"}}]},
        {"models": [{"name": "a", "config": {"materialized": "tabel"}}]},
        {"models": [{"name": "a", "columns": [{"name": "x", "data_tests": ["uniqe"]}]}]},
        {"models": [{"name": "a", "columns": [{"name": "x", "data_tests": [{"unique": True, "not_null": True}]}]}]},
        {"models": [{"name": "a", "sql": {"oracle": "select 1"}}]},
        {"exposures": [{"name": "a", "type": "dashboard"}]},
        {"version": 1},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(written: dict[str, Any]) -> None:
    assert mistakes(written)


def test_the_committed_schema_is_current(tmp_path: Path) -> None:
    run = CliRunner().invoke
    at = ROOT / "specs" / schema.FILE
    assert run(cli, ["schema"]).stdout == at.read_text(encoding="utf-8"), "c360gen schema > specs/c360gen.schema.json"
    assert run(cli, ["schema", "--check", str(at)]).exit_code == 0
    old = tmp_path / "old.json"
    assert run(cli, ["schema", "--check", str(old)]).exit_code == 1
    old.write_text("{}", encoding="utf-8")
    result = run(cli, ["schema", "--check", str(old)])
    assert result.exit_code == 1 and "another version" in result.stderr


def test_modelines_lead_to_the_schema(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["init", str(tmp_path / "p")]).exit_code == 0
    for path in [*(ROOT / "specs").rglob("*.yml"), *(tmp_path / "p").rglob("*.yml")]:
        found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text(encoding="utf-8"))
        assert found and (path.parent / found[1]).read_text(encoding="utf-8") == schema.text(), path
