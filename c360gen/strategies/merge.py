"""incremental_strategy: merge. Rows that differ are updated, rows that are new inserted, everything else left alone."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Write
from c360gen.ops.schema import ColumnDef, Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _sql
from c360gen.strategies._sql import ROW, action_is, any_of, case, differs, equal, every, joined, literal, named, star_count
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

COPIES, POSITION = "c360_copies", "c360_position"


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    names = [_sql.ACTION, *([ROW] if traits.row_address else []), COPIES, POSITION, *(c.name for c in node.columns)]
    stage = _batch.stage_table(node, (ColumnDef(COPIES, types.BIGINT), ColumnDef(POSITION, types.BIGINT)), row_address=True)
    steps: list[Step] = [
        *_batch.stage(node, dialect, "Read the batch once and look its keys up in the target.", names, lambda q: _staged(node, q, traits)),
        _batch.count(
            node,
            {
                "new_rows": _first("insert"),
                "updated_rows": _first("update"),
                "older_rows": action_is("older", "superseded", table="s"),
                "null_keys": action_is("null_key", table="s"),
                "null_times": action_is("null_time", table="s"),
            },
            source_rows=exp.Count(this=exp.Star()),
        ),
        *_batch.null_guards(node),
        Count("Rows that share a key must be equal in every column.", ("duplicate_keys",), _conflicts(node)),
        _conflict_guard(node),
        *_batch.clear_target(node),
        *([_update(node, traits)] if node.updated else []),
        _insert(node, traits),
    ]
    unchanged: exp.Expr = variable("source_rows")
    for name in ("new_rows", "updated_rows", "older_rows"):
        unchanged = exp.Sub(this=unchanged, expression=variable(name))
    counters: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"),
        "inserted_rows": variable("new_rows"),
        "updated_rows": variable("updated_rows"),
        "deleted_rows": case((variable("full_refresh"), variable("target_rows")), otherwise=exp.Literal.number(0)),
        "unchanged_rows": unchanged,
    }
    key = ", ".join(node.key)
    once = [c.name for c in node.columns if c.name not in (*node.key, *node.updated)]
    update = f"updated where any {'other ' if once else ''}column differs" if node.updated else "kept as it is"
    rules = [f"a row of a known {key} is {update}, a new one inserted, a missing one kept"]
    if once:
        rules.append(f"{', '.join(once)}: written when the row is inserted, and never again")
    if node.version_column:
        rules.append(f"of several rows with one {key} the latest {node.version_column} counts; an older one never replaces a newer one")
    else:
        rules.append(f"rows that share {key} must be equal, and count once")
    return _batch.artefacts(
        node,
        _batch.table(node, unique=True),
        _batch.indexes(node, key=False),
        _batch.program(node, project, traits, steps, counters, rules, stage),
    )


def _first(action: str) -> exp.Expr:
    return every([action_is(action, table="s"), equal(column(POSITION, "s"), exp.Literal.number(1))])


def _staged(node: Node, query: exp.Query, traits: Traits) -> exp.Select:
    keys = [_sql.stored(node.column(k), "m", traits) for k in node.key]
    newest = None
    if node.version_column:
        newest = exp.Order(expressions=[exp.Ordered(this=column(node.version_column, "m"), desc=True, nulls_first=False)])
    read = _batch.batch(node, query, traits)
    # Without an order every row of a key has rank 1, and ROW_NUMBER still tells equal rows apart.
    position_order = newest or exp.Order(expressions=[exp.Ordered(this=k.copy(), nulls_first=False) for k in keys])
    windows = {
        COPIES: exp.Window(this=exp.Count(this=exp.Star()), partition_by=[k.copy() for k in keys]),
        POSITION: exp.Window(this=exp.RowNumber(), partition_by=[k.copy() for k in keys], order=position_order),
    }
    if newest:
        windows["c360_rank"] = exp.Window(this=exp.Rank(), partition_by=[k.copy() for k in keys], order=newest.copy())
    read = read.select(*(named(w, n) for n, w in windows.items()))
    arms = _batch.null_arms(node, traits)
    if newest:
        arms.append((exp.GT(this=column("c360_rank", "b"), expression=exp.Literal.number(1)), literal("superseded")))
    arms.append((_sql.is_null(column(node.key[0], "t")), literal("insert")))
    if node.version_column:
        older = exp.GT(this=column(node.version_column, "t"), expression=column(node.version_column, "b"))
        arms.append((older, literal("older")))
    if node.updated:
        arms.append((any_of(differs(column(c, "b"), column(c, "t")) for c in node.updated), literal("update")))
    action = named(case(*arms, otherwise=literal("same")), _sql.ACTION)
    projections: list[exp.Expr] = [action]
    if traits.row_address:
        projections.append(named(_sql.address(traits, "t"), ROW))
    projections += [column(n, "b") for n in (COPIES, POSITION, *(c.name for c in node.columns))]
    on = every([joined(node.key, "t", "b"), exp.Not(this=variable("full_refresh"))])
    return exp.select(*projections).from_(read.subquery("b")).join(relation("ref", node.name, "t"), on=on, join_type="left")


def _repeated() -> exp.Expr:
    """A row that shares its key with others, and that no later version of it replaces."""
    copied = exp.GT(this=column(COPIES, "s"), expression=exp.Literal.number(1))
    return every([copied, exp.NEQ(this=column(_sql.ACTION, "s"), expression=literal("superseded"))])


def _conflicts(node: Node) -> exp.Select:
    keys = [column(k, "d") for k in node.key]
    rows = exp.select(*(column(c.name, "s") for c in node.columns)).from_(relation("stage", node.name, "s"))
    distinct = rows.where(_repeated()).distinct()
    grouped = exp.select(*keys).from_(distinct.subquery("d")).group_by(*(k.copy() for k in keys)).having(_sql.several())
    return exp.select(star_count("duplicate_keys")).from_(grouped.subquery("r"))


def _conflict_guard(node: Node) -> Guard:
    key = ", ".join(node.key)
    what = f" values of {key} occur in several rows that differ" + (
        f" and have the same {node.version_column}" if node.version_column else ""
    )
    hint = "Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart."
    sample = _sql.key_sample(node, _repeated())
    return Guard("ZC001", "Which of two different rows would win would be chance.", _sql.greater_than_zero("duplicate_keys"),
                 (variable("duplicate_keys"), what), sample, hint)  # fmt: skip


def _update(node: Node, traits: Traits) -> Write:
    pinned = [joined(node.key, "t", "s"), _first("update")]
    if traits.row_address:
        pinned.insert(0, equal(_sql.address(traits, "t"), column(ROW, "s")))
    statement = exp.Update(
        this=relation("ref", node.name, "t"),
        expressions=[equal(column(c), column(c, "s")) for c in node.updated],
        from_=exp.From(this=relation("stage", node.name, "s")),
        where=exp.Where(this=every(pinned)),
    )
    return Write("Update the rows that differ; the count must be exact.", statement, _sql.greater_than_zero("updated_rows"),
                 variable("updated_rows"), "rows to update")  # fmt: skip


def _insert(node: Node, traits: Traits) -> Write:
    names = [c.name for c in node.columns]
    query = exp.select(*(column(n, "s") for n in names)).from_(relation("stage", node.name, "s")).where(_first("insert"))
    if traits.ordered_insert:
        query = query.order_by(*(column(k, "s") for k in node.key))
    return Write("Insert the rows that are new.", _sql.insert(relation("ref", node.name), names, query),
                 _sql.greater_than_zero("new_rows"), variable("new_rows"), "rows to insert")  # fmt: skip
