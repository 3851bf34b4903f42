"""A plan for code scanning: each risk is a finding at the line that asks for it, and each page shows one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen import explanations
from c360gen.cli.main import cli
from c360gen.diagnostics import CODES, Diagnostic, render
from c360gen.migrate import findings, state
from c360gen.migrate.plan import HAZARDS
from c360gen.pipeline import build, load_project, plan
from tests.migrate.changes import model, snapshot, source
from tests.migrate.test_warehouses import Shop

WIDER = "id, email, city, score, phone, updated_at"
BEFORE = source() + snapshot() + model()
RETIRED = source(city=None) + snapshot() + model("id, email, score, updated_at")


def phone(said: str) -> str:
    return source(phone="text") + snapshot(columns=f"      - {{name: phone, {said}}}\n") + model()


STEPS = {
    "P000": [phone("on_change: ignore")],
    "P001": [RETIRED, RETIRED + "approvals:\n  - {drop: snap.history.city__retired_2, by: Olga, on: 2026-06-01}\n"],
    "P002": [RETIRED],
    "P003": [phone("history: new_version")],
    "P004": [phone("history: {backfill: \"'555-' || id\"}")],
    "P005": [source(score="text") + snapshot() + model()],
    "P006": [phone("on_change: ignore")],
    "P007": [
        source(phone="text")
        + snapshot(columns="      - {name: phone, on_change: ignore}\n")
        + model(WIDER, columns="      - {name: phone, history: full_refresh}\n")
    ],
}
"""Specs that follow BEFORE; the last of them is planned, the others are released."""


def planned(folder: Path, steps: list[str], engine: str = "postgres") -> tuple[Shop, list[Diagnostic]]:
    shop = Shop(folder, engine)
    shop.migrate(BEFORE, "baseline")
    for number, specs in enumerate(steps[:-1]):
        shop.migrate(specs, f"step_{number}")
    (shop.specs / "nodes.yml").write_text(steps[-1], encoding="utf-8")
    project, released = load_project(shop.specs), state.read(shop.out / engine)
    assert released is not None
    return shop, findings.findings([plan(project, build(project, engine), released)])


@pytest.mark.parametrize("code", STEPS)
def test_the_example_of_a_page_is_what_a_plan_says(code: str, tmp_path: Path) -> None:
    _, found = planned(tmp_path, STEPS[code])
    told = ["\n".join(line for line in render([d], {}).split("\n") if "-->" not in line) for d in found if d.code == code]
    example = explanations.page(code).sections["Example"].removeprefix("```text\n").removesuffix("\n```")
    assert example in told
    assert all(d.span and d.span.path.endswith("nodes.yml") and d.span.line > 1 for d in found)


def test_every_risk_has_a_code_of_its_own() -> None:
    assert set(findings.CODES) == set(HAZARDS)
    assert {findings.HARMLESS, *findings.CODES.values()} == set(STEPS) == {c for c in CODES if c.startswith("P")}


def test_what_is_gone_is_told_where_the_target_is_declared(tmp_path: Path) -> None:
    """It has no line of its own any more, and a file of other nodes would be a guess."""
    _, found = planned(tmp_path, [source() + snapshot() + model(name="others", was="false")])
    (gone,) = [d for d in found if "mart.people: table retired" in d.message]
    assert gone.span and gone.span.path.endswith("project.yml")


def test_a_step_of_two_targets_is_told_once(tmp_path: Path) -> None:
    _, found = planned(tmp_path, STEPS["P002"])
    assert len(found) == len(set(found))


@pytest.mark.parametrize("shape", ["github", "sarif"])
def test_formats(shape: str, tmp_path: Path) -> None:
    """As every command that reports writes them, with the level of a note."""
    shop, found = planned(tmp_path, STEPS["P002"])
    words = ["plan", "--target", "postgres", "--format", shape, "--specs", str(shop.specs), "--out", str(shop.out)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    if shape == "github":
        lines = result.stdout.splitlines()
        assert {line.split()[0] for line in lines} == {"::warning", "::notice"} and len(lines) == len(found)
        assert all(",line=" in line and "title=P00" in line for line in lines)
    else:
        (run,) = json.loads(result.stdout)["runs"]
        assert [r["ruleId"] for r in run["results"]] == [d.code for d in found]
        assert {r["level"] for r in run["results"]} == {"warning", "note"}
        assert all(rule["help"]["text"].startswith(f"# {rule['id']}: ") for rule in run["tool"]["driver"]["rules"])


@pytest.mark.parametrize("shape", ["github", "sarif"])
def test_what_is_refused_is_told_in_the_same_shape(shape: str, tmp_path: Path) -> None:
    """A gate that reads the document must not find it empty because the specs are wrong."""
    shop, _ = planned(tmp_path, STEPS["P002"])
    (shop.specs / "nodes.yml").write_text(source(phone="text") + snapshot(), encoding="utf-8")
    words = ["plan", "--target", "postgres", "--format", shape, "--specs", str(shop.specs), "--out", str(shop.out)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 1 and result.stderr == ""
    found = result.stdout if shape == "github" else json.loads(result.stdout)["runs"][0]["results"][0]["ruleId"]
    assert "C602" in found


@pytest.mark.parametrize("redacts", [True, False], ids=["redacts", "deletes"])
def test_a_plan_names_what_erasure_does_not_reach(redacts: bool, tmp_path: Path) -> None:
    """A retired column goes with its row, where rows go; what is retired beside the table never does."""
    before, after = (f", erasure: {{by: id{said if redacts else ''}}}" for said in (", redact: [email, city]", ", redact: [email]"))
    shop = Shop(tmp_path, "snowflake")
    shop.migrate(source() + snapshot(config=before).replace("invalidate", "new_record") + model(config=before), "baseline")
    shop.migrate(source(city=None) + snapshot(config=after) + model("id, email", name="others", was="false", materialized="table"), "step")
    said = shop.file("PLAN.md").partition("## What erasure does not reach")[2].partition("## Rollback")[0]
    assert "`erase_history` does not reach `snap.history_markers__retired_2`: drop it with an approval" in said
    assert "`erase_people` does not reach `mart.people__retired_2`" in said
    assert ("`snap.history.city__retired_2`" in said) is redacts
