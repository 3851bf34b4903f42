"""`c360gen run`: nodes of a target, run in dependency order. Never DDL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from c360gen.cli import complete, console, ledger, options
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import nearest_or_list
from c360gen.project.graph import reach
from c360gen.project.select import BadSelection, select, selectables

if TYPE_CHECKING:
    from c360gen.engines import Run, Session
    from c360gen.pipeline import LoadedProject

COLUMNS = ("inserted", "updated", "closed", "deleted", "revived", "unchanged", "quarantined")
SELDOM = ("deleted", "revived", "quarantined")
"""Counted by many nodes, and nearly always zero: shown where a run has some."""


@dataclass(frozen=True)
class Outcome:
    """What became of a node: its run, or the nodes whose failure kept it from one."""

    node: str
    run: Run | None
    because: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return "skipped" if self.run is None else "succeeded" if self.run.succeeded else "failed"


@click.command("run", help="Run nodes: all of them, those of a schedule, or those of a selection. The first failure stops the run.")
@click.option("--job", default=None, metavar="SCHEDULE", help="The nodes of a schedule.", shell_complete=complete.schedules)
@options.select("The nodes of a selection.")
@click.option("--as-of", default=None, metavar="TIMESTAMP", help="The time of the run, UTC; by default the clock.")
@click.option("--full-refresh", is_flag=True, help="Replace every row of incrementals; snapshots have no full refresh.")
@click.option("--keep-going", is_flag=True, help="After a failure run what does not depend on it; the rest is skipped.")
@click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", help="For people, or for machines: a document on stdout."
)
@options.one_target
@options.specs_and_out
def command(
    job: str | None, selection: str | None, as_of: str | None, full_refresh: bool, keep_going: bool, shape: str, target_name: str,
    database: str | None, specs: Path, out: Path,
) -> None:  # fmt: skip
    as_of = options.instant(as_of, "--as-of")
    if job and selection:
        raise click.UsageError("--job and --select exclude each other")
    loaded = options.project(specs)
    (made,) = options.builds(loaded, [target_name], [], out)
    manifest = options.manifest(made)
    nodes = _chosen(manifest, loaded, job, selection)
    scripts = {f.path: f.text for f in made.files}
    where = options.database_of(database, str(made.target.dialect))
    if any(n["script"] for n in nodes):
        options.as_built(made, out)
    tell = _document if shape == "json" else _report
    kept = _quarantines(loaded, target_name)
    ended: list[Outcome] = []
    with options.deployed(made, where) as session:
        ledger.up_to_date(session, made, out, where)
        try:
            for outcome in _outcomes(session, nodes, scripts, as_of, full_refresh, _above(manifest) if keep_going else {}):
                ended.append(outcome)
        except KeyboardInterrupt:
            console.progress("")
            tell(ended, kept, keep_going)
            console.say(f"interrupted in {nodes[len(ended)]['name']}: what it had not committed is rolled back")
            raise
    tell(ended, kept, keep_going)
    if again := [o.node for o in ended if o.status != "succeeded"]:
        given = ["--target", target_name]
        given += ["--database", where] if made.target.dialect == "duckdb" else []  # a file; a connection string may hold a password
        given += ["--select", " ".join(again)] if selection or job or len(again) < len(ended) else []
        given += ["--as-of", as_of] if as_of else []
        given += [flag for flag, on in (("--full-refresh", full_refresh), ("--keep-going", keep_going)) if on]
        console.say(f"{options.to_type('run', *given)} runs them again")
        raise click.exceptions.Exit(FINDINGS)


def _outcomes(
    session: Session, nodes: Sequence[Mapping[str, Any]], scripts: Mapping[str, str], as_of: str | None, full_refresh: bool,
    above: Mapping[str, set[str]],
) -> Iterator[Outcome]:  # fmt: skip
    """Each node in its turn. After a failure only those run that `above` knows, and that do not depend on what failed."""
    failed: list[str] = []
    for at, node in enumerate(nodes, 1):
        name = node["name"]
        if because := tuple(f for f in failed if f in above.get(name, failed)):
            yield Outcome(name, None, because)
            continue
        console.progress(f"{at}/{len(nodes)} {name}")
        refresh = full_refresh and node["full_refresh"] and not node.get("keeps_rows")
        run = session.run(node, scripts.get(str(node["script"])), as_of, refresh)
        console.progress("")
        if full_refresh and node.get("keeps_rows"):
            console.say(f"{name} keeps its rows: full_refresh: false")
        if not run.succeeded:
            failed.append(name)
            above = {} if run.lost else above
        yield Outcome(name, run)


def _above(manifest: Mapping[str, Any]) -> dict[str, set[str]]:
    """node → every node that it depends on, at any distance, and itself; views and ephemeral models are on the way."""
    parents = {n["name"]: [p.removeprefix("ref:") for p in n["depends_on"]] for n in manifest["nodes"]}
    return {name: reach([name], parents, None) for name in parents}


def _chosen(manifest: Mapping[str, Any], loaded: Any, job: str | None, selection: str | None) -> list[dict[str, Any]]:
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


def _report(ended: Sequence[Outcome], quarantines: Mapping[str, str], keep_going: bool) -> None:
    runs = [o.run for o in ended if o.run]
    shown = [c for c in COLUMNS if any(_is_told(c, run) for run in runs)]
    rows = []
    for run in runs:
        counted = [str(run.counters.get(f"{c}_rows", "")) for c in shown] if run.succeeded else [""] * len(shown)
        rows.append([run.node, *counted, f"{run.seconds:.2f}" if run.succeeded else "failed"])
    console.table(["node", *shown, "seconds"], rows, right=range(1, len(shown) + 2))
    for run in runs:
        if run.succeeded and (kept := run.counters.get("quarantined_rows")):
            where = f"in {quarantines[run.node]}, where c360_reason says why"
            console.say(f"warning: {run.node} kept back {console.counted(kept, 'row')} {where}")
    failures = [options.failed(run) for run in runs if not run.succeeded]
    if not failures:
        return
    console.say("")
    console.diagnostics(failures, {}, "")
    skipped = [o for o in ended if o.status == "skipped"]
    if skipped and not keep_going:
        console.say(f"{console.counted(len(skipped), 'node')} behind it not run; --keep-going runs what does not depend on it")
    elif skipped:
        console.say("\n".join(["", *(f"skipped: {o.node}, because {' and '.join(o.because)} failed" for o in skipped)]))
    console.say(f"\n{len(runs) - len(failures)} succeeded, {len(failures)} failed, {len(skipped)} skipped")


def _document(ended: Sequence[Outcome], quarantines: Mapping[str, str], keep_going: bool) -> None:
    """Every node that was asked for, in the order of the run, with what the run log has of it."""
    rows = []
    for outcome in ended:
        run = outcome.run
        said = options.failed(run) if run and not run.succeeded else None
        rows.append(
            {
                "node": outcome.node, "status": outcome.status, "because": [*outcome.because], "run_id": run and run.run_id,
                "seconds": run and round(run.seconds, 3), "counts": {**run.counters} if run else {},
                "watermark": run.watermark.astimezone(dt.UTC).isoformat(sep=" ") if run and run.watermark else None,
                "code": said and said.code, "message": said and "\n".join(filter(None, (said.message, said.detail))),
                "quarantine": quarantines.get(outcome.node) if run and run.counters.get("quarantined_rows") else None,
            }
        )  # fmt: skip
    console.answer(json.dumps({"runs": rows}, indent=2, ensure_ascii=False))


def _is_told(column: str, run: Run) -> bool:
    count = run.counters.get(f"{column}_rows")
    return run.succeeded and (bool(count) if column in SELDOM else count is not None)
