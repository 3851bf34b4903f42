"""Erasure of a person: in every version of a history, and in every other table that says `erasure:`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Task, Write
from c360gen.project.nodes import Node, Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._sql import any_of, equal, every, greater_than_zero, named, not_null
from c360gen.terms.symbols import column, relation, variable


def tasks(node: Node, dialect: str) -> tuple[Task, ...]:
    return (_erase(node, dialect),) if node.erasure else ()


def _erase(node: Node, dialect: str) -> Task:
    assert node.erasure is not None
    by, redact = node.erasure.by, node.erasure.redact
    steps: list[Step] = [
        Count("What the source still has would come back with the next run.", ("remaining_rows",), _remaining(node, dialect)),
        Guard("ZC017", "Erase there first.", greater_than_zero("remaining_rows"),
              (variable("remaining_rows"), f" rows of {node.reading} still have " + (f"a value in {' or '.join(redact)}"
               if redact else f"this {by}")), None, "Nothing was written. Erase the person in the source first."),
    ]  # fmt: skip
    mine = relation("ref", node.name, "t")
    if redact:
        steps += [
            Count("Count the rows that still show something.", ("updated_rows",), _count("updated_rows", mine, _of(node, "t"))),
            Write(f"Redact {', '.join(redact)}, in closed versions too." if isinstance(node, Snapshot) else f"Redact {', '.join(redact)}.",
                  exp.Update(this=mine.copy(), expressions=[equal(column(c), exp.null()) for c in redact],
                             where=exp.Where(this=_of(node, "t"))),
                  _sql.for_real("updated_rows"), variable("updated_rows"), "rows to redact"),
        ]  # fmt: skip
    else:
        steps += [
            Count("Count the rows.", ("removed_rows",), _count("removed_rows", mine, _of(node, "t"))),
            Write("Delete them, closed versions too." if isinstance(node, Snapshot) else "Delete them.",
                  exp.Delete(this=mine.copy(), where=exp.Where(this=_of(node, "t"))),
                  _sql.for_real("removed_rows"), variable("removed_rows"), "rows to delete"),
        ]  # fmt: skip
    counters: dict[str, exp.Expr] = {"updated_rows": variable("updated_rows")} if redact else {"deleted_rows": variable("removed_rows")}
    if node.quarantines:
        held = relation("quarantine", node.name, "t")
        steps += [
            Count("Count what was kept back of the person.", ("held_back_rows",), _count("held_back_rows", held, _named(node, "t"))),
            Write("Delete that.", exp.Delete(this=held.copy(), where=exp.Where(this=_named(node, "t"))),
                  _sql.for_real("held_back_rows"), variable("held_back_rows"), "rows to delete"),
        ]  # fmt: skip
        counters["quarantined_rows"] = variable("held_back_rows")
    if node.rebuilds:
        events = relation("observations", node.name, "t")
        forget: exp.Update | exp.Delete = exp.Delete(this=events, where=exp.Where(this=_named(node, "t")))
        if redact:
            cleared = [equal(column(c), exp.null()) for c in redact]
            forget = exp.Update(this=events, expressions=cleared, where=exp.Where(this=_named(node, "t")))
        steps.append(Write("The events that the history is rebuilt from say the same.", forget, exp.Not(this=variable("dry_run"))))
    what = f"{', '.join(redact)} become NULL in every row of the person" if redact else "every row of the person is deleted"
    adopted = node.adopts if isinstance(node, Snapshot) else None
    there = (f"{adopted.source}, which was adopted, is not touched: erase the person there as well",) if adopted else ()
    rules = (
        what, *there, "no run brings it back: the source must not have it",
        "the log keeps the counts, not who it was; messages of failed runs may name keys until prune_run_log takes them",
        "backups keep what was, and so does Time Travel for as long as it goes back",
    )  # fmt: skip
    kind = node.column(by).type
    assert kind is not None
    return Task(
        "erase", node.name, f"Erases one person, named by {by}, from {node.name}", rules, tuple(steps), counters,
        (("key", "erase_key", kind),),
    )  # fmt: skip


def _named(node: Node, table: str) -> exp.Expr:
    assert node.erasure is not None
    return equal(column(node.erasure.by, table), variable("erase_key"))


def _shows(node: Node, table: str) -> list[exp.Expr]:
    """Whether a row still has a value that should be redacted; nothing where whole rows go."""
    assert node.erasure is not None
    found = [not_null(column(c, table)) for c in node.erasure.redact]
    return [exp.Paren(this=any_of(found))] if found else []


def _of(node: Node, table: str) -> exp.Expr:
    return every([_named(node, table), *_shows(node, table)])


def _count(name: str, table: exp.Table, where: exp.Expr) -> exp.Select:
    return exp.select(_sql.star_count(name)).from_(table.copy()).where(where)


def _remaining(node: Node, dialect: str) -> exp.Select:
    read: exp.Expr
    if isinstance(node, Snapshot) and node.relation is not None:
        read = _sql.reading(node, "s")
    else:
        read = _of_every_run(node, node.query(dialect).first).subquery("s")
    query = exp.select(named(exp.Count(this=exp.Star()), "remaining_rows")).from_(read)
    return query.where(_of(node, "s"))


_NEVER = dt.datetime(9000, 1, 1)


def _of_every_run(node: Node, query: exp.Query) -> exp.Query:
    """The rows that any run would load: a model that asks for the window of a run gets all time, one that asks for the time of a run
    gets what is there now and what will ever be."""
    ends = {"window_end": _NEVER, **({"window_start": node.batches.begin} if node.batches else {})}
    found = _at(query, ends)
    if not any(p.name == "as_of" for p in found.find_all(exp.Placeholder)):
        return found
    names = [column(c.name, "a") for c in node.columns]
    now, ever = (exp.select(*(n.copy() for n in names)).from_(q.subquery("a")) for q in (found, _at(query, {**ends, "as_of": _NEVER})))
    return exp.union(now, ever, copy=False)


def _at(query: exp.Query, instants: Mapping[str, dt.datetime]) -> exp.Query:
    found = query.copy()
    for placeholder in list(found.find_all(exp.Placeholder)):
        if placeholder.name in instants:
            placeholder.replace(_sql.instant(instants[placeholder.name]).this)  # it stands in a CAST already
    return found
