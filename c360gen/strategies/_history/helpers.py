"""What readers get with every history: what is current, what was at an instant, what changed between two, and whether it is sound."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import ColumnDef, CreateTableFunction, CreateView, SchemaOp
from c360gen.project.nodes import Column, Snapshot
from c360gen.project.snapshots import CHANGE, CHANGED_AT, SIDES, changed_name
from c360gen.strategies import _sql
from c360gen.strategies._history.versions import is_closed, is_live, is_marker, is_open, lives_at, not_marker, recorded_of
from c360gen.strategies._sql import any_of, case, equal, every, is_null, literal, named, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column, relation

PROBLEM, KEY = "c360_problem", "c360_key"


def all_of(node: Snapshot) -> tuple[SchemaOp, ...]:
    return (_current(node), _as_of(node), _changes(node), _health(node))


def compared(node: Snapshot) -> tuple[Column, ...]:
    """The columns whose old and new values a list of changes shows: all that are recorded but the key."""
    return tuple(c for c in recorded_of(node) if c.name not in node.key)


def _versions(node: Snapshot, alias: str) -> exp.Table:
    return relation("ref", node.name, alias)


def _current(node: Snapshot) -> CreateView:
    hidden = (node.valid_to, node.is_deleted)
    shown = [c for c in node.columns if c.name not in hidden]
    query = exp.select(*(column(c.name, "h") for c in shown)).from_(_versions(node, "h"))
    return CreateView(
        f"{node.identifier}_current", node.name, query.where(is_live(node, "h")),
        tuple(ColumnDef(c.name, _sql.known(c.type), False, c.description) for c in shown),
        f"The open versions of {node.name}: one row per key.",
    )  # fmt: skip


def _as_of(node: Snapshot) -> CreateTableFunction:
    shown = [c for c in node.columns if c.name != node.is_deleted]
    query = exp.select(*(column(c.name, "h") for c in shown)).from_(_versions(node, "h"))
    return CreateTableFunction(
        f"{node.identifier}_as_of", node.name, query.where(holds_at(node, "h", exp.Placeholder(this="at"))),
        tuple(ColumnDef(c.name, _sql.known(c.type)) for c in shown),
        f"{node.name} as it was at an instant: at most one row per key.",
    )  # fmt: skip


def holds_at(node: Snapshot, table: str, at: exp.Expr) -> exp.Expr:
    """valid_from <= at AND (at < valid_to OR it is open), markers of deletions left out."""
    return every(c for c in (lives_at(node, table, at), not_marker(node, table)) if c is not None)


def _changes(node: Snapshot) -> CreateTableFunction:
    """as_of(from) and these rows make as_of(to): an interval that is open at its beginning and closed at its end."""
    columns = compared(node)

    def projections(table: str, at: str, what: exp.Expr, before: str | None, after: str | None) -> list[exp.Expr]:
        found: list[exp.Expr] = [*(column(k, table) for k in node.key), named(column(at, table), CHANGED_AT), named(what, CHANGE)]
        for c in columns:
            for side, name in zip((before, after), SIDES, strict=True):
                value: exp.Expr = column(c.name, side) if side else exp.cast(exp.null(), _sql.known(c.type).copy())
                found.append(named(value, changed_name(c.name, name)))
        return found

    def inside(table: str, at: str) -> list[exp.Expr]:
        moved = column(at, table)
        return [
            exp.GT(this=moved, expression=exp.Placeholder(this="from")), exp.LTE(this=moved.copy(), expression=exp.Placeholder(this="to")),
        ]  # fmt: skip

    def neighbour(left: str, at: str, right: str, its: str) -> exp.Expr:
        parts = [_sql.same_key(node, right, left), equal(column(its, right), column(at, left)), not_marker(node, right)]
        return every(p for p in parts if p is not None)

    kind = case((is_null(column(node.valid_from, "b")), literal("inserted")), otherwise=literal("updated"))
    began = exp.select(*projections("v", node.valid_from, kind, "b", "v")).from_(_versions(node, "v"))
    began = began.join(_versions(node, "b"), on=neighbour("v", node.valid_from, "b", node.valid_to), join_type="left")
    began = began.where(*(c for c in (*inside("v", node.valid_from), not_marker(node, "v")) if c is not None))
    ended = exp.select(*projections("v", node.valid_to, literal("deleted"), "v", None)).from_(_versions(node, "v"))
    ended = ended.join(_versions(node, "n"), on=neighbour("v", node.valid_to, "n", node.valid_from), join_type="left")
    closed = is_closed(node, "v") if node.open_until is not None else None  # a NULL lies in no interval anyway
    gone = (*inside("v", node.valid_to), closed, not_marker(node, "v"), is_null(column(node.valid_from, "n")))
    ended = ended.where(*(c for c in gone if c is not None))
    listed = [
        *(ColumnDef(k, _sql.known(node.column(k).type)) for k in node.key),
        ColumnDef(CHANGED_AT, types.TIMESTAMPTZ), ColumnDef(CHANGE, types.TEXT),
        *(ColumnDef(changed_name(c.name, side), _sql.known(c.type)) for c in columns for side in SIDES),
    ]  # fmt: skip
    return CreateTableFunction(
        f"{node.identifier}_changes", node.name, exp.union(began, ended, distinct=False, copy=False), tuple(listed),
        f"What changed in {node.name} after one instant and not after another, with old and new values.", parameters=("from", "to"),
    )  # fmt: skip


# --- soundness ---------------------------------------------------------------------------------------------------------


def _health(node: Snapshot) -> CreateView:
    gaps = node.hard_deletes == "invalidate"
    return CreateView(
        f"{node.identifier}_health", node.name, damage(node),
        (
            ColumnDef("problem", types.TEXT, False, "two_open, inverted or overlap" + ("." if gaps else ", gap or orphan.")),
            ColumnDef("found", types.BIGINT, False, "Versions that have it."),
            ColumnDef("example", types.TEXT, False, "Up to five keys."),
        ),
        f"What is wrong with the history {node.name}: no row when it is sound.",
    )  # fmt: skip


def damage(node: Snapshot) -> exp.Select:
    """Every version that breaks a rule, counted under the first rule that it breaks; read with two windows over the key."""
    keys = [column(k, "h") for k in node.key]

    def over(function: exp.Expr, ordered: bool) -> exp.Window:
        order = exp.Order(expressions=[exp.Ordered(this=column(node.valid_from, "h"), nulls_first=False)]) if ordered else None
        return exp.Window(this=function, partition_by=[k.copy() for k in keys], order=order)

    opened = exp.Count(this=case((is_open(node, "h"), exp.Literal.number(1))))
    marks: list[exp.Expr] = []
    if node.is_deleted:
        marks = [column(node.is_deleted, "h"), named(over(exp.Lag(this=column(node.valid_from, "h")), True), "c360_previous")]
    versions = exp.select(
        *keys, column(node.valid_from, "h"), column(node.valid_to, "h"), *marks,
        named(over(exp.Lead(this=column(node.valid_from, "h")), True), "c360_next"),
        named(over(opened, False), "c360_open"),
    ).from_(_versions(node, "h"))  # fmt: skip
    following, ends = column("c360_next", "v"), column(node.valid_to, "v")
    last = every([is_closed(node, "v"), is_null(following)])
    arms: list[tuple[exp.Expr, exp.Expr]] = [
        (exp.GT(this=column("c360_open", "v"), expression=exp.Literal.number(1)), literal("two_open")),
        (exp.LTE(this=ends, expression=column(node.valid_from, "v")), literal("inverted")),
        (every([not_null(following), exp.Paren(this=any_of([is_open(node, "v"), exp.GT(this=ends.copy(), expression=following.copy())]))]),
         literal("overlap")),
    ]  # fmt: skip
    if node.hard_deletes != "invalidate":  # otherwise a key may be gone for a while, or for good
        arms += [(exp.LT(this=ends.copy(), expression=following.copy()), literal("gap")), (last, literal("orphan"))]
    if (marker := is_marker(node, "v")) is not None:
        arms.append((every([marker, is_null(column("c360_previous", "v"))]), literal("orphan")))
    return by_problem(exp.select(named(case(*arms), PROBLEM), named(_sql.key_text(node, "v"), KEY)).from_(versions.subquery("v")))


def by_problem(judged: exp.Query) -> exp.Select:
    """Rows of c360_problem and c360_key → problem, how often it is found, and up to five keys; rows without a problem are left out."""
    order = exp.Order(expressions=[exp.Ordered(this=column(KEY, "j"), nulls_first=False)])
    position = exp.Window(this=exp.RowNumber(), partition_by=[column(PROBLEM, "j")], order=order)
    ranked = exp.select(column(PROBLEM, "j"), column(KEY, "j"), named(position, "c360_position")).from_(judged.subquery("j"))
    ranked = ranked.where(not_null(column(PROBLEM, "j")))
    shown = case((exp.LTE(this=column("c360_position", "p"), expression=exp.Literal.number(5)), column(KEY, "p")))
    return (
        exp.select(
            named(column(PROBLEM, "p"), "problem"), _sql.star_count("found"),
            named(_sql.listed(shown, column(KEY, "p")), "example"),
        )
        .from_(ranked.subquery("p")).group_by(column(PROBLEM, "p"))
    )  # fmt: skip


def damaged(node: Snapshot, name: str) -> exp.Select:
    """How many versions break a rule: what check_ would find."""
    return exp.select(named(_sum("d"), name)).from_(damage(node).subquery("d"))


def _sum(table: str) -> exp.Expr:
    return exp.func("COALESCE", exp.Sum(this=column("found", table)), _sql.zero())


def told(damage: exp.Query) -> exp.Select:
    """Rows of problem, found and example → how many there are, and all of it as one text."""
    often = exp.cast(column("found", "d"), types.TEXT.copy())
    line = _sql.concat(column("problem", "d"), literal(": "), often, literal(" ("), column("example", "d"), literal(")"))
    lines = exp.select(named(column("found", "d"), "found"), named(line, "line")).from_(damage.subquery("d"))
    return exp.select(
        named(_sum("l"), "damaged_rows"), named(_sql.listed(column("line", "l"), column("line", "l"), ", "), "damage"),
    ).from_(lines.subquery("l"))  # fmt: skip
