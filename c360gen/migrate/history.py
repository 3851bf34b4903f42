"""What a change means for a snapshot: which of them have a meaning, and which are refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping

from sqlglot import exp

from c360gen.diagnostics import Diagnostic
from c360gen.migrate import tracked
from c360gen.migrate.columns import ROW
from c360gen.migrate.plan import Found, Hazard, Kept, Problem, Step
from c360gen.migrate.state import NodeState, State
from c360gen.ops.change import AlterTable, ChangeRows, DropTable, KeepRows, Move, MustBeZero, Stored, place
from c360gen.project import feeds
from c360gen.project.nodes import Column, Snapshot
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _sql
from c360gen.strategies._history import helpers
from c360gen.strategies._history.versions import end_of_time, is_closed, is_marker, mark, row_id
from c360gen.strategies._sql import equal, every, named
from c360gen.terms import types
from c360gen.terms.symbols import column, cut, relation


def refused(old: NodeState, new: NodeState, node: Snapshot, renamed: Mapping[str, str]) -> Found:
    """Changes without a meaning for the history that is there, each with what can be done instead."""
    found: list[Problem] = []

    def no(message: str, help: str) -> None:
        found.append(Problem(new.label, Diagnostic("C604", f"{new.label}: {message}", node.span, help)))

    beside = "add a new snapshot beside this one, and move its readers when it holds enough"
    before, after = set(old.facts.get("key", ())), {renamed.get(k, k) for k in new.facts.get("key", ())}
    if before != after:
        one, two = ", ".join(sorted(before)), ", ".join(new.facts.get("key", ()))
        no(f"its key cannot change from ({one}) to ({two}): every version says something about another thing", beside)
    if old.strategy != new.strategy and {old.strategy, new.strategy} & {*feeds.STRATEGIES}:
        no(f"its strategy cannot change from {old.strategy} to {new.strategy}: versions are dated by other rules", beside)
    if new.facts.get("compat") and not old.facts.get("compat"):
        no(
            "compat: dbt cannot be switched on for a history that dbt has not written",
            "omit it; c360gen keeps what dbt keeps, and more",
        )
    return Found(problems=tuple(found))


def facts(old: NodeState, new: NodeState, node: Snapshot, renamed: Mapping[str, str], released: State, wanted: State) -> Found:
    """Settings whose change moves rows, or changes what the next run does."""
    at, steps = new.label, []
    if old.strategy != new.strategy:
        what = f"strategy changed from {old.strategy} to {new.strategy}"
        breaks = Hazard("breaking", "versions are dated otherwise from the next run on; those that are there stay")
        steps.append(Step("~", at, what, node.span, (breaks,), "the strategy is changed back"))
    if old.facts.get("compat") and not new.facts.get("compat"):
        told = "changes that dbt did not see, for want of a later time, become versions in the next run"
        hazards = (Hazard("versions", told), Hazard("breaking", "dbt's columns go"))
        steps.append(Step("~", at, "compat: dbt switched off", node.span, hazards, "compat: dbt is switched on again"))
    found = Found(tuple(steps)) + _hard_deletes(old, new, node, released.number + 1) + _open_until(old, new, node)
    return found + tracked.columns(old, new, node, renamed, released, wanted)


def _deletes(old: NodeState, new: NodeState) -> tuple[str, str]:
    return old.facts.get("hard_deletes", "ignore"), new.facts.get("hard_deletes", "ignore")


def marked(old: NodeState, new: NodeState) -> bool:
    """Whether the migration makes markers."""
    one, two = _deletes(old, new)
    return one != two == "new_record"


def unmarked(old: NodeState, new: NodeState, number: int) -> Kept | None:
    """Where the markers go that leave a history, if they do; the columns are those of the table in its new shape."""
    one, two = _deletes(old, new)
    if one != "new_record" or two == one:
        return None
    flag = str(old.interval.get("is_deleted"))
    return Kept(new.schema, cut(f"{new.identifier}_markers__retired_{number}"), (), cut(f"{flag}__retired_{number}"), flag)


def _hard_deletes(old: NodeState, new: NodeState, node: Snapshot, number: int) -> Found:
    one, two = _deletes(old, new)
    if one == two:
        return Found()
    what = f"hard_deletes changed from {one} to {two}"
    if two == "new_record":
        told = Hazard("backfills", "every gap between versions gets its marker, and so does every key that is gone")
        hazards: tuple[Hazard, ...] = (told, Hazard("breaking", "readers meet markers"))
        step = Step("~", new.label, what, node.span, hazards, "markers are taken out")
        return Found((step,), rows=(markers(node),), taken_out=(_no_markers(node),))
    if (kept := unmarked(old, new, number)) is not None:
        hazards = (Hazard("breaking", "readers see a gap where they saw a marker"), Hazard("rewrites", f"markers move to {kept.name}"))
        step = Step("~", new.label, what, node.span, hazards, f"the markers come back from {kept.name}")
    else:
        closes = two == "invalidate"
        told = Hazard(
            "breaking", "the next run closes every open key that the source no longer has" if closes else "keys that are gone stay open"
        )
        step = Step("~", new.label, what, node.span, (told,), "the setting is changed back")
    rows: tuple[MustBeZero, ...] = ()
    if two == "ignore":
        said = f"{node.name} has keys that are closed, or were for a while: under hard_deletes: ignore no key ever is"
        rows = (MustBeZero("Under `ignore` a history has no gaps.", helpers.damaged(node, "found"), said),)
    return Found((step,), rows=rows)


def markers(node: Snapshot) -> ChangeRows:
    """A marker for every time in which a key was gone: from the end of a version to the beginning of the next, or open."""
    values, rows, gone = _gaps(node)
    query = exp.select(*(named(e, n) for n, e in values.items())).from_(rows).where(gone)
    return ChangeRows("Markers say what gaps have said until now.", _sql.insert(relation("ref", node.name), list(values), query))


def _gaps(node: Snapshot) -> tuple[dict[str, exp.Expr], exp.Subquery, exp.Expr]:
    """What a marker of a gap holds, over w, the versions beside the next of their key, and where there is a gap behind one."""
    opened, closed = OWN_COLUMNS

    def ahead(name: str) -> exp.Window:
        order = exp.Order(expressions=[exp.Ordered(this=column(node.valid_from, ROW), nulls_first=False)])
        return exp.Window(this=exp.Lead(this=column(name, ROW)), partition_by=[column(k, ROW) for k in node.key], order=order)

    names = [c.name for c in node.columns]
    following, opener = "c360_next", "c360_next_run"
    inner = exp.select(
        *(column(n, ROW) for n in (*names, opened, closed)), named(ahead(node.valid_from), following), named(ahead(opened), opener)
    )
    until: exp.Expr = column(following, "w")
    until = until if node.open_until is None else exp.func("COALESCE", until, end_of_time(node))
    values: dict[str, exp.Expr] = {n: column(n, "w") for n in names}
    values |= {node.valid_from: column(node.valid_to, "w"), node.valid_to: until, str(node.is_deleted): mark(node, True)}
    if node.row_id:
        values |= {node.row_id: row_id(node, column(node.valid_to, "w"), "w"), str(node.row_time): column(node.valid_to, "w")}
    values |= {opened: column(closed, "w"), closed: column(opener, "w")}
    gone = exp.or_(_sql.is_null(column(following, "w")), exp.GT(this=column(following, "w"), expression=column(node.valid_to, "w")))
    rows = inner.from_(relation("ref", node.name, ROW)).subquery("w")
    return values, rows, every([is_closed(node, "w"), exp.Paren(this=gone)])


def _no_markers(node: Snapshot) -> ChangeRows:
    marked = is_marker(node, ROW)
    assert marked is not None
    delete = exp.Delete(this=relation("ref", node.name, ROW), where=exp.Where(this=marked))
    return ChangeRows("Markers say nothing that a gap does not say.", delete, until=node.is_deleted)


def markers_out(kept: Kept, table: Stored, node: str) -> list[KeepRows | ChangeRows]:
    """Rows of a history in its new shape that are markers: copied, with all that they hold, and taken out."""
    marked: exp.Expr = column(kept.retired, ROW)
    marked = equal(marked, _sql.literal("True")) if table.column(kept.retired).type == types.TEXT else marked
    query = exp.select(*(column(c.name, ROW) for c in table.columns)).from_(relation("ref", node, ROW)).where(marked)
    return [
        KeepRows("The markers are kept beside the history.", kept.schema, kept.name, table.columns, query),
        ChangeRows("They leave it: the gap between two versions says that the key was gone.",
                   exp.Delete(this=relation("ref", node, ROW), where=exp.Where(this=marked.copy()))),
    ]  # fmt: skip


def node_table(state: NodeState) -> Stored:
    table = state.table("ref")
    assert table is not None
    return table


def ends(old: NodeState, new: NodeState, node: Snapshot) -> tuple[dict[str, exp.Expr], dict[str, exp.Expr]]:
    """What the end of a version becomes where it is open: on the way there, and on the way back; both by the column's new name."""
    one, two = old.facts.get("open_until"), new.facts.get("open_until")
    if one == two:
        return {}, {}
    until = column(node.valid_to, ROW)
    before, after = _end(one), _end(two)

    def swap(was: exp.Expr, becomes: exp.Expr) -> exp.Expr:
        here = exp.Is(this=until.copy(), expression=exp.null()) if isinstance(was, exp.Null) else equal(until.copy(), was)
        return _sql.case((here, becomes), otherwise=until.copy())

    old_to = str(old.interval.get("to"))
    return {node.valid_to: swap(before, after)}, {node.valid_to: _renamed(swap(after, before), node.valid_to, old_to)}


def _open_until(old: NodeState, new: NodeState, node: Snapshot) -> Found:
    one, two = old.facts.get("open_until"), new.facts.get("open_until")
    if one == two:
        return Found()
    said = f"open versions end at {_shown(two)} instead of {_shown(one)}"
    told = (Hazard("breaking", "whoever looks for open versions must look for the other word"), Hazard("backfills", "every open version"))
    return Found((Step("~", f"{new.label}.{node.valid_to}", said, node.span, told),))


def _renamed(value: exp.Expr, before: str, after: str) -> exp.Expr:
    for found in value.find_all(exp.Column):
        if found.name == before:
            found.set("this", exp.to_identifier(after, quoted=True))
    return value


def _end(said: str | None) -> exp.Expr:
    return exp.null() if said is None else _sql.instant(dt.datetime.fromisoformat(said))


def _shown(said: str | None) -> str:
    """9999-12-31, or 9999-12-31 23:59:59.999999: the day alone says which instant it is only where it is the day's first."""
    if said is None:
        return "NULL"
    at = dt.datetime.fromisoformat(said).replace(tzinfo=None)
    return str(at if at.time() != dt.time() else at.date())


def markers_back(kept: Kept, old: NodeState, node: Snapshot, altered: AlterTable) -> list[MustBeZero | ChangeRows | DropTable]:
    """On the way back: every gap has its marker again, as it was kept, or, where a key went or came back since, as the versions say."""
    was = _released(old, node)
    names = {str(m.retired or (m.after and m.after.name)): m for m in altered.moves if m.before and (m.retired or m.after)}
    there = {m.before.name: name for name, m in names.items() if m.before}
    values, gaps, gone = _gaps(was)
    ends = (was.valid_to, OWN_COLUMNS[1])

    def value(name: str, move: Move) -> exp.Expr:
        before = str(move.before and move.before.name)
        if before in ends:
            return values[before]
        found: exp.Expr = column(name, "k")
        if move.before and move.after and not move.retired and move.before.type != move.after.type:
            found = exp.cast(found, move.before.type.copy())
        known = exp.Not(this=_sql.is_null(column(there[was.valid_from], "k")))
        return _sql.case((known, found), otherwise=values[before]) if before in values else found

    def same(table: str, bound: str) -> exp.Expr:
        keys = [exp.NullSafeEQ(this=column(k, table), expression=column(there[k], "k")) for k in was.key]
        return every([equal(column(bound, table), column(there[was.valid_from], "k")), *keys])

    chosen = exp.select(*(named(value(n, m), str(m.before and m.before.name)) for n, m in names.items())).from_(gaps)
    chosen = chosen.join(place(kept.schema, kept.name, "k"), on=same("w", was.valid_to), join_type="left").where(gone)
    insert = _sql.insert(relation("ref", old.name), [str(m.before and m.before.name) for m in names.values()], chosen)
    ending = exp.Exists(this=exp.select(exp.Literal.number(1)).from_(relation("ref", old.name, ROW)).where(same(ROW, was.valid_to)))
    lost = exp.select(named(exp.Count(this=exp.Star()), "found")).from_(place(kept.schema, kept.name, "k")).where(exp.Not(this=ending))
    said = f"{kept.schema}.{kept.name} has markers whose deletion was taken back since, by a rewind: delete those rows, which are not true"
    return [
        MustBeZero("A marker follows a version that ends where it begins.", lost, said),
        ChangeRows("The markers come back, and what was deleted or came back meanwhile has its own.", insert),
        DropTable(kept.schema, kept.name),
    ]


def _released(old: NodeState, node: Snapshot) -> Snapshot:
    """The node as its history was released."""
    interval, until = old.interval, old.facts.get("open_until")
    columns = tuple(Column(c.name, c.type) for c in node_table(old).columns if c.name not in OWN_COLUMNS)
    return dataclasses.replace(
        node, name=old.name, columns=columns, key=tuple(old.facts.get("key", ())), nullable_key=tuple(old.facts.get("nullable_key", ())),
        updated_at=old.facts.get("updated_at"), valid_from=interval["from"], valid_to=interval["to"],
        is_deleted=interval.get("is_deleted"), row_id=interval.get("row_id"), row_time=interval.get("row_time"),
        open_until=dt.datetime.fromisoformat(until) if until else None,
    )  # fmt: skip
