"""What every snapshot over a feed has in common: the history table, the log of observations, and the run."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Program
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, SchemaOp, Traits
from c360gen.project.nodes import Node, Resolved
from c360gen.strategies import Artefacts, _batch, _contract, _history, _sql
from c360gen.strategies._feed.events import stage_table
from c360gen.strategies._feed.steps import counters, steps
from c360gen.strategies._feed.words import OBSERVED, Parts, derives_deletes, feed_of, place
from c360gen.strategies._history.versions import recorded_of, stored_type
from c360gen.strategies._sql import codes
from c360gen.terms import types


def plan(node: Node, project: Resolved, traits: Traits, concerned: exp.Query | None, events: Parts) -> Artefacts:
    """`concerned` gives the keys whose history may change, and None stands for all; `events` ends in a step of that name."""
    done, checks, staged = steps(node, traits, concerned, events), _contract.checks(node, project), stage_table(node)
    source = project.relation(str(node.relation)).name
    kept: tuple[SchemaOp, ...] = (_history.quarantine_table(node, source),) if node.quarantines else ()
    if feed_of(node).rebuilds:
        kept = (*kept, *_observations(node, source))
    return Artefacts(
        objects=(_history.table(node, source), *_history.indexes(node, traits), *kept, staged),
        helpers=(_history.current_view(node), _history.as_of_function(node)),
        program=Program(
            node=node.name,
            summary=f"Brings the history {node.name} up to date with the feed {source}",
            rules=_rules(node, source),
            variables=_sql.variables((*checks, *done)),
            steps=done,
            counters=counters(node),
            checks=checks,
            stage=staged,
            guards=codes([*done, *checks]),
            lookback=node.lookback,
            tolerance=node.policies.future_tolerance,
        ),
    )


def _rules(node: Node, source: str) -> tuple[str, ...]:
    feed = feed_of(node)
    less = f" less {_batch.span(node.lookback)}" if node.lookback else ""
    found = [f"reads rows of {source} whose {feed.cursor} is after the watermark{less} and not after the run time"]
    if node.strategy == "changelog":
        ordered = f"in the order of {', '.join(place(node))}" + ("; the last of an instant counts" if len(place(node)) > 1 else "")
        found.append(f"every event of a key counts, {ordered}; one that changes no tracked column begins no version")
        for values, what in ((feed.delete_when, "the version of its key"), (feed.truncate_when, "the version of every key")):
            if values:
                found.append(f"{feed.operation} {' or '.join(map(str, values))} ends {what}; anything else is the new state of its key")
        if feed.ignored_nulls:
            found.append(f"NULL in {', '.join(feed.ignored_nulls)} means as before")
    else:
        gone = "a key that a copy does not hold is gone at its date" if derives_deletes(node) else "a key that a copy does not hold stays"
        found.append(f"rows with the same {node.updated_at} are one full copy; {gone}")
    found.append({
        "quarantine": "an event that is not later than what the history of its key holds, and says something else, is kept back; an event "
                      "that changed nothing left no trace to compare with",
        "reject": "an event that is not later than what the history of its key holds, and says something else, fails the run; an event "
                  "that changed nothing left no trace to compare with",
        "rebuild": "every event is remembered, and one that comes late is put in its place: the order of their arrival does not matter",
    }[feed.late])  # fmt: skip
    if feed.frozen_before is not None:
        found.append(f"an event before {feed.frozen_before:%Y-%m-%d %H:%M:%S} UTC is never applied")
    unless = " unless an event comes late" if feed.rebuilds else ""
    return (*found, f"a closed version never changes again{unless}; running again writes nothing but the log")


def _observations(node: Node, source: str) -> tuple[SchemaOp, ...]:
    table = CreateTable(
        kind="observations",
        name=node.name,
        columns=(
            ColumnDef(OBSERVED[0], types.TIMESTAMPTZ, True, "Run time of the run that read the event."),
            ColumnDef(OBSERVED[1], types.RUN_ID, True, "That run."),
            *(ColumnDef(c.name, stored_type(c.type), c.name in place(node), c.description) for c in recorded_of(node)),
        ),
        description=f"Every event of {source} that was read, each once: what {node.name} is rebuilt from.",
        partition_by=str(node.updated_at),
    )
    looked_up = (*node.key, *place(node))
    because = "events are looked up by key and time"
    index = CreateIndex(node.name, f"{node.identifier}_observations_ix", looked_up, because=because, kind="observations")
    return table, index
