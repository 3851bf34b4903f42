"""What every snapshot over a feed has in common: the history table, the log of observations, and the run."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Program
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, SchemaOp, Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _contract, _history, _sql
from c360gen.strategies._feed.events import stage_table
from c360gen.strategies._feed.steps import counters, steps
from c360gen.strategies._feed.words import OBSERVED, Parts, derives_deletes, feed_of, place, turns
from c360gen.strategies._history import helpers, tasks
from c360gen.strategies._history.versions import recorded_of
from c360gen.terms import types


def plan(node: Snapshot, project: Resolved, traits: Traits, concerned: exp.Query | None, events: Parts) -> Artefacts:
    """`concerned` gives the keys whose history may change, and None stands for all; `events` ends in a step of that name."""
    source = node.reading
    kept: tuple[SchemaOp, ...] = (_history.quarantine_table(node, source),) if node.quarantines else ()
    if feed_of(node).rebuilds:
        kept = (*kept, *_observations(node, source, traits))
    return Artefacts(
        objects=(_history.table(node, source), *_history.indexes(node, traits), *kept),
        helpers=helpers.all_of(node),
        program=Program(
            node=node.name,
            summary=f"Brings the history {node.name} up to date with the feed {source}",
            rules=_rules(node, source),
            steps=steps(node, traits, concerned, events),
            counters=counters(node),
            checks=_contract.checks(node, project, traits),
            stage=stage_table(node),
            lookback=node.lookback,
            tolerance=node.policies.future_tolerance,
        ),
        tasks=(tasks.check(node),) if feed_of(node).rebuilds else tasks.all_of(node),  # a rebuild leaves no trace of what was before
    )


def _rules(node: Snapshot, source: str) -> tuple[str, ...]:
    feed = feed_of(node)
    less = f" less {_batch.span(node.lookback)}" if node.lookback else ""
    found = [f"reads rows of {source} whose {feed.cursor} is after the watermark{less} and not after the run time"]
    found += _of_copies(node) if node.strategy == "daily_copies" else _of_events(node)
    if not node.lookback:
        found.append(f"a row that is committed later with a {feed.cursor} at or before the watermark is not read")
    if feed.rebuilds:
        found.append("every event is remembered, and one that comes late is put in its place: the order of arrival does not matter")
    elif node.lookback or feed.cursor != node.updated_at:
        then = "fails the run" if feed.late == "reject" else "is kept back"
        found += [
            f"an event that is not after the last start or end of its key is late and {then}, unless it says what is known",
            "an event that changed nothing left no trace: one that comes after it, but happened before, is not seen to be late",
        ]
    if feed.frozen_before is not None:
        found.append(f"an event before {feed.frozen_before.replace(tzinfo=None)} UTC is never applied")
    unless = " unless an event comes late" if feed.rebuilds else ""
    return (*found, f"a closed version never changes again{unless}; running again writes nothing but the log")


def _of_events(node: Snapshot) -> list[str]:
    feed = feed_of(node)
    last = "; the last of an instant counts" if turns(node) else ""
    found = [
        f"every event counts, in the order of {', '.join(place(node))}{last}",
        "an event that changes no tracked column begins no version",
    ]
    ends = [
        f"{feed.operation} {' or '.join(str(v).lower() if isinstance(v, bool) else str(v) for v in values)} ends {what}"
        for values, what in ((feed.delete_when, "the version of its key"), (feed.truncate_when, "every version there is")) if values
    ]  # fmt: skip
    if ends:
        found.append(f"{', '.join(ends)}; anything else is the new state of its key")
    if feed.ignored_nulls:
        found.append(f"NULL in {', '.join(feed.ignored_nulls)} means as before")
    return found


def _of_copies(node: Snapshot) -> list[str]:
    gone = "is gone at its date" if derives_deletes(node) else "stays as it was"
    return [f"rows with the same {node.updated_at} are one full copy; a key that a copy does not hold {gone}"]


def _observations(node: Snapshot, source: str, traits: Traits) -> tuple[SchemaOp, ...]:
    table = CreateTable(
        kind="observations",
        name=node.name,
        columns=(
            ColumnDef(OBSERVED[0], types.TIMESTAMPTZ, True, "Run time of the run that read the event."),
            ColumnDef(OBSERVED[1], types.RUN_ID, True, "That run."),
            *(ColumnDef(c.name, _sql.known(c.type), c.name in place(node), c.description) for c in recorded_of(node)),
        ),
        description=f"Every event of {source} that was read, each once: what {node.name} is rebuilt from.",
        partition_by=str(node.updated_at),
    )
    if not traits.indexed_lookups:  # no engine that looks up single rows by an index
        return (table,)
    because = "events are looked up by key and time"
    name, columns = f"{node.identifier}_observations_ix", (*node.key, *place(node))
    return table, CreateIndex(node.name, name, columns, because=because, kind="observations")
