"""incremental_strategy: insert_overwrite. The partitions that the batch names, that of NULL included, are replaced as a whole."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Stage, Step, Write
from c360gen.ops.schema import ColumnDef, CreateIndex, Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _replace, _sql
from c360gen.strategies._sql import PARTITION, action_is, any_of, case, equal, every, is_null, literal, named
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    stage = _batch.stage_table(node, (ColumnDef(PARTITION, _sql.partition_type(node)),))
    counted = {"source_rows": action_is("batch", "null_key", "null_time", table="s"), **_batch.null_counts(node)}
    moves = _replace.can_move(node, str(node.partition_by))
    steps: list[Step] = [
        *_read(node, dialect, traits),
        _batch.count(node, counted, first_partition=_first(node)),
        *_batch.null_guards(node),
        *_replace.duplicates(node),
        *_batch.clear_target(node),
        Stage("Find the partitions whose rows differ, as multisets: what is equal is not written again.", _differing(node)),
        Count("Count what will be replaced.", ("deleted_rows", "new_rows", *(["moved_rows"] if moves else [])), _replaced(node, moves)),
        *([_delete_moved(node)] if moves else []),
        _delete(node),
        _insert(node),
    ]
    counters: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"),
        "inserted_rows": variable("new_rows"),
        "deleted_rows": case(
            (variable("full_refresh"), variable("target_rows")),
            otherwise=_sql.plus("deleted_rows", *(["moved_rows"] if moves else [])),
        ),
        "unchanged_rows": exp.Sub(this=variable("source_rows"), expression=variable("new_rows")),
    }
    run = _batch.program(node, project, traits, steps, counters, _rules(node), stage, reads="the partitions of rows")
    index = [*_batch.indexes(node, key=False)]
    index.insert(0, CreateIndex(node.name, f"{node.identifier}_partition_ix", (str(node.partition_by),), because="partitions are replaced"))
    return _batch.artefacts(node, _batch.table(node, unique=bool(node.key)), tuple(index), run)


def _rules(node: Node) -> list[str]:
    rules = [
        f"the rows of every {node.partition_size} of {node.partition_by} (UTC) in the batch replace those in the table, and so do those "
        "without any"
    ]
    if node.cursor:
        rules.append(f"a {node.partition_size} with a row that moved is read whole")
    else:
        rules.append(f"the query must give each {node.partition_size} whole: what it leaves out of one is removed")
    if _replace.can_move(node, str(node.partition_by)):
        rules.append(f"a row that moved here from another {node.partition_size} is removed there, found by {', '.join(node.key)}")
    return rules


def _read(node: Node, dialect: str, traits: Traits) -> list[Stage]:
    """The batch; with a cursor, from the second run on, all rows of the partitions in which one moved, found and read by one statement."""
    names = [_sql.ACTION, PARTITION, *(c.name for c in node.columns)]
    if not node.cursor:
        return _batch.stage(node, dialect, "Read the batch once.", names, lambda q: _staged(node, q, traits))
    query = node.query(dialect).first
    rows = _batch.whole(node, query, traits).subquery("n")
    moved = exp.select(named(_sql.partition(node, "n"), PARTITION)).from_(rows).where(_batch.moved(node, "n", traits)).distinct()
    again = _staged(node, query, traits).join(moved.subquery("p"), on=_same(_sql.partition(node, "b"), "p"), join_type="inner")
    into = relation("stage", node.name)
    return [
        Stage("The first run, or a full refresh, reads everything.",
              _sql.insert(into, names, _staged(node, query, traits)), exp.Not(this=variable("incremental")), begins=True),
        Stage("Find the partitions in which a row moved, and read them whole: never is one replaced by half of itself.",
              _sql.insert(into.copy(), names, again), variable("incremental"), begins=True),
    ]  # fmt: skip


def _staged(node: Node, query: exp.Query, traits: Traits) -> exp.Select:
    arms = _batch.null_arms(node, traits)
    action = case(*arms, otherwise=literal("batch")) if arms else literal("batch")
    projections = [named(action, _sql.ACTION), named(_sql.partition(node, "b"), PARTITION), *(column(c.name, "b") for c in node.columns)]
    return exp.select(*projections).from_(_batch.whole(node, query, traits).subquery("b"))


def _first(node: Node) -> exp.Expr:
    """The oldest partition of the batch: older rows need not be looked at."""
    known = _sql.not_null(column(str(node.partition_by), "s"))
    begin = _sql.as_time(column(PARTITION, "s"), _sql.partition_type(node))
    return exp.Min(this=case((known, begin)))


def _near(node: Node) -> exp.Expr:
    """The rows of the table that can be in a partition of the batch, in words that an index or a partitioned table can use."""
    at = column(str(node.partition_by), "t")
    begin = exp.cast(variable("first_partition"), _sql.known(node.column(str(node.partition_by)).type).copy())
    return exp.Paren(this=any_of([exp.GTE(this=at, expression=begin), is_null(at.copy())]))


def _same(left: exp.Expr, right: str) -> exp.Expr:
    return equal(column(PARTITION, right), left)


def _differing(node: Node) -> exp.Insert:
    batch = exp.select(column(PARTITION, "k")).from_(relation("stage", node.name, "k")).where(action_is("batch", table="k")).distinct()
    mine = _replace.batch_rows(node, {PARTITION: column(PARTITION, "s")})
    theirs = _replace.table_rows(node, {PARTITION: column(PARTITION, "b")})
    theirs = theirs.join(batch.subquery("b"), on=_same(_sql.partition(node, "t"), "b"), join_type="inner").where(_near(node))
    found = exp.select(named(literal("replace"), _sql.ACTION), column(PARTITION, "g"))
    found = found.from_(_replace.differing(node, [PARTITION], mine, theirs).subquery("g")).distinct()
    return _sql.insert(relation("stage", node.name), [_sql.ACTION, PARTITION], found)


def _marked(left: exp.Expr) -> exp.Expr:
    """The partition is one of those that are replaced."""
    return every([action_is("replace", table="r"), _same(left, "r")])


def _replaced(node: Node, moves: bool) -> exp.Select:
    replace = relation("stage", node.name, "r")
    star = exp.Count(this=exp.Star())
    gone = exp.select(star).from_(relation("ref", node.name, "t")).join(replace, on=_marked(_sql.partition(node, "t")), join_type="inner")
    come = exp.select(star.copy()).from_(relation("stage", node.name, "s"))
    come = come.join(replace.copy(), on=_marked(column(PARTITION, "s")), join_type="inner").where(action_is("batch", table="s"))
    counted = [named(gone.where(_near(node)).subquery(), "deleted_rows"), named(come.subquery(), "new_rows")]
    if moves:
        moved = exp.select(star.copy()).from_(relation("ref", node.name, "t")).where(_moved(node))
        counted.append(named(moved.subquery(), "moved_rows"))
    return exp.select(*counted)


def _moved(node: Node) -> exp.Expr:
    """The row is in a partition that is replaced, and was in one that is not: it came from here."""
    one = exp.Literal.number(1)
    here = exp.select(one).from_(relation("stage", node.name, "r")).where(_marked(_sql.partition(node, "t")))
    there = exp.select(one.copy()).from_(relation("stage", node.name, "s"))
    there = there.join(relation("stage", node.name, "r"), on=_marked(column(PARTITION, "s")), join_type="inner")
    there = there.where(every([action_is("batch", table="s"), _sql.joined(node.key, "s", "t")]))
    return every([exp.Exists(this=there), exp.Not(this=exp.Exists(this=here))])


def _delete_moved(node: Node) -> Write:
    statement = exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=_moved(node)))
    return Write("Remove the rows that moved to another partition from where they were.", statement,
                 _sql.greater_than_zero("moved_rows"), variable("moved_rows"), "rows to remove")  # fmt: skip


def _delete(node: Node) -> Write:
    marked = exp.select(exp.Literal.number(1)).from_(relation("stage", node.name, "r")).where(_marked(_sql.partition(node, "t")))
    where = every([_near(node), exp.Exists(this=marked)])
    return Write("Empty the partitions that differ.", exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=where)),
                 _sql.greater_than_zero("deleted_rows"), variable("deleted_rows"), "rows to remove")  # fmt: skip


def _insert(node: Node) -> Write:
    names = [c.name for c in node.columns]
    query = exp.select(*(column(n, "s") for n in names)).from_(relation("stage", node.name, "s"))
    query = query.join(relation("stage", node.name, "r"), on=_marked(column(PARTITION, "s")), join_type="inner")
    query = query.where(action_is("batch", table="s"))
    return Write("Fill them with the rows of the batch.", _sql.insert(relation("ref", node.name), names, query),
                 _sql.greater_than_zero("new_rows"), variable("new_rows"), "rows to insert")  # fmt: skip
