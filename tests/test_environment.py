"""Targets that extend each other and read the environment, and vars that a call gives: what is built, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
from c360gen.diagnostics import SpecError
from c360gen.pipeline import build, load_project
from tests.worlds import manifest_of, text_of

SPEC = """
project: {vars: {least: 5, words: [a, b]}}
targets:
  snowflake: {dialect: snowflake, database: C360, owner: OWNER, reader: READER, roles: {analyst: ANALYST, auditor: AUDITOR}}
  stage: {extends: snowflake, database: C360_STAGE, reader: null, roles: {auditor: STAGE_AUDITOR}}
  dev:
    extends: stage
    database: "C360_{{ env_var('C360_ENV') }}"
    schema_prefix: "dev_{{ env_var('C360_USER', 'nobody') }}_"
sources:
  - name: raw
    tables: [{name: t, columns: [{name: id, data_type: bigint}]}]
models:
  - name: m
    config: {materialized: table, grants: {select: [analyst, auditor]}}
    sql: select id from {{ source('raw', 't') }} where id >= {{ var('least') }}
"""


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("C360_ENV", raising=False)
    monkeypatch.delenv("C360_USER", raising=False)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "p.yml").write_text(SPEC, encoding="utf-8")
    return tmp_path / "specs"


def test_a_chain_of_targets(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_ENV", "DEV")
    made = build(load_project(specs), "dev")
    assert (made.target.dialect, made.target.database, made.target.owner, made.target.reader) == ("snowflake", "C360_DEV", "OWNER", None)
    assert made.target.roles == {"analyst": "ANALYST", "auditor": "STAGE_AUDITOR"}
    assert "TO ROLE STAGE_AUDITOR" in text_of(made, "grants.sql") and "dev_nobody_analytics.m" in text_of(made, "grants.sql")
    assert manifest_of(made)["environment"] == ["C360_ENV", "C360_USER"]
    assert "environment" not in manifest_of(build(load_project(specs), "stage"))


def test_a_variable_that_is_not_set_stops_only_its_target(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = load_project(specs)
    assert build(project, "stage").files
    with pytest.raises(SpecError) as error:
        build(project, "dev")
    (found,) = error.value.diagnostics
    assert found.code == "C403" and "C360_ENV is not set" in found.message and found.span is not None and found.span.line == 8
    monkeypatch.chdir(specs.parent)
    validated = CliRunner().invoke(cli, ["validate"])
    assert validated.exit_code == 0 and "target dev is not built: C360_ENV not set" in validated.output


@pytest.mark.parametrize("value", ["a b", "x'; drop", "{{ env_var('C360_ENV') }}", ""])
def test_what_a_variable_holds_is_a_plain_name(value: str, specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_ENV", value)
    if value == "":
        assert build(load_project(specs), "dev").target.database == "C360_"
        return
    with pytest.raises(SpecError) as error:
        build(load_project(specs), "dev")
    assert [d.code for d in error.value.diagnostics] == ["C104"]


def test_an_empty_variable_leaves_no_name(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_ENV", "")
    text = SPEC.replace("C360_{{ env_var('C360_ENV') }}", "{{ env_var('C360_ENV') }}")
    (specs / "p.yml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as error:
        build(load_project(specs), "dev")
    (found,) = error.value.diagnostics
    assert found.code == "C104" and "leaves database empty" in found.message


def test_a_prefix_from_the_environment_is_a_name(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_ENV", "DEV")
    monkeypatch.setenv("C360_USER", "Ann-Marie")
    with pytest.raises(SpecError) as error:
        build(load_project(specs), "dev")
    assert [d.code for d in error.value.diagnostics] == ["C204"]


def test_the_environment_is_read_once(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the specs: whatever is made of a project afterwards is made of the same values, and only of those that it names."""
    project = load_project(specs, environ={"C360_ENV": "DEV", "PGPASSWORD": "secret"})
    assert project.environ == {"C360_ENV": "DEV"}
    monkeypatch.setenv("C360_ENV", "PROD")
    assert build(project, "dev").target.database == "C360_DEV"
    assert build(load_project(specs), "dev").target.database == "C360_PROD"


def test_vars_of_a_call(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, again = (build(load_project(specs, v), "stage") for v in (None, {"least": 7}, {"least": 5}))
    path = "procedures/run_m.sql"
    assert "id >= 5" in text_of(one, path) and "id >= 7" in text_of(two, path)
    assert [f.text for f in one.files] == [f.text for f in again.files], "by content"
    assert "c_spec_hash" in text_of(one, path) and text_of(one, path).count("c_spec_hash VARCHAR DEFAULT '") == 1
    hashes = [text_of(b, path).partition("c_spec_hash VARCHAR DEFAULT '")[2][:64] for b in (one, two)]
    assert hashes[0] != hashes[1], "another meaning"
    monkeypatch.chdir(specs.parent)
    run = CliRunner().invoke
    assert run(cli, ["build", "--target", "stage", "--vars", "{least: 7}"]).exit_code == 0
    assert run(cli, ["check", "--target", "stage", "--vars", "{least: 7}"]).exit_code == 0
    assert run(cli, ["check", "--target", "stage"]).exit_code == 1
    wrong = run(cli, ["build", "--vars", "{lest: 7}"])
    assert wrong.exit_code == 1 and "did you mean 'least'?" in wrong.output
    assert run(cli, ["build", "--vars", "{least: {a: 1}}"]).exit_code == 1
    assert run(cli, ["build", "--vars", "least"]).exit_code == 2
    assert run(cli, ["build", "--vars", "{least: 2026-02-30}"]).exit_code == 2
