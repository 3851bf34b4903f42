"""The history that another tool kept, read as this one keeps it: what is damaged, how it is mended, and that nothing else changes.

Five steps, one CTE each. `c360_old`: the other table in our types. `c360_placed`: a start or an end that is missing or lies ahead is the
time of the adoption; equal rows are numbered. `c360_chained`: what can be no version is left out, and each row is put beside the last end
before it. `c360_kept`: a version begins where the one before it ended, if that is later. `c360_ended`: an open version that others follow
ends where the next one begins.
"""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Task, Write
from c360gen.project.nodes import Adoption, Column, Snapshot
from c360gen.project.resolved import Resolved
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _contract, _sql
from c360gen.strategies._history import helpers
from c360gen.strategies._history.versions import end_of_time, mark, never_null, recorded_of, row_id
from c360gen.strategies._sql import any_of, case, differs, equal, every, greater_than_zero, is_null, literal, named, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

FROM, TO = "c360_from", "c360_to"
"""As that table has them; TO of an open version is NULL."""
STARTS, ENDS, COPY, BEFORE, NEXT = "c360_starts_at", "c360_ends_at", "c360_copy", "c360_before", "c360_next"
BEGINS, UNTIL = "c360_begins_at", "c360_until"
"""As this one will have them."""
REPAIRS = (
    ("no_key", "a row without a key is left out"),
    ("no_value", "a row without a value that must be there is left out"),
    ("doubled", "of rows that are equal one is taken"),
    ("inverted", "a version that ends before it begins, or at once, never held: it is left out"),
    ("no_start, ahead", "a start or an end that is missing or lies ahead is the time of the adoption"),
    ("overlap", "a version that begins before the last one ended begins where that one ended"),
    ("two_open", "an open version that others follow ends where the next one begins; of several that begin at once the last stays"),
)


def tasks(node: Snapshot, project: Resolved) -> tuple[Task, ...]:
    return (_adopt(node, _contract.as_declared(project.sources[node.adopts.source])),) if node.adopts else ()


def _adopt(node: Snapshot, checks: tuple[Step, ...]) -> Task:
    """Copies the versions of the other table, once, into a history that is still empty; what was there stays as it is."""
    adopts = _adoption(node)
    now = variable("latest")
    mine = exp.select(_sql.star_count("target_rows")).from_(relation("ref", node.name, "t"))
    versions = _versions(node, now)
    moved = any_of([differs(column(BEGINS, "v"), column(FROM, "v")), differs(column(UNTIL, "v"), column(TO, "v"))])
    counted = exp.select(_sql.star_count("starting_rows"), _sql.count_where(moved, "moved_rows")).from_(versions.subquery("v"))
    for_real = exp.Not(this=variable("dry_run"))
    steps: list[Step] = [
        Count("An adoption comes before the first run.", ("target_rows",), mine),
        Guard("ZC022", "Two histories cannot be told apart afterwards.", greater_than_zero("target_rows"),
              ("the history has ", variable("target_rows"), " versions already"), None,
              "Nothing was written. Adopt before the first run; if it is adopted already, nothing is left to do."),
        Count("Nothing begins or ends later than now.", ("latest",), exp.select(named(_sql.clock(), "latest"))),
        Count(f"Count the rows of {adopts.source}.", ("source_rows",), _read(node, _sql.star_count("source_rows"))),
    ]  # fmt: skip
    if not adopts.repair:
        steps += [
            Count("Count what is damaged.", ("damaged_rows", "damage"), helpers.told(damage(node, now))),
            Guard("ZC016", "Damage is mended by decision only.", greater_than_zero("damaged_rows"),
                  (variable("damaged_rows"), f" versions of {adopts.source} are damaged: ", variable("damage")), None,
                  "Nothing was written. Mend them there, or say repair: true and look at a dry run."),
        ]  # fmt: skip
    if node.hard_deletes != "invalidate":
        rule = "none ever ends for good" if node.hard_deletes == "ignore" else "a marker says so"
        steps += [
            Count(f"Where a key is gone, hard_deletes: {node.hard_deletes} has no version that ended without a next one: {rule}.",
                  ("absent_rows",), _gaps(node, now)),
            Guard("ZC016", "That history was kept by another rule.", greater_than_zero("absent_rows"),
                  (variable("absent_rows"), f" versions of {adopts.source} ended where no other begins, which hard_deletes: "
                   f"{node.hard_deletes} does not know"), None,
                  "Nothing was written. Adopt with hard_deletes: invalidate; a migration changes it afterwards."),
        ]  # fmt: skip
    steps += [
        Count("Count the versions, and those whose interval is mended.", ("starting_rows", "moved_rows"), counted),
        Write("Copy them.", _insert(node, versions), every([greater_than_zero("starting_rows"), for_real.copy()]),
              variable("starting_rows"), "versions to adopt"),
        Count("Versions here that are not there: only those that were mended.", ("changed_rows",),
              _only_in("changed_rows", _ours(node), _theirs(node, now)), for_real.copy()),
        Count("Versions there that are not here: only those that were mended or left out.", ("vanished_rows",),
              _only_in("vanished_rows", _theirs(node, now), _ours(node)), for_real.copy()),
        Count("No damage has come along.", ("violating_rows",), helpers.damaged(node, "violating_rows"), for_real.copy()),
        Guard("ZC023", "Nothing else may have changed.", every([for_real.copy(), exp.Paren(this=_unproven())]),
              (variable("changed_rows"), " versions are new, ", variable("vanished_rows"), " are missing and ",
               variable("violating_rows"), " are damaged, where ", variable("moved_rows"), " were mended of ", variable("source_rows")),
              None, "Nothing was written. Does somebody still write to that table?"),
    ]  # fmt: skip
    return Task(
        "adopt", node.name, f"Begins the history {node.name} with the versions of {adopts.source}", _rules(node, adopts),
        tuple(steps),
        {
            "source_rows": variable("source_rows"), "inserted_rows": variable("starting_rows"), "updated_rows": variable("moved_rows"),
            "unchanged_rows": exp.Sub(this=variable("starting_rows"), expression=variable("moved_rows")),
        },
        checks=checks,
    )  # fmt: skip


def damage(node: Snapshot, now: exp.Expr) -> exp.Select:
    """What is wrong with the other table: problem, how often it is found, up to five keys; a row may have several."""

    def judged(table: str, *arms: tuple[exp.Expr, exp.Expr]) -> exp.Select:
        alias = table.removeprefix("c360_")[0]
        found = exp.select(named(case(*arms), helpers.PROBLEM), named(_sql.key_text(node, alias), helpers.KEY))
        return found.from_(exp.to_table(table).as_(alias))

    missing, ahead = is_null(column(FROM, "p")), any_of([_later(FROM, now), _later(TO, now)])
    placed = judged("c360_placed", *_left_out(node), (missing, literal("no_start")), (ahead, literal("ahead")))
    chained = judged("c360_chained", (exp.GT(this=column(BEFORE, "c"), expression=column(STARTS, "c")), literal("overlap")))
    ended = judged("c360_ended", (every([is_null(column(ENDS, "e")), not_null(column(NEXT, "e"))]), literal("two_open")))
    all_of_them = exp.union(exp.union(placed, chained, distinct=False, copy=False), ended, distinct=False, copy=False)
    return helpers.by_problem(_with_steps(node, now, all_of_them))


def repair_of(problem: str) -> str:
    """What `repair: true` does about a problem."""
    return next(repair for problems, repair in REPAIRS if problem in problems.split(", "))


def _rules(node: Snapshot, adopts: Adoption) -> tuple[str, ...]:
    nothing = [name for name, there in adopts.columns.items() if there is None]
    renamed = [f"{name} is {there.name} there" for name, there in adopts.columns.items() if there is not None and there.name != name]
    found = [f"{adopts.source} is read, never written; as long as it is kept, what was there can be looked up"]
    found += renamed + ([f"NULL, since that table does not have it: {', '.join(nothing)}"] if nothing else [])
    if adopts.is_deleted is not None and node.is_deleted is None:
        found.append(f"markers of deletions are left out: hard_deletes: {node.hard_deletes} has none")
    found += [f"{problem}: {repair}" for problem, repair in REPAIRS] if adopts.repair else ["damage stops it: see its list in adoptions/"]
    found.append("before it commits it compares both tables: what is not mended must be equal")
    return tuple(found)


# --- the five steps ----------------------------------------------------------------------------------------------------


def _with_steps(node: Snapshot, now: exp.Expr, query: exp.Query) -> exp.Query:
    steps = {
        "c360_old": _old(node), "c360_placed": _placed(node, now), "c360_chained": _chained(node), "c360_kept": _kept(node),
        "c360_ended": _ended(node),
    }  # fmt: skip
    used = max(i for i, name in enumerate(steps) if any(t.name == name for t in query.find_all(exp.Table)))
    for name, step in list(steps.items())[: used + 1]:
        query = query.with_(name, as_=step, copy=False)
    return query


def _old(node: Snapshot) -> exp.Select:
    """The other table in the names and types of this one."""
    adopts = _adoption(node)
    values: list[exp.Expr] = []
    for c in recorded_of(node):
        there, here = adopts.columns[c.name], _sql.known(c.type)
        values.append(named(exp.cast(exp.null(), here.copy()) if there is None else _as(there, here), c.name))
    if node.is_deleted:
        values.append(named(case((_gone(adopts), mark(node, True)), otherwise=mark(node, False)), node.is_deleted))
    if node.row_id:
        text = exp.cast(exp.null(), types.TEXT.copy()) if adopts.row_id is None else _as(adopts.row_id, types.TEXT)
        values.append(named(text, node.row_id))
    if node.row_time:
        time = exp.cast(exp.null(), types.TIMESTAMPTZ.copy()) if adopts.row_time is None else _as(adopts.row_time, types.TIMESTAMPTZ)
        values.append(named(time, node.row_time))
    until = _as(adopts.valid_to, types.TIMESTAMPTZ)
    if adopts.open_until is not None:
        until = exp.func("NULLIF", until, _sql.instant(adopts.open_until))
    values += [named(_as(adopts.valid_from, types.TIMESTAMPTZ), FROM), named(until, TO)]
    return _read(node, *values)


def _read(node: Snapshot, *values: exp.Expr) -> exp.Select:
    """The rows of the other table that say something here."""
    adopts = _adoption(node)
    query = exp.select(*values).from_(relation("source", adopts.source, "s"))
    if adopts.is_deleted is not None and node.is_deleted is None:
        query = query.where(exp.Not(this=exp.Paren(this=_gone(adopts))))
    return query


def _placed(node: Snapshot, now: exp.Expr) -> exp.Select:
    values = [_sql.groupable(node.column(n), column(n, "o")) for n in _values(node)]
    equal_rows = [*_keys(node, "o"), column(FROM, "o"), column(TO, "o"), *values]
    number = exp.Window(this=exp.RowNumber(), partition_by=equal_rows, order=_sql.order(column(FROM, "o")))
    starts = case((any_of([is_null(column(FROM, "o")), _later(FROM, now, "o")]), now.copy()), otherwise=column(FROM, "o"))
    ends = case((_later(TO, now, "o"), now.copy()), otherwise=column(TO, "o"))
    return exp.select(
        *(column(n, "o") for n in _carried(node)), named(starts, STARTS), named(ends, ENDS), named(number, COPY)
    ).from_(exp.to_table("c360_old").as_("o"))  # fmt: skip


def _chained(node: Snapshot) -> exp.Select:
    frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end=exp.Literal.number(1), end_side="PRECEDING")
    before = exp.Window(this=exp.Max(this=column(ENDS, "p")), partition_by=_keys(node, "p"), order=_order(node, "p"), spec=frame)
    query = exp.select(*(column(n, "p") for n in (*_carried(node), STARTS, ENDS)), named(before, BEFORE))
    return query.from_(exp.to_table("c360_placed").as_("p")).where(is_null(case(*_left_out(node))))


def _kept(node: Snapshot) -> exp.Select:
    begins = case((exp.GT(this=column(BEFORE, "c"), expression=column(STARTS, "c")), column(BEFORE, "c")), otherwise=column(STARTS, "c"))
    query = exp.select(*(column(n, "c") for n in (*_carried(node), STARTS, ENDS)), named(begins, BEGINS))
    return query.from_(exp.to_table("c360_chained").as_("c")).where(
        any_of([is_null(column(ENDS, "c")), exp.GT(this=column(ENDS, "c"), expression=begins.copy())])
    )


def _ended(node: Snapshot) -> exp.Select:
    following = exp.Window(this=exp.Lead(this=column(BEGINS, "k")), partition_by=_keys(node, "k"), order=_order(node, "k"))
    query = exp.select(*(column(n, "k") for n in (*_carried(node), ENDS, BEGINS)), named(following, NEXT))
    return query.from_(exp.to_table("c360_kept").as_("k"))


def _versions(node: Snapshot, now: exp.Expr) -> exp.Query:
    """The versions as this history will have them, beside the interval that they had: the same where nothing may be damaged."""
    if not _adoption(node).repair:
        same = {FROM: FROM, TO: TO, BEGINS: FROM, UNTIL: TO}
        names = dict.fromkeys((*_carried(node), BEGINS, UNTIL))
        query = exp.select(*(named(column(same[n], "o"), n) if n in same else column(n, "o") for n in names))
        return _with_steps(node, now, query.from_(exp.to_table("c360_old").as_("o")))
    until = exp.func("COALESCE", column(ENDS, "e"), column(NEXT, "e"))
    query = exp.select(*(column(n, "e") for n in (*_carried(node), BEGINS)), named(until, UNTIL)).from_(exp.to_table("c360_ended").as_("e"))
    some = any_of([is_null(until.copy()), exp.GT(this=until.copy(), expression=column(BEGINS, "e"))])
    return _with_steps(node, now, query.where(some))


def _gaps(node: Snapshot, now: exp.Expr) -> exp.Select:
    """Versions, markers among them, that ended where the next one of their key does not begin, or that have none."""
    gone = any_of([is_null(column(NEXT, "e")), exp.GT(this=column(NEXT, "e"), expression=column(ENDS, "e"))])
    query = exp.select(column(ENDS, "e")).from_(exp.to_table("c360_ended").as_("e")).where(not_null(column(ENDS, "e")), gone)
    return exp.select(_sql.star_count("absent_rows")).from_(_with_steps(node, now, query).subquery("g"))


def _left_out(node: Snapshot) -> list[tuple[exp.Expr, exp.Expr]]:
    """What can be no version, over columns of `p`."""
    keys = [is_null(column(k, "p")) for k in node.key if k not in node.nullable_key]
    needed = [is_null(column(c.name, "p")) for c in recorded_of(node) if c.name in never_null(node) and c.name not in node.key]
    found: list[tuple[exp.Expr, exp.Expr]] = [(any_of(keys), literal("no_key"))] if keys else []
    found += [(any_of(needed), literal("no_value"))] if needed else []
    return [
        *found,
        (exp.GT(this=column(COPY, "p"), expression=exp.Literal.number(1)), literal("doubled")),
        (exp.LTE(this=column(TO, "p"), expression=column(FROM, "p")), literal("inverted")),
    ]  # fmt: skip


# --- the copy and its proof --------------------------------------------------------------------------------------------


def _insert(node: Snapshot, versions: exp.Query) -> exp.Insert:
    opened, closed = OWN_COLUMNS
    values: dict[str, exp.Expr] = {c.name: column(c.name, "v") for c in recorded_of(node)}
    values[node.valid_from] = column(BEGINS, "v")
    values[node.valid_to] = column(UNTIL, "v")
    if node.open_until is not None:
        values[node.valid_to] = exp.func("COALESCE", column(UNTIL, "v"), end_of_time(node))
    if node.is_deleted:
        values[node.is_deleted] = column(node.is_deleted, "v")
    if node.row_id:
        values[node.row_id] = exp.func("COALESCE", column(node.row_id, "v"), row_id(node, column(BEGINS, "v"), "v"))
    if node.row_time:
        values[node.row_time] = exp.func("COALESCE", column(node.row_time, "v"), column(BEGINS, "v"))
    values[opened] = variable("run_id")
    values[closed] = case((not_null(column(UNTIL, "v")), variable("run_id")))
    query = exp.select(*(named(v, n) for n, v in values.items())).from_(versions.copy().subquery("v"))
    return _sql.insert(relation("ref", node.name), list(values), query)


def _ours(node: Snapshot) -> exp.Select:
    until: exp.Expr = column(node.valid_to, "t")
    if node.open_until is not None:
        until = exp.func("NULLIF", until, end_of_time(node))
    names = [c.name for c in recorded_of(node)] + ([node.is_deleted] if node.is_deleted else [])
    query = exp.select(*(column(n, "t") for n in names), named(column(node.valid_from, "t"), FROM), named(until, TO))
    return query.from_(relation("ref", node.name, "t"))


def _theirs(node: Snapshot, now: exp.Expr) -> exp.Query:
    names = [c.name for c in recorded_of(node)] + ([node.is_deleted] if node.is_deleted else [])
    query = exp.select(*(column(n, "o") for n in (*names, FROM, TO))).from_(exp.to_table("c360_old").as_("o"))
    return exp.select(*(column(n, "h") for n in (*names, FROM, TO))).from_(_with_steps(node, now, query).subquery("h"))


def _only_in(name: str, these: exp.Query, those: exp.Query) -> exp.Select:
    """How many different rows of one query the other does not have; NULLs are equal."""
    return exp.select(_sql.star_count(name)).from_(exp.except_(these, those, distinct=True, copy=False).subquery("x"))


def _unproven() -> exp.Expr:
    left_out = exp.Sub(this=variable("source_rows"), expression=variable("starting_rows"))
    return any_of([
        exp.GT(this=variable("changed_rows"), expression=variable("moved_rows")),
        exp.GT(this=variable("vanished_rows"), expression=exp.Add(this=left_out, expression=variable("moved_rows"))),
        greater_than_zero("violating_rows"),
    ])  # fmt: skip


# --- words -------------------------------------------------------------------------------------------------------------


def _adoption(node: Snapshot) -> Adoption:
    assert node.adopts is not None, "only who asks for it adopts"
    return node.adopts


def _keys(node: Snapshot, table: str) -> list[exp.Expr]:
    return [column(k, table) for k in node.key]


def _values(node: Snapshot) -> list[str]:
    """What tells two versions of a key apart, besides their interval."""
    return [c.name for c in recorded_of(node) if c.name not in node.key] + ([node.is_deleted] if node.is_deleted else [])


def _carried(node: Snapshot) -> list[str]:
    own = [n for n in (node.is_deleted, node.row_id, node.row_time) if n]
    return [*(c.name for c in recorded_of(node)), *own, FROM, TO]


def _order(node: Snapshot, table: str) -> exp.Order:
    """The versions of a key one after another: by start, closed before open, then by end; what is still equal, by its values."""
    unsure = [ENDS, *(n for n in (node.row_time, node.row_id) if n), *_values(node)]
    opened = case((is_null(column(ENDS, table)), exp.Literal.number(1)), otherwise=exp.Literal.number(0))
    order = _sql.order(column(STARTS, table), opened)
    for name in unsure:
        order.append("expressions", exp.Ordered(this=column(name, table), nulls_first=False))
    return order


def _later(name: str, now: exp.Expr, table: str = "p") -> exp.Expr:
    return exp.GT(this=column(name, table), expression=now.copy())


def _as(there: Column, here: exp.DataType) -> exp.Expr:
    """A column of the other table in the type that it has here; a date or a wall clock is UTC."""
    at = column(there.name, "s")
    if there.type == here:
        return at
    return _sql.as_time(at, there.type) if here.this is types.T.TIMESTAMPTZ else exp.cast(at, here.copy())


def _gone(adopts: Adoption) -> exp.Expr:
    """Whether a row only says that its key is gone."""
    if adopts.is_deleted is None:
        return exp.false()
    at = column(adopts.is_deleted.name, "s")
    said = at if adopts.is_deleted.type == types.BOOLEAN else equal(exp.Lower(this=at), literal("true"))
    return exp.func("COALESCE", said, exp.false())
