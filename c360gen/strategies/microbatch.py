"""incremental_strategy: microbatch. Time is cut into windows; the rows of a window replace those in the table, on every engine alike."""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Windows, Write
from c360gen.ops.schema import CreateIndex, CreateTable, Traits
from c360gen.project.nodes import Batches, Node, Query
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _replace, _sql
from c360gen.strategies._sql import action_is, any_of, case, every, literal, named, star_count
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    batches, query = _batches(node), node.query(dialect)
    names = [_sql.ACTION, *(c.name for c in node.columns)]
    moves = _replace.can_move(node, batches.event_time)
    gone = ("deleted_rows", *(("moved_rows",) if moves else ()))
    steps: list[Step] = [
        *_batch.stage(node, dialect, "Read the rows of the window.", names, lambda q: _staged(node, query, q, traits)),
        _batch.count(node, _counted(node, query), source_rows=exp.Count(this=exp.Star())),
        *_batch.null_guards(node),
        *([_outside(node)] if query.windowed else []),
        *_replace.duplicates(node),
        *_batch.clear_target(node),
        Count("Compare the window with the table, as multisets: what is equal is not written again.", ("changed_rows",),
              _differing(node), exp.Not(this=variable("full_refresh"))),
        Count("Count what will be replaced.", ("new_rows", *gone), _replaced(node, moves)),
        *([_delete_moved(node)] if moves else []),
        _delete(node),
        _insert(node),
    ]  # fmt: skip
    counters: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"),
        "inserted_rows": variable("new_rows"),
        "deleted_rows": case((variable("full_refresh"), variable("target_rows")), otherwise=_sql.plus(*gone)),
        "unchanged_rows": exp.Sub(this=variable("source_rows"), expression=variable("new_rows")),
    }
    run = _batch.program(
        node, project, traits, steps, counters, _rules(node, batches), _batch.stage_table(node),
        windows=Windows(batches.size, batches.begin, batches.lookback),
    )  # fmt: skip
    index = CreateIndex(node.name, f"{node.identifier}_window_ix", (batches.event_time,), because="windows are replaced")
    return _batch.artefacts(node, _table(node), (index, *_batch.indexes(node, key=False)), run)


def _batches(node: Node) -> Batches:
    assert node.batches is not None, "resolve lets no microbatch through without its windows"
    return node.batches


def _table(node: Node) -> CreateTable:
    """Partitioned by its windows where nothing else is said: an hour would be more partitions than a table may have."""
    made, batches = _batch.table(node, unique=bool(node.key)), _batches(node)
    if node.partition_by:
        return made
    size = "day" if batches.size == "hour" else batches.size
    return dataclasses.replace(made, partition_by=batches.event_time, partition_size=size)


def _rules(node: Node, batches: Batches) -> list[str]:
    begin = batches.begin.replace(tzinfo=None).isoformat(" ", "minutes")
    size, after = batches.size, f"{batches.lookback} {batches.size}s after its end"
    again = "its end" if batches.lookback == 0 else f"a {size} after its end" if batches.lookback == 1 else after
    rules = [
        f"the rows of a {size} of {batches.event_time} (UTC) replace those in the table, in a transaction of their own",
        f"every {size} since {begin} is loaded, oldest first, and again until {again}; then it is final",
        f"the first {size} that fails stops the run, and the next run goes on there",
    ]
    if _replace.can_move(node, batches.event_time):
        rules.append(f"a row that moved here from another {size} is removed there, found by {', '.join(node.key)}")
    return rules


def _counted(node: Node, query: Query) -> dict[str, exp.Expr]:
    counted = _batch.null_counts(node)
    if query.windowed:
        counted["outside_rows"] = action_is("outside", table="s")
    return counted


def _inside(node: Node, table: str) -> exp.Expr:
    """event_time >= window_start AND event_time < window_end."""
    name = _batches(node).event_time
    start, end = (exp.cast(variable(v), _sql.known(node.column(name).type).copy()) for v in ("window_start", "window_end"))
    return every([exp.GTE(this=column(name, table), expression=start), exp.LT(this=column(name, table), expression=end)])


def _staged(node: Node, query: Query, tree: exp.Query, traits: Traits) -> exp.Select:
    """The rows of the window; where the model says them itself, all that it gives, and what lies outside is named so."""
    read, arms = _batch.whole(node, tree, traits), _batch.null_arms(node, traits)
    if query.windowed:
        arms.append((exp.Not(this=exp.Paren(this=_inside(node, "b"))), literal("outside")))
    else:
        read = read.where(any_of([exp.Paren(this=_inside(node, "m")), _batch.unusable(node, _batches(node).event_time, "m", traits)]))
    action = case(*arms, otherwise=literal("batch")) if arms else literal("batch")
    return exp.select(named(action, _sql.ACTION), *(column(c.name, "b") for c in node.columns)).from_(read.subquery("b"))


def _outside(node: Node) -> Guard:
    sample = _sql.key_sample(node, action_is("outside", table="s")) if node.key else None
    time = _batches(node).event_time
    what = (variable("outside_rows"), f" rows of the query of {node.name} have a {time} outside of the window")
    hint = f"Nothing was written. Let the query keep {time} from batch_start() on and before batch_end(), or omit both words."
    because = "Rows of other windows would be there twice once those are loaded."
    return Guard("ZC015", because, _sql.greater_than_zero("outside_rows"), what, sample, hint)


def _differing(node: Node) -> exp.Select:
    theirs = _replace.table_rows(node).where(_inside(node, "t"))
    groups = _replace.differing(node, [_batches(node).event_time], _replace.batch_rows(node), theirs)
    return exp.select(star_count("changed_rows")).from_(groups.subquery("g"))


def _changed() -> exp.Expr:
    return exp.Paren(this=any_of([variable("full_refresh"), _sql.greater_than_zero("changed_rows")]))


def _replaced(node: Node, moves: bool) -> exp.Select:
    star = exp.Count(this=exp.Star())
    come = exp.select(star).from_(relation("stage", node.name, "s")).where(every([action_is("batch", table="s"), _changed()]))
    gone = exp.select(star.copy()).from_(relation("ref", node.name, "t")).where(every([_inside(node, "t"), _changed()]))
    counted = [named(come.subquery(), "new_rows"), named(gone.subquery(), "deleted_rows")]
    if moves:
        moved = exp.select(star.copy()).from_(relation("ref", node.name, "t")).where(every([_moved(node), _changed()]))
        counted.append(named(moved.subquery(), "moved_rows"))
    return exp.select(*counted)


def _moved(node: Node) -> exp.Expr:
    """The row is in this window now, and was in another: it came from here."""
    here = exp.select(exp.Literal.number(1)).from_(relation("stage", node.name, "s"))
    here = here.where(every([action_is("batch", table="s"), _sql.joined(node.key, "s", "t")]))
    return every([exp.Not(this=exp.Paren(this=_inside(node, "t"))), exp.Exists(this=here)])


def _delete_moved(node: Node) -> Write:
    statement = exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=_moved(node)))
    return Write("Remove the rows that moved into this window from where they were.", statement,
                 _sql.greater_than_zero("moved_rows"), variable("moved_rows"), "rows to remove")  # fmt: skip


def _delete(node: Node) -> Write:
    statement = exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=_inside(node, "t")))
    return Write("Empty the window.", statement, _sql.greater_than_zero("deleted_rows"), variable("deleted_rows"), "rows to remove")


def _insert(node: Node) -> Write:
    names = [c.name for c in node.columns]
    query = exp.select(*(column(n, "s") for n in names)).from_(relation("stage", node.name, "s")).where(action_is("batch", table="s"))
    return Write("Fill it with the rows of the batch.", _sql.insert(relation("ref", node.name), names, query),
                 _sql.greater_than_zero("new_rows"), variable("new_rows"), "rows to insert")  # fmt: skip
