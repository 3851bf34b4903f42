"""`c360gen run`: nodes of a target, run in dependency order. Never DDL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from c360gen.cli import complete, console, ledger, options
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import nearest_or_list
from c360gen.project.select import BadSelection, select, selectables

if TYPE_CHECKING:
    from c360gen.engines import Run
    from c360gen.pipeline import LoadedProject

COLUMNS = ("inserted", "updated", "closed", "deleted", "revived", "unchanged", "quarantined")
SELDOM = ("deleted", "revived", "quarantined")
"""Counted by many nodes, and nearly always zero: shown where a run has some."""


@click.command("run", help="Run nodes: all of them, those of a schedule, or those of a selection. The first failure stops the run.")
@click.option("--job", default=None, metavar="SCHEDULE", help="The nodes of a schedule.", shell_complete=complete.schedules)
@options.select("The nodes of a selection.")
@click.option("--as-of", default=None, metavar="TIMESTAMP", help="The time of the run, UTC; by default the clock.")
@click.option("--full-refresh", is_flag=True, help="Replace every row of incrementals; snapshots have no full refresh.")
@options.one_target
@options.specs_and_out
def command(
    job: str | None, selection: str | None, as_of: str | None, full_refresh: bool, target_name: str, database: str | None,
    specs: Path, out: Path,
) -> None:  # fmt: skip
    as_of = options.instant(as_of, "--as-of")
    if job and selection:
        raise click.UsageError("--job and --select exclude each other")
    loaded = options.project(specs)
    (made,) = options.builds(loaded, [target_name], [], out)
    nodes = _chosen(options.manifest(made), loaded, job, selection)
    scripts = {f.path: f.text for f in made.files}
    where = options.database_of(database, str(made.target.dialect))
    if any(n["script"] for n in nodes):
        options.as_built(made, out)
    runs: list[Run] = []
    with options.deployed(made, where) as session:
        ledger.up_to_date(session, made, out, where)
        for node in nodes:
            refresh = full_refresh and node["full_refresh"] and not node.get("keeps_rows")
            runs.append(session.run(node, scripts.get(str(node["script"])), as_of, refresh))
            if full_refresh and node.get("keeps_rows"):
                console.say(f"{node['name']} keeps its rows: full_refresh: false")
            if not runs[-1].succeeded:
                break
    _report(runs, len(nodes), _quarantines(loaded, target_name))


def _chosen(manifest: dict[str, Any], loaded: Any, job: str | None, selection: str | None) -> list[dict[str, Any]]:
    """Entries of the manifest, in dependency order."""
    runnable = {n["name"]: n for n in manifest["nodes"] if n["run"]}
    if job:
        schedules = {s["name"]: s["nodes"] for s in manifest["schedules"]}
        if job not in schedules:
            raise click.UsageError(f"there is no schedule {job}: {nearest_or_list(job, schedules, 'schedules') or 'the project has none'}")
        return [runnable[n] for n in schedules[job]]
    if not selection:
        return list(runnable.values())
    found = loaded.resolved
    try:
        chosen = select(selection, selectables(found.sources, found.nodes, found.exposures))
    except BadSelection as bad:
        console.fail("C206", str(bad), bad.help)
    picked = [n for name, n in runnable.items() if f"ref:{name}" in chosen]
    if not picked:
        console.fail("C206", f"'{selection}' selects nothing that runs", "views are not run")
    return picked


def _quarantines(loaded: LoadedProject, target_name: str) -> dict[str, str]:
    """node → the table of the rows that it keeps back."""
    from c360gen.pipeline import names_of

    names = names_of(loaded, target_name)
    found = {n.name: names.symbol("quarantine", n.name) for n in loaded.resolved.snapshots if n.quarantines}
    return {name: f"{at.schema}.{at.name}" for name, at in found.items()}


def _report(runs: list[Run], wanted: int, quarantines: Mapping[str, str]) -> None:
    shown = [c for c in COLUMNS if any(_is_told(c, run) for run in runs)]
    rows = []
    for run in runs:
        counted = [str(run.counters.get(f"{c}_rows", "")) for c in shown] if run.succeeded else [""] * len(shown)
        rows.append([run.node, *counted, f"{run.seconds:.2f}" if run.succeeded else "failed"])
    console.table(["node", *shown, "seconds"], rows, right=range(1, len(shown) + 2))
    for run in runs:
        if kept := run.counters.get("quarantined_rows"):
            where = f"in {quarantines[run.node]}, where c360_reason says why"
            console.say(f"warning: {run.node} kept back {console.counted(kept, 'row')} {where}")
        if not run.succeeded:
            console.say("")
            console.tell(options.failed(run))
            if left := wanted - len(runs):
                console.say(f"{left} {'node' if left == 1 else 'nodes'} behind it not run")
            raise click.exceptions.Exit(FINDINGS)


def _is_told(column: str, run: Run) -> bool:
    count = run.counters.get(f"{column}_rows")
    return run.succeeded and (bool(count) if column in SELDOM else count is not None)
