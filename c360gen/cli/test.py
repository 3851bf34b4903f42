"""`c360gen test`: scenarios in an empty database of their own, data tests in the one that --database names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c360gen.cli import console, options
from c360gen.cli.exits import FINDINGS
from c360gen.cli.report import Reporting
from c360gen.diagnostics import Diagnostic, Severity, nearest_or_list
from c360gen.project.select import BadSelection, select, selectables

if TYPE_CHECKING:
    from c360gen.pipeline import LoadedProject
    from c360gen.spec.models import Target
    from c360gen.testing import Result

CODES = {"scenario": "C701", "data test": "C702"}


@click.command(
    "test", cls=Reporting,
    help="Run scenarios, on DuckDB in memory; with --target also the data tests of its database. On Postgres scenarios get a database of "
    "their own, which is created beside that one and dropped.",
)  # fmt: skip
@click.option("--target", "target_name", metavar="NAME", default=None, help="The target whose database is meant.")
@options.database
@click.option("--only", type=click.Choice(["scenarios", "data-tests"]), default=None, help="Leave the others out.")
@options.select("Only tests of what a selection matches.")
@click.option("--scenario", "named", multiple=True, metavar="NAME", help="Only this scenario, and no data tests; may be repeated.")
@options.specs
def command(
    target_name: str | None, database: str | None, only: str | None, selection: str | None, named: tuple[str, ...], specs: Path
) -> None:
    if only == "data-tests" and target_name is None:
        raise click.UsageError("data tests look into a database: name it with --target and --database")
    loaded = options.project(specs)
    target = _target(loaded, target_name, database)
    chosen = _chosen(loaded, selection)
    in_memory = target.dialect == "duckdb" and (only == "scenarios" or named)
    if target_name is not None and not in_memory:
        database = options.database_of(database, str(target.dialect))
    results: list[tuple[str, Result]] = []
    if only != "data-tests":
        results += [("scenario", r) for r in _scenarios(loaded, target, database, chosen, named)]
    if target_name is not None and database is not None and only != "scenarios" and not named:
        results += [("data test", r) for r in _data_tests(loaded, target_name, database, chosen)]
    if not results:
        console.say("nothing to test: there is no scenario here, and data tests need --target and a database")
        return
    failed = [(kind, r) for kind, r in results if r.status != "ok"]
    console.diagnostics([_diagnostic(kind, r) for kind, r in failed], loaded.texts, "")
    counted = {word: sum(r.status == word for _, r in results) for word in ("ok", "warn", "fail")}
    words = {"ok": "passed", "warn": "warned", "fail": "failed"}
    console.say(", ".join(f"{n} {words[word]}" for word, n in counted.items() if n or word == "ok"))
    if counted["fail"]:
        raise click.exceptions.Exit(FINDINGS)


def _target(loaded: LoadedProject, name: str | None, database: str | None) -> Target:
    """The target that is named, or DuckDB in memory, whether or not the project has such a target."""
    from c360gen.spec.models import Target

    if name is None:
        if database is not None:
            raise click.UsageError("--database needs --target: whose tables are in it?")
        return Target.model_validate({"dialect": "duckdb"})
    targets = loaded.resolved.targets
    if name not in targets:
        raise click.UsageError(f"there is no target {name}: {nearest_or_list(name, targets, 'targets')}")
    if targets[name].dialect not in ("duckdb", "postgres"):
        help = f"its tests are in generated/{name}/tests/, for its own client"
        raise click.UsageError(f"{targets[name].dialect} cannot be run from here: {help}")
    return targets[name]


def _chosen(loaded: LoadedProject, selection: str | None) -> set[str]:
    found = loaded.resolved
    items = selectables(found.sources, found.nodes, found.exposures)
    if selection is None:
        return set(items)
    try:
        return select(selection, items)
    except BadSelection as bad:
        console.fail("C206", str(bad), bad.help)


def _scenarios(loaded: LoadedProject, target: Target, database: str | None, chosen: set[str], named: tuple[str, ...]) -> Iterator[Result]:
    from c360gen.testing import scenarios

    known = {s.name: s for s in loaded.resolved.scenarios}
    for name in named:
        if name not in known:
            raise click.UsageError(f"there is no scenario {name}: {nearest_or_list(name, known, 'scenarios') or 'the specs have none'}")
    for scenario in known.values():
        if (named and scenario.name not in named) or not any(f"ref:{n}" in chosen for n in scenario.nodes):
            continue
        yield _told("scenario", scenarios.run(loaded, scenario, target, database or ""))


def _data_tests(loaded: LoadedProject, target_name: str, database: str, chosen: set[str]) -> Iterator[Result]:
    from c360gen.pipeline import names_of
    from c360gen.testing import data_tests

    names = names_of(loaded, target_name)
    with options.session(str(names.target.dialect), database, names.control) as session:
        for result in data_tests.run(names, session, chosen):
            yield _told("data test", result)


def _told(kind: str, result: Result) -> Result:
    """Each test as it ends, so that long ones are seen to move."""
    if result.status == "ok":
        console.passed(f"{kind} {result.name}")
    console.say(f"{result.status:<4}  {kind} {result.name} ({result.seconds:.2f} s)")
    return result


def _diagnostic(kind: str, result: Result) -> Diagnostic:
    severity: Severity = "warning" if result.status == "warn" else "error"
    return Diagnostic(CODES[kind], f"{kind} {result.name}: {result.message}", result.span, None, severity, result.detail)
