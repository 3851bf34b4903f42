"""`c360gen history`: check a history, rewind it to an earlier run, erase a person. Without --apply everything is a dry run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from c360gen.cli import complete, console, ledger, options
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import nearest_or_list

WORDS = {
    "rewind": ("{deleted} versions removed, {updated} opened again", "{deleted} versions would go, {updated} would be open again"),
    "erase": ("{deleted} rows deleted, {updated} redacted", "{deleted} rows would be deleted, {updated} redacted"),
}


@click.command(
    "history",
    help="Check a history, or all of them where none is named; rewind one to an earlier run, or erase a person. Without --apply nothing is "
    "changed.",
)
@click.argument("action", type=click.Choice(["check", "rewind", "erase"]))
@click.argument("node", required=False, shell_complete=complete.places)
@click.option("--to", default=None, metavar="TIMESTAMP", help="rewind: an instant, UTC; the last run at or before it stays.")
@click.option("--key", default=None, metavar="VALUE", help="erase: the value of the column that `erasure: by` names.")
@click.option("--apply", "apply", is_flag=True, help="Do it; without, it is counted and logged as a dry run.")
@options.one_target
@options.specs_and_out
def command(
    action: str,
    node: str | None,
    to: str | None,
    key: str | None,
    apply: bool,
    target_name: str,
    database: str | None,
    specs: Path,
    out: Path,
) -> None:
    given = {"to": options.instant(to, "--to"), "key": key}
    (made,) = options.builds(options.project(specs), [target_name], [], out)
    chosen = _chosen(options.manifest(made), action, node)
    for _, task in chosen:
        _agree(action, task, given)
    scripts = {f.path: f.text for f in made.files}
    where = options.database_of(database, str(made.target.dialect))
    if any(task["script"] for _, task in chosen):
        options.as_built(made, out)
    runs = []
    with options.deployed(made, where) as session:
        ledger.up_to_date(session, made, out, where)
        for entry, task in chosen:
            arguments = {a["name"]: given[a["name"]] for a in task["arguments"]}
            runs.append(session.task(entry, task, scripts.get(str(task["script"])), arguments, apply))
    for run in runs:
        if run.succeeded:
            console.say(_said(action, run.node, run.counters, apply))
    if failures := [options.failed(run) for run in runs if not run.succeeded]:
        console.diagnostics(failures, {}, "")
        raise click.exceptions.Exit(FINDINGS)


def _agree(action: str, task: Mapping[str, Any], given: Mapping[str, str | None]) -> None:
    """The options of the call are the arguments of the task, all of them and no other."""
    wanted = [a["name"] for a in task["arguments"]]
    if missing := [f"--{name}" for name in wanted if given[name] is None]:
        raise click.UsageError(f"{action} needs {' and '.join(missing)}")
    if needless := [f"--{name}" for name, value in given.items() if value is not None and name not in wanted]:
        raise click.UsageError(f"{action} takes no {' and no '.join(needless)}")


def _chosen(manifest: Mapping[str, Any], action: str, node: str | None) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The entries of nodes and of their task: of the one that is named, or all that can be checked."""
    able = {n["name"]: (n, t) for n in manifest["nodes"] for t in n["tasks"] if t["action"] == action}
    none = "no node says erasure: {by: …} under config:" if action == "erase" else "there are no snapshots"
    if node is None and action != "check":
        raise click.UsageError(f"{action} needs a node: {nearest_or_list('', able, 'nodes') or none}")
    if node is None and not able:
        console.fail("C206", f"there is nothing to {action}", none)
    if node is None:
        return [*able.values()]
    if node not in able:
        console.fail("C206", f"there is nothing to {action} in {node}", nearest_or_list(node, able, "nodes") or none)
    return [able[node]]


def _said(action: str, node: str, counters: Mapping[str, int], apply: bool) -> str:
    if action == "check":
        return f"{node} is sound"
    deleted, updated = counters.get("deleted_rows", 0), counters.get("updated_rows", 0)
    done, planned = WORDS[action]
    text = f"{node}: {(done if apply else planned).format(deleted=deleted, updated=updated)}"
    return text if apply else f"{text}; --apply does it"
