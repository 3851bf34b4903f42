"""What incrementals have in common: their table, the batch that a run reads, its guards, the full refresh."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Program, Stage, Step, Windows, Write
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, StageTable, Traits
from c360gen.project.nodes import Node, Query
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _contract, _sql
from c360gen.strategies._sql import action_is, any_of, as_time, equal, greater_than_zero, is_null, named
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable


def table(node: Node, *, unique: bool) -> CreateTable:
    return CreateTable(
        kind="ref", name=node.name, columns=_sql.definitions(node, (*node.key, *times(node))), description=node.description,
        primary_key=node.key if unique else (), partition_by=node.partition_by, partition_size=node.partition_size,
        cluster_by=node.cluster_by,
    )  # fmt: skip


def indexes(node: Node, *, key: bool) -> tuple[CreateIndex, ...]:
    found = [CreateIndex(node.name, f"{node.identifier}_{'_'.join(c)}_ix", c, unique) for c, unique in node.indexes]
    if key:
        found.insert(0, CreateIndex(node.name, f"{node.identifier}_key_ix", node.key, because="rows are replaced by key"))
    return tuple(found)


def stage_table(node: Node, extra: Sequence[ColumnDef] = (), *, row_address: bool = False) -> StageTable:
    own = (ColumnDef(_sql.ACTION, types.TEXT), *extra)
    return StageTable(node.name, (*own, *_sql.stage_columns(node)), row_address=row_address)


def batch(node: Node, query: exp.Query, traits: Traits, *, append: bool = False) -> exp.Select:
    """SELECT m.… FROM (the model's SQL) AS m WHERE its cursor is in the window."""
    selected = whole(node, query, traits)
    return selected.where(moved(node, "m", traits, append=append)) if node.cursor else selected


def whole(node: Node, query: exp.Query, traits: Traits) -> exp.Select:
    """SELECT m.… FROM (the model's SQL) AS m."""
    return exp.select(*(_sql.as_stored(c, "m", traits) for c in node.columns)).from_(query.copy().subquery("m"))


def moved(node: Node, table: str, traits: Traits, *, append: bool = False) -> exp.Expr:
    """The row's cursor is in the window; NULL cursors are read for the guard."""
    cursor = column(str(node.cursor), table)
    type_ = node.column(str(node.cursor)).type
    start: exp.Expr = variable("window_start")
    if type_ != types.TIMESTAMPTZ:
        assert type_ is not None
        start = exp.cast(start, type_.copy())
    if append:
        return _sql.beyond_watermark(node.column(str(node.cursor)), table, traits)
    inside = any_of([is_null(variable("window_start")), exp.GTE(this=cursor, expression=start)])
    return any_of([inside, is_null(cursor.copy())])


def renderings(query: Query) -> list[tuple[exp.Query, exp.Expr | None]]:
    """Each text of the model with the condition under which it is the one to run."""
    if query.incremental is None:
        return [(query.first, None)]
    return [(query.first, exp.Not(this=variable("incremental"))), (query.incremental, variable("incremental"))]


def times(node: Node) -> list[str]:
    """The columns that order rows, or say where they belong: none may be NULL, or infinite."""
    named_ = (node.cursor, node.version_column, node.batches.event_time if node.batches else None)
    return list(dict.fromkeys(t for t in named_ if t))


def unusable(node: Node, name: str, table: str, traits: Traits) -> exp.Expr:
    """Whether a time orders no rows: it is missing, or infinite where the engine knows such."""
    at, kind = column(name, table), _sql.known(node.column(name).type)
    if not traits.infinite_times or kind.this not in types.TIMES:
        return is_null(at)
    return any_of([is_null(at), *(equal(at.copy(), exp.cast(_sql.literal(end), kind.copy())) for end in ("infinity", "-infinity"))])


def null_arms(node: Node, traits: Traits) -> list[tuple[exp.Expr, exp.Expr]]:
    """The CASE arms that name rows which must not be written; `b` is the batch."""
    arms: list[tuple[exp.Expr, exp.Expr]] = []
    if node.key:
        arms.append((any_of(is_null(column(k, "b")) for k in node.key), _sql.literal("null_key")))
    if times(node):
        arms.append((any_of(unusable(node, t, "b", traits) for t in times(node)), _sql.literal("null_time")))
    return arms


def null_counts(node: Node) -> dict[str, exp.Expr]:
    """How many staged rows those arms have named."""
    found: dict[str, exp.Expr] = {}
    if node.key:
        found["null_keys"] = action_is("null_key", table="s")
    if times(node):
        found["null_times"] = action_is("null_time", table="s")
    return found


def null_guards(node: Node) -> list[Guard]:
    guards = []
    source = f"the query of {node.name}"
    if node.key:
        key = " or no ".join(node.key)
        sample = _sql.key_sample(node, action_is("null_key", table="s")) if len(node.key) > 1 else None
        guards.append(
            Guard("ZC002", "Keys must not be NULL.", greater_than_zero("null_keys"),
                  (variable("null_keys"), f" rows of {source} have no {key}"), sample, "Nothing was written. Mend the rows in the source.")
        )  # fmt: skip
    if times(node):
        sample = _sql.key_sample(node, action_is("null_time", table="s")) if node.key else None
        guards.append(
            Guard("ZC003", f"No {'window' if node.batches else 'watermark'} would ever reach a NULL.", greater_than_zero("null_times"),
                  (variable("null_times"), f" rows of {source} have no usable {' or '.join(times(node))}"), sample,
                  "Nothing was written. Mend the rows in the source.")
        )  # fmt: skip
    return guards


def count(node: Node, counted: dict[str, exp.Expr], **others: exp.Expr) -> Count:
    """Count staged rows by action, with the batch's size and its newest cursor."""
    projections: list[exp.Expr] = [_sql.count_where(c, n) for n, c in counted.items()]
    if node.cursor:
        newest = exp.Max(this=as_time(column(node.cursor, "s"), node.column(node.cursor).type))
        others["newest"] = newest
    projections += [named(e, n) for n, e in others.items()]
    return Count("Count what was decided.", (*counted, *others), exp.select(*projections).from_(relation("stage", node.name, "s")))


def clear_target(node: Node) -> list[Step]:
    """A full refresh replaces the contents within the transaction: readers see the old rows until it commits."""
    target = exp.select(_sql.star_count("target_rows")).from_(relation("ref", node.name, "t"))
    return [
        Count("A full refresh replaces every row.", ("target_rows",), target, variable("full_refresh")),
        Write("Empty the table; readers see its rows until the commit.",
              exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=exp.true())),
              variable("full_refresh"), variable("target_rows"), "rows to remove"),
    ]  # fmt: skip


def _kept(node: Node) -> Guard:
    return Guard("ZC020", "A full refresh would lose what the source has lost.", variable("full_refresh"),
                 ("a full refresh is refused: full_refresh: false",), None,
                 "Nothing was written. Run it without p_full_refresh; rows that must change are for a migration.")  # fmt: skip


def program(
    node: Node, project: Resolved, traits: Traits, steps: Sequence[Step], counters: dict[str, exp.Expr], rules: Sequence[str],
    stage: StageTable, reads: str = "rows", windows: Windows | None = None,
) -> Program:  # fmt: skip
    window: tuple[str, ...] = ()
    if node.keeps_rows:
        steps = [_kept(node), *steps]
        rules = (*rules, "a full refresh is refused")
    if node.cursor and node.strategy != "append":
        window = (f"reads {reads} whose {node.cursor} is at or after the watermark less {span(node.lookback)}; the first run reads all",)
    elif node.cursor:
        window = (f"reads rows whose {node.cursor} is after the watermark and not after the run time",)
    return Program(
        node=node.name, summary=f"Brings {node.name} up to date with its query", rules=(*window, *rules),
        steps=tuple(steps),
        checks=_contract.checks(node, project, traits),
        counters=counters, stage=stage, full_refresh=True, lookback=node.lookback if node.cursor else None,
        windows=windows,
    )  # fmt: skip


def span(seconds: int) -> str:
    """259200 → 3 days."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {word}{'s' if seconds != size else ''}"
    return "nothing"


def artefacts(node: Node, made: CreateTable, index: tuple[CreateIndex, ...], run: Program) -> Artefacts:
    return Artefacts(objects=(made, *index), program=run)


def stage(node: Node, dialect: str, because: str, names: Sequence[str], build: Callable[[exp.Query], exp.Query]) -> list[Stage]:
    """One Stage per rendering of the model; `build` makes its SELECT from the model's query."""
    return [
        Stage(because, _sql.insert(relation("stage", node.name), names, build(query)), when, begins=True)
        for query, when in renderings(node.query(dialect))
    ]
