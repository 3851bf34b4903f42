"""`c360gen status`: how fresh every node is, how its last run ended, who is at work."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from c360gen import engines
from c360gen.cli import console, options
from c360gen.cli.exits import FINDINGS

GOOD = ("succeeded", "rewound")


@click.command(
    "status", help="How fresh nodes and sources are, how last runs ended, who is at work. Exits 1 when one failed, or a source is too old."
)
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", help="For people, or for machines.")
@options.one_target
@options.specs_and_out
def command(shape: str, target_name: str, database: str | None, specs: Path, out: Path) -> None:
    (made,) = options.builds(options.project(specs), [target_name], [], out)
    dialect = str(made.target.dialect)
    with options.session(dialect, options.database_of(database, dialect), options.control_schema(made)) as session:
        try:
            nodes = session.status()
            sources = session.freshness() if "freshness" in options.manifest(made) else []
        except engines.EngineError as error:
            options.not_deployed(made, error)
    if shape == "json":
        console.answer(json.dumps({"nodes": nodes, "sources": sources}, indent=2, default=str))
    else:
        _show(nodes, dt.datetime.now(dt.UTC))
        _show_sources(sources, dt.datetime.now(dt.UTC))
    if any(n["last_status"] not in GOOD for n in nodes) or any(s["status"] == "error" for s in sources):
        raise click.exceptions.Exit(FINDINGS)


def _show(nodes: list[Mapping[str, Any]], now: dt.datetime) -> None:
    rows = [
        [
            n["node"], n["last_status"], _age(n["last_finished_at"] or n["last_started_at"], now),
            _time(n["fresh_until"]), _time(n["watermark"]), n["failures"] or "",
        ]
        for n in nodes
    ]  # fmt: skip
    headers = ["node", "last run", "ago", "fresh until (UTC)", "watermark (UTC)", "failures"]
    console.table(headers, [[*map(str, r)] for r in rows], right=(2, 5))
    for n in nodes:
        if n["last_status"] not in GOOD and n["message"]:
            console.say(f"\n{n['node']}: {n['message']}")
        if n["at_work"]:
            console.say(f"\n{n['node']} is being run by {n['at_work']}")


def _show_sources(sources: list[Mapping[str, Any]], now: dt.datetime) -> None:
    rows = [[s["source"], s["status"], _age(s["loaded_at"], now), _time(s["loaded_at"])] for s in sources]
    if rows:
        console.answer("")
        console.table(["source", "freshness", "age", "newest row (UTC)"], [[*map(str, r)] for r in rows], right=(2,))


def _time(at: dt.datetime | None) -> str:
    return "" if at is None else at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _age(at: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago, in the two largest units: `3 d 4 h`."""
    if at is None:
        return "never"
    seconds = max(0, int((now - at).total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min")]
    shown = [f"{n} {unit}" for n, unit in parts if n][:2]
    return " ".join(shown) or "now"
