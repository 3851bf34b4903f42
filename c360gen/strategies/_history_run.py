"""The run of a snapshot over a state source: stage, count, guard, close, open (README: What a snapshot does)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Stage, Step, Write
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Column, Node
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _sql
from c360gen.strategies._sql import (
    ACTION,
    ROW,
    action_is,
    any_of,
    as_time,
    case,
    count_where,
    differs,
    equal,
    every,
    greater_than_zero,
    is_null,
    joined,
    literal,
    named,
    not_null,
    plus,
    star_count,
)
from c360gen.terms.symbols import column, relation, variable

NULL_TIME, FUTURE_TIME, NULL_KEY, DUPLICATE = "null_time", "future_time", "null_key", "duplicate_key"
STARTS, ENDS, OPEN_FROM, BOUNDARY, COPIES = "c360_starts_at", "c360_ends_at", "c360_open_from", "c360_boundary", "c360_copies"
Problem = tuple[exp.Expr, str]


def source_time(node: Node) -> exp.Expr:
    """updated_at of a source row, as an instant."""
    return as_time(column(str(node.updated_at), "s"), node.column(str(node.updated_at)).type)


def changed_time(node: Node) -> exp.Expr:
    """updated_at of a row of the comparison, as an instant."""
    return as_time(column(str(node.updated_at), "d"), node.column(str(node.updated_at)).type)


def recorded_of(node: Node) -> tuple[Column, ...]:
    """The columns that come from the source: all but the interval."""
    return tuple(c for c in node.columns if c.name not in (node.valid_from, node.valid_to))


def stored_type(type_: exp.DataType | None) -> exp.DataType:
    assert type_ is not None
    return type_


def steps(node: Node, traits: Traits, dating: exp.Expr, problems: Sequence[Problem]) -> tuple[Step, ...]:
    steps: list[Step] = [
        Stage(
            "Decide everything in one statement, so that guards and writes rest on one reading of the source. "
            "Unchanged rows are not staged; rows that must not be written are staged under the name of their problem.",
            _stage(node, traits, dating, problems),
        ),
        Count("Count what was decided.", *_counts(node, problems)),
        *_guards(node, problems),
        _close(node, traits),
        _open(node, traits),
    ]
    return tuple(steps)


def _stage(node: Node, traits: Traits, dating: exp.Expr, problems: Sequence[Problem]) -> exp.Insert:
    recorded = [c.name for c in recorded_of(node)]
    deletes = node.hard_deletes == "invalidate"
    compared = _compared(node, traits, problems, deletes)
    starts = case((_sql.action_is("new", "change", "revive", table="d"), dating))
    ends_arms = [(action_is("change", table="d"), dating.copy())]
    if deletes:
        ends_arms.append((action_is("delete", table="d"), variable("as_of")))
    names = [ACTION, *([ROW] if traits.row_address else []), OPEN_FROM, STARTS, ENDS, *recorded]
    values = {STARTS: named(starts, STARTS), ENDS: named(case(*ends_arms), ENDS)}
    query = exp.select(*(values.get(n, column(n, "d")) for n in names)).from_(_dated(node, traits, compared).subquery("d"))
    return _sql.insert(relation("stage", node.name), names, query)


def _compared(node: Node, traits: Traits, problems: Sequence[Problem], deletes: bool) -> exp.Select:
    """Source rows beside the open versions, each with the name of what has to be done."""
    recorded = [c.name for c in recorded_of(node)]
    no_open = is_null(column(node.key[0], "o"))
    arms: list[tuple[exp.Expr, exp.Expr]] = []
    if deletes:
        arms.append((is_null(column("c360_present", "s")), literal("delete")))
    arms.append((any_of(is_null(column(k, "s")) for k in node.key), literal(NULL_KEY)))
    copies = column(COPIES, "c" if traits.cheap_groups else "s")
    arms.append((exp.GT(this=copies, expression=exp.Literal.number(1)), literal(DUPLICATE)))
    arms += [(condition, literal(name)) for condition, name in problems]
    arms.append((no_open, literal("new")))
    # What is neither a problem nor without an open version passed the filter below because it differs.
    staged = [no_open.copy(), *([is_null(column("c360_present", "s"))] if deletes else [])]
    staged.append(exp.GT(this=copies.copy(), expression=exp.Literal.number(1)))
    staged += [condition.copy() for condition, _ in problems]
    staged += [differs(column(c, "s"), column(c, "o")) for c in node.tracked]
    projections: list[exp.Expr] = [named(case(*arms, otherwise=literal("change")), ACTION)]
    if traits.row_address:
        projections.append(column(ROW, "o"))
    projections.append(named(column(node.valid_from, "o"), OPEN_FROM))
    for name in recorded:
        value = column(name, "s")
        if deletes and name in node.key:
            value = exp.func("COALESCE", column(name, "s"), column(name, "o"))  # type: ignore[assignment]
        projections.append(named(value, name))
    query = exp.select(*projections).from_(_source_rows(node, traits).subquery("s"))
    query = query.join(_open_versions(node, traits).subquery("o"), on=joined(node.key, "o", "s"), join_type="full" if deletes else "left")
    if traits.cheap_groups:
        grouped = (
            exp.select(*(column(k, "r") for k in node.key), star_count(COPIES))
            .from_(_from(node, "r"))
            .group_by(*(column(k, "r") for k in node.key))
            .having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)))
        )
        query = query.join(grouped.subquery("c"), on=joined(node.key, "c", "s"), join_type="left")
    query = query.where(any_of(staged))
    # OFFSET 0 keeps Postgres from looking up the last end of every row before it has filtered them.
    return query.offset(0) if traits.lateral else query


def _from(node: Node, alias: str) -> exp.Table:
    kind, _, name = str(node.relation).partition(":")
    return relation("source" if kind == "source" else "ref", name, alias)


def _source_rows(node: Node, traits: Traits) -> exp.Select:
    projections: list[exp.Expr] = [_sql.as_stored(c, "r", traits) for c in recorded_of(node)]
    projections.append(named(exp.true(), "c360_present"))
    if not traits.cheap_groups:
        window = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[column(k, "r") for k in node.key])
        projections.append(named(window, COPIES))
    return exp.select(*projections).from_(_from(node, "r"))


def _open_versions(node: Node, traits: Traits) -> exp.Select:
    names = dict.fromkeys((*node.key, *node.tracked, node.valid_from))
    projections: list[exp.Expr] = [column(n, "h") for n in names]
    if traits.row_address:
        address = exp.Column(this=exp.to_identifier(traits.row_address), table=exp.to_identifier("h", quoted=True))
        projections.append(named(address, ROW))
    query = exp.select(*projections).from_(relation("ref", node.name, "h"))
    return query.where(is_null(column(node.valid_to, "h")))


def _dated(node: Node, traits: Traits, compared: exp.Select) -> exp.Select:
    """The rows that matter, with the key's last known boundary: a key without an open version that has one is back."""
    back = every([action_is("new", table="e"), not_null(column(BOUNDARY, "l"))])
    names = [*([ROW] if traits.row_address else []), OPEN_FROM]
    query = exp.select(
        named(case((back, literal("revive")), otherwise=column(ACTION, "e")), ACTION),
        *(column(n, "e") for n in names),
        named(exp.func("COALESCE", column(OPEN_FROM, "e"), column(BOUNDARY, "l")), BOUNDARY),
        *(column(c.name, "e") for c in recorded_of(node)),
    ).from_(compared.subquery("e"))
    ended = named(exp.Max(this=column(node.valid_to, "p")), BOUNDARY)
    if traits.lateral:
        looked_up = exp.select(ended).from_(relation("ref", node.name, "p"))
        looked_up = looked_up.where(every([joined(node.key, "p", "e"), is_null(column(OPEN_FROM, "e"))]))
        lateral = exp.Lateral(this=looked_up.subquery(), alias=exp.TableAlias(this=exp.to_identifier("l", quoted=True)))
        return query.join(lateral, on=exp.true(), join_type="left")
    closed = exp.select(*(column(k, "p") for k in node.key), ended).from_(relation("ref", node.name, "p"))
    closed = closed.where(not_null(column(node.valid_to, "p"))).group_by(*(column(k, "p") for k in node.key))
    return query.join(closed.subquery("l"), on=joined(node.key, "l", "e"), join_type="left")


def _counts(node: Node, problems: Sequence[Problem]) -> tuple[tuple[str, ...], exp.Select]:
    """Every number that the guards, the writes and the log need, from one reading of the stage."""
    blocked = exp.LTE(this=column(ENDS, "s"), expression=column(OPEN_FROM, "s"))
    started = not_null(column(STARTS, "s"))
    dated: exp.Expr = exp.false()
    if node.updated_at:
        dated = every([started, differs(column(STARTS, "s"), source_time(node))])
    counted: dict[str, exp.Expr] = {
        "new_rows": action_is("new", table="s"),
        "changed_rows": action_is("change", table="s"),
        "revived_rows": action_is("revive", table="s"),
        "deleted_rows": action_is("delete", table="s"),
        "dated_by_run": dated,
        "null_keys": action_is(NULL_KEY, table="s"),
        "duplicate_keys": action_is(DUPLICATE, table="s"),
        "blocked_rows": blocked,
    }
    if problems:
        counted |= {"null_times": action_is(NULL_TIME, table="s"), "future_times": action_is(FUTURE_TIME, table="s")}
    totals: dict[str, exp.Select] = {
        "open_rows": exp.select(exp.Count(this=exp.Star()))
        .from_(relation("ref", node.name, "h"))
        .where(is_null(column(node.valid_to, "h")))
    }
    if node.hard_deletes == "ignore":
        totals["source_rows"] = exp.select(exp.Count(this=exp.Star())).from_(_from(node, "r"))
    projections: list[exp.Expr] = [count_where(condition, name) for name, condition in counted.items()]
    projections += [named(query.subquery(), name) for name, query in totals.items()]
    return (*counted, *totals), exp.select(*projections).from_(relation("stage", node.name, "s"))


def _guards(node: Node, problems: Sequence[Problem]) -> tuple[Guard, ...]:
    source = str(node.relation).partition(":")[2]
    key = ", ".join(node.key)
    guards = [
        Guard("ZC002", "Keys must not be NULL.", greater_than_zero("null_keys"),
              (variable("null_keys"), f" rows of {source} have no {key}"), None,
              "Nothing was written. Mend the rows in the source."),
        Guard("ZC001", "Each key must occur once.", greater_than_zero("duplicate_keys"),
              (variable("duplicate_keys"), f" rows of {source} share their {key} with another row"),
              _sql.key_sample(node, action_is(DUPLICATE, table="s")), "Nothing was written. Mend the rows in the source."),
    ]  # fmt: skip
    if problems:
        guards += [
            Guard("ZC003", "Every row must have a time.", greater_than_zero("null_times"),
                  (variable("null_times"), f" rows of {source} have no usable {node.updated_at}"),
                  _sql.key_sample(node, action_is(NULL_TIME, table="s")), "Nothing was written. Mend the rows in the source."),
            Guard("ZC009", "No time may lie beyond the clock and its tolerance.", greater_than_zero("future_times"),
                  (variable("future_times"), f" rows of {source} have {node.updated_at} later than ", variable("latest")),
                  _sql.key_sample(node, action_is(FUTURE_TIME, table="s")), "Nothing was written. Compare the clocks."),
        ]  # fmt: skip
    if node.hard_deletes == "invalidate":
        empty = every([
            greater_than_zero("open_rows"),
            equal(variable("deleted_rows"), variable("open_rows")),
            equal(plus("new_rows", "revived_rows"), exp.Literal.number(0)),
        ])  # fmt: skip
        guards.append(
            Guard("ZC004", "An empty source is more likely a failed load than the end of everything.", empty,
                  (f"{source} is empty while ", variable("open_rows"), " versions are open"), None,
                  "Nothing was written. Load the source first.")
        )  # fmt: skip
    guards.append(
        Guard("ZC010", "A version cannot end before it starts.", greater_than_zero("blocked_rows"),
              (variable("blocked_rows"), " open versions start at or after the run time ", variable("as_of"),
               " and cannot be closed at it"),
              _sql.key_sample(node, exp.LTE(this=column(ENDS, "s"), expression=column(OPEN_FROM, "s"))),
              "Nothing was written. Run again once that time has passed.")
    )  # fmt: skip
    return tuple(guards)


def _close(node: Node, traits: Traits) -> Write:
    pinned = [
        joined(node.key, "t", "s"),
        equal(column(node.valid_from, "t"), column(OPEN_FROM, "s")),
        is_null(column(node.valid_to, "t")),
        not_null(column(ENDS, "s")),
    ]
    if traits.row_address:
        address = exp.Column(this=exp.to_identifier(traits.row_address), table=exp.to_identifier("t", quoted=True))
        pinned.insert(0, equal(address, column(ROW, "s")))
    update = exp.Update(
        this=relation("ref", node.name, "t"),
        expressions=[
            equal(column(node.valid_to), column(ENDS, "s")),
            equal(column(OWN_COLUMNS[1]), variable("run_id")),
        ],
        from_=exp.From(this=relation("stage", node.name, "s")),
        where=exp.Where(this=every(pinned)),
    )
    return Write(
        "Close the versions that ended. Key and start name the exact row, and the count must be exact.", update,
        greater_than_zero("changed_rows", "deleted_rows"), plus("changed_rows", "deleted_rows"), "versions to close",
    )  # fmt: skip


def _open(node: Node, traits: Traits) -> Write:
    recorded = [c.name for c in recorded_of(node)]
    query = exp.select(
        *(column(n, "s") for n in recorded), named(column(STARTS, "s"), node.valid_from),
        named(variable("run_id"), OWN_COLUMNS[0]),
    ).from_(relation("stage", node.name, "s")).where(not_null(column(STARTS, "s")))  # fmt: skip
    if traits.ordered_insert:
        query = query.order_by(*(column(k, "s") for k in node.key))
    statement = _sql.insert(relation("ref", node.name), [*recorded, node.valid_from, OWN_COLUMNS[0]], query)
    return Write(
        "Insert the versions that began.", statement, greater_than_zero("new_rows", "changed_rows", "revived_rows"),
        plus("new_rows", "changed_rows", "revived_rows"), "versions to insert",
    )  # fmt: skip
