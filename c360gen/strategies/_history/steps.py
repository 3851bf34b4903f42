"""The run of a snapshot over a state source: stage, count, guard, overwrite, close, open (README: What a snapshot does)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Stage, Step, Write
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _sql
from c360gen.strategies._history import stage
from c360gen.strategies._history.stage import ENDS, OPEN_FROM, ROWS, STARTS
from c360gen.strategies._history.versions import as_instant, end_of_time, is_open, mark, recorded_of, row_id
from c360gen.strategies._sql import (
    ACTION,
    ROW,
    action_is,
    any_of,
    count_where,
    differs,
    equal,
    every,
    greater_than_zero,
    is_null,
    named,
    not_null,
    star_count,
)
from c360gen.terms.symbols import column, relation, variable

QUARANTINE = ("c360_quarantined_at", "c360_run_id", "c360_reason")
"""The columns of a quarantine table before those of the source."""


def steps(node: Snapshot, traits: Traits, dating: exp.Expr) -> tuple[Step, ...]:
    found: list[Step] = [
        Stage(
            "Decide everything in one statement, so that guards and writes rest on one reading of the source. "
            "Unchanged rows are not staged; rows that must not be written are staged under the name of their problem.",
            stage.insert(node, traits, dating),
            begins=True,
        ),
        _counts(node),
        *_duplicates(node, traits),
        *_guards(node, traits),
    ]
    if node.quarantines:
        found.append(quarantine(node, [p for p, policy in stage.problems(node).items() if policy == "quarantine"]))
    if node.overwritten:
        found.append(_overwrite(node, traits))
    found += [close(node, traits), _open(node, traits)]
    if node.is_deleted:
        found.append(_mark(node))
    return tuple(found)


def counters(node: Snapshot) -> dict[str, exp.Expr]:
    """The columns of the run log, as expressions over what was counted."""
    from_source = exp.Paren(this=exp.Sub(this=variable("staged_rows"), expression=variable("absent_rows")))
    inserted: exp.Expr = variable("starting_rows")
    if node.is_deleted:
        inserted = exp.Add(this=inserted, expression=variable("deleted_rows"))
    found: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"),
        "inserted_rows": inserted,
        "closed_rows": variable("closing_rows"),
        "deleted_rows": variable("deleted_rows"),
        "revived_rows": variable("revived_rows"),
        "unchanged_rows": exp.Sub(this=variable("source_rows"), expression=from_source),
        "dated_by_run": variable("dated_by_run"),
    }
    if node.overwritten:
        found["updated_rows"] = variable("updated_rows")
    if node.quarantines:
        found["quarantined_rows"] = variable("quarantined_rows")
    return found


# --- counts and guards -------------------------------------------------------------------------------------------------


def _counts(node: Snapshot) -> Count:
    """Every number that the guards, the writes and the log need, from one reading of the stage."""
    dated: exp.Expr = exp.false()
    if node.updated_at:
        dated = every([not_null(column(STARTS, "s")), differs(column(STARTS, "s"), as_instant(node, node.updated_at, "s"))])
        if node.source_delta:
            dated = every([action_is("new", "change", "revive", table="s"), dated])
    writes = action_is("new", "change", "revive", table="s")
    absent: exp.Expr = exp.false()
    if stage.deletes(node):
        absent = action_is("delete", table="s")
        if node.deleted_flag:
            absent = every([absent, is_null(column(node.deleted_flag, "s"))])
        if node.deleted_at:
            absent = every([absent, is_null(column(node.deleted_at, "s"))])
    counted: dict[str, exp.Expr] = {
        "staged_rows": exp.Not(this=action_is(stage.SOURCE, stage.OPEN, table="s")),
        "absent_rows": absent,
        "starting_rows": writes,
        "closing_rows": not_null(column(ENDS, "s")),
        "deleted_rows": action_is("delete", table="s"),
        "revived_rows": action_is("revive", table="s"),
        "dated_by_run": dated,
        "blocked_rows": _blocked(),
    }
    if stage.counts_tell(node):
        counted["new_rows"] = action_is("new", table="s")
        counted["unmatched_rows"] = every([is_null(column(OPEN_FROM, "s")), counted["staged_rows"].copy()])
    if node.overwritten:
        counted["updated_rows"] = action_is("overwrite", table="s")
    names = {stage.NULL_KEY: "null_keys", stage.NULL_TIME: "null_times", stage.FUTURE_TIME: "future_times", stage.UNMOVED: "unmoved_rows"}
    wrong = stage.problems(node)
    counted |= {names[p]: action_is(p, table="s") for p, policy in wrong.items() if p in names and policy == "fail"}
    if kept := [p for p, policy in wrong.items() if policy == "quarantine"]:
        counted["quarantined_rows"] = action_is(*kept, table="s")
    others: dict[str, exp.Expr] = {
        name: exp.Max(this=_sql.case((action_is(row, table="s"), column(ROWS, "s"))))
        for name, row in (("source_rows", stage.SOURCE), ("open_rows", stage.OPEN))
    }
    if node.source_delta:
        others["newest"] = stage.newest(node)
    if stage.counts_tell(node):
        others["new_keys"] = distinct_keys(node, action_is("new", "revive", table="k"))
    elif wrong.get(stage.DUPLICATE) == "fail":
        others["duplicate_keys"] = distinct_keys(node, action_is(stage.DUPLICATE, table="k"))
    projections: list[exp.Expr] = [count_where(condition, name) for name, condition in counted.items()]
    projections += [named(value, name) for name, value in others.items()]
    query = exp.select(*projections).from_(relation("stage", node.name, "s"))
    return Count("Count what was decided.", (*counted, *others), query)


def _blocked() -> exp.Expr:
    return any_of([exp.LTE(this=column(ENDS, "s"), expression=column(OPEN_FROM, "s")), action_is(stage.BLOCKED, table="s")])


def distinct_keys(node: Snapshot, where: exp.Expr) -> exp.Subquery:
    """(SELECT COUNT(*) FROM (SELECT DISTINCT key FROM the stage WHERE …))."""
    keys = exp.select(*(column(k, "k") for k in node.key)).from_(relation("stage", node.name, "k")).where(where).distinct()
    return exp.select(exp.Count(this=exp.Star())).from_(keys.subquery("u")).subquery()


def _surplus(node: Snapshot) -> exp.Expr:
    """Open versions are unique, so each that is not gone met exactly one row; every other row must be the only one of its key."""
    matched = exp.Sub(this=variable("source_rows"), expression=variable("unmatched_rows"))
    left = exp.Sub(this=variable("open_rows"), expression=variable("absent_rows"))
    fresh = exp.NEQ(this=variable("new_keys"), expression=_sql.plus("new_rows", "revived_rows"))
    return exp.or_(exp.NEQ(this=matched, expression=left), fresh, wrap=False)


def _duplicates(node: Snapshot, traits: Traits) -> list[Step]:
    if not stage.counts_tell(node):
        return []
    query = exp.select(star_count("duplicate_keys")).from_(stage.repeated(node, traits).subquery("d"))
    return [Count("Only where the numbers do not add up, look for the keys that occur twice.", ("duplicate_keys",), query, _surplus(node))]


def _guards(node: Snapshot, traits: Traits) -> list[Guard]:
    source = node.reading
    key, must = ", ".join(node.key), " or ".join(k for k in node.key if k not in node.nullable_key)
    wrong = {p for p, policy in stage.problems(node).items() if policy == "fail"}
    found: list[Guard] = []

    def sample(problem: str) -> exp.Query:
        return _sql.key_sample(node, action_is(problem, table="s"))

    if stage.NULL_KEY in wrong:
        found.append(
            Guard("ZC002", "Keys must not be NULL.", greater_than_zero("null_keys"),
                  (variable("null_keys"), f" rows of {source} have no {must}"), None, "Nothing was written. Mend the rows in the source.")
        )  # fmt: skip
    if stage.DUPLICATE in wrong:
        tied = node.version_column or node.updated_at if node.policies.on_duplicate_key == "latest" else None
        twice = f"occur in several rows of {source}" + (f" that differ and have the same {tied}" if tied else "")
        when, shown = greater_than_zero("duplicate_keys"), sample(stage.DUPLICATE)
        if stage.counts_tell(node):
            when = _surplus(node)
            twice_there = stage.repeated(node, traits).subquery("s")
            shown = _sql.sample(exp.select(named(_sql.key_text(node, "s"), "c360_key")).from_(twice_there))
        found.append(
            Guard("ZC001", "Each key must occur once.", when, (variable("duplicate_keys"), f" values of {key} {twice}"), shown,
                  "Nothing was written. Mend the rows in the source.")
        )  # fmt: skip
    if stage.NULL_TIME in wrong:
        found.append(
            Guard("ZC003", "Every row must have a time.", greater_than_zero("null_times"),
                  (variable("null_times"), f" rows of {source} have no usable {node.updated_at}"), sample(stage.NULL_TIME),
                  "Nothing was written. Mend the rows in the source.")
        )  # fmt: skip
    if stage.FUTURE_TIME in wrong:
        found.append(
            Guard("ZC009", "No time may lie beyond the clock and its tolerance.", greater_than_zero("future_times"),
                  (variable("future_times"), f" rows of {source} have {node.updated_at} later than ", variable("latest")),
                  sample(stage.FUTURE_TIME), "Nothing was written. Compare the clocks.")
        )  # fmt: skip
    if stage.UNMOVED in wrong:
        found.append(
            Guard("ZC012", "A row must not change without its time.", greater_than_zero("unmoved_rows"),
                  (variable("unmoved_rows"), f" rows of {source} changed while {node.updated_at} did not move on"), sample(stage.UNMOVED),
                  f"Nothing was written. Move {node.updated_at} in the source, or say on_unmoved_timestamp: version.")
        )  # fmt: skip
    if stage.deletes(node):
        found += _delete_guards(node, source)
    found.append(
        Guard("ZC010", "A version cannot end before it starts, nor begin before the one before it has ended.",
              greater_than_zero("blocked_rows"),
              (variable("blocked_rows"), " keys have versions that begin at or end after the run time ", variable("as_of"),
               " and cannot be closed or followed at it"),
              _sql.key_sample(node, _blocked()),
              "Nothing was written. Run again once that time has passed.")
    )  # fmt: skip
    return found


def _delete_guards(node: Snapshot, source: str) -> list[Guard]:
    found = []
    if node.policies.on_empty_source == "fail" and node.source_delta != "none":
        empty = [greater_than_zero("open_rows"), equal(variable("source_rows"), _sql.zero())]
        said: tuple[str | exp.Expr, ...] = (f"{source} is empty while ", variable("open_rows"), " versions are open")
        if node.source_delta:  # nothing read is no news: every key must be missing as well
            empty.append(equal(variable("absent_rows"), variable("open_rows")))
            said = (f"{source} has none of the keys of ", variable("open_rows"), " open versions, and no row that moved")
        found.append(
            Guard("ZC004", "An empty source is more likely a failed load than the end of everything.", every(empty), said, None,
                  "Nothing was written. Load the source first.")
        )  # fmt: skip
    if node.policies.max_delete_fraction is not None:
        found.append(too_many_deletes(node, source, "deleted_rows", action_is("delete", table="s")))
    return found


def too_many_deletes(node: Snapshot, source: str, counted: str, which: exp.Expr) -> Guard:
    """`which` of the staged rows are deletes, and the variable that has their number; open_rows has that of open versions."""
    top, bottom = Decimal(str(node.policies.max_delete_fraction)).as_integer_ratio()
    share = exp.GT(
        this=exp.Mul(this=variable(counted), expression=exp.Literal.number(bottom)),
        expression=exp.Mul(this=variable("open_rows"), expression=exp.Literal.number(top)),
    )
    enough = exp.GTE(this=variable(counted), expression=exp.Literal.number(node.policies.min_delete_rows))
    return Guard(
        "ZC013", "So many deletes at once are more likely a partial load.", every([enough, share]),
        (variable(counted), " of ", variable("open_rows"), f" open versions would be closed because {source} has "
         f"their keys no more, which is more than max_delete_fraction: {node.policies.max_delete_fraction}"),
        _sql.key_sample(node, which), "Nothing was written. Load the source whole; if the deletes are real, raise max_delete_fraction.",
    )  # fmt: skip


# --- writes ------------------------------------------------------------------------------------------------------------


def quarantine(node: Snapshot, kept: Iterable[str]) -> Write:
    """EXCEPT compares NULLs as equal, so a row that is kept back run after run is written once."""
    names = [QUARANTINE[2], *(c.name for c in recorded_of(node))]
    staged = exp.select(named(column(ACTION, "s"), QUARANTINE[2]), *(column(n, "s") for n in names[1:]))
    staged = staged.from_(relation("stage", node.name, "s")).where(action_is(*kept, table="s"))
    known = exp.select(*(column(n, "q") for n in names)).from_(relation("quarantine", node.name, "q"))
    fresh = exp.except_(staged, known, distinct=True, copy=False)
    query = exp.select(
        named(variable("as_of"), QUARANTINE[0]), named(variable("run_id"), QUARANTINE[1]), *(column(n, "x") for n in names)
    ).from_(fresh.subquery("x"))
    statement = _sql.insert(relation("quarantine", node.name), [*QUARANTINE[:2], *names], query)
    return Write("Keep back the rows that must not be written, each once.", statement, greater_than_zero("quarantined_rows"))


def pinned(node: Snapshot, traits: Traits) -> list[exp.Expr]:
    """The row of the history, t, that a staged row, s, was decided upon."""
    found = [_sql.same_key(node, "t", "s"), equal(column(node.valid_from, "t"), column(OPEN_FROM, "s"))]
    return [equal(_sql.address(traits, "t"), column(ROW, "s")), *found] if traits.row_address else found


def _overwrite(node: Snapshot, traits: Traits) -> Write:
    update = exp.Update(
        this=relation("ref", node.name, "t"),
        expressions=[equal(column(c), column(c, "s")) for c in node.overwritten],
        from_=exp.From(this=relation("stage", node.name, "s")),
        where=exp.Where(this=every([*pinned(node, traits), is_open(node, "t"), action_is("overwrite", table="s")])),
    )
    return Write(
        f"Overwrite {', '.join(node.overwritten)} in the open versions where nothing else changed.", update,
        greater_than_zero("updated_rows"), variable("updated_rows"), "versions to overwrite",
    )  # fmt: skip


def close(node: Snapshot, traits: Traits, which: exp.Expr | None = None) -> Write:
    """`which` of the staged rows end a version; those with an end where nothing is said."""
    update = exp.Update(
        this=relation("ref", node.name, "t"),
        expressions=[
            equal(column(node.valid_to), column(ENDS, "s")),
            equal(column(OWN_COLUMNS[1]), variable("run_id")),
        ],
        from_=exp.From(this=relation("stage", node.name, "s")),
        where=exp.Where(this=every([*pinned(node, traits), is_open(node, "t"), which or not_null(column(ENDS, "s"))])),
    )
    return Write(
        "Close the versions that ended. Key and start name the exact row, and the count must be exact.", update,
        greater_than_zero("closing_rows"), variable("closing_rows"), "versions to close",
    )  # fmt: skip


def _begun(node: Snapshot, start: str, *, marker: bool) -> dict[str, exp.Expr]:
    """What a version that begins has besides its row; `start` is the column of the stage that says when."""
    found: dict[str, exp.Expr] = {node.valid_from: column(start, "s")}
    if node.open_until is not None:
        found[node.valid_to] = end_of_time(node)
    if node.is_deleted:
        found[node.is_deleted] = mark(node, marker)
    if node.row_id:
        found[node.row_id] = row_id(node, column(start, "s"), "s")
    if node.row_time:
        found[node.row_time] = column(start, "s")
    found[OWN_COLUMNS[0]] = variable("run_id")
    return found


def _insert(node: Snapshot, begun: dict[str, exp.Expr], query: exp.Select, row: str) -> exp.Insert:
    """INSERT of versions that begin, whose row comes from the relation `row` of the query."""
    recorded = [c.name for c in recorded_of(node)]
    query = query.select(*(column(n, row) for n in recorded), *(named(v, n) for n, v in begun.items()), append=False)
    return _sql.insert(relation("ref", node.name), [*recorded, *begun], query)


def _open(node: Snapshot, traits: Traits) -> Write:
    query = exp.Select().from_(relation("stage", node.name, "s")).where(action_is("new", "change", "revive", table="s"))
    if traits.ordered_insert:
        query = query.order_by(*(column(k, "s") for k in node.key))
    return Write(
        "Insert the versions that began.", _insert(node, _begun(node, STARTS, marker=False), query, "s"),
        greater_than_zero("starting_rows"), variable("starting_rows"), "versions to insert",
    )  # fmt: skip


def _mark(node: Snapshot) -> Write:
    query = exp.Select().from_(relation("stage", node.name, "s")).join(
        relation("ref", node.name, "h"),
        on=every([_sql.same_key(node, "h", "s"), equal(column(node.valid_from, "h"), column(OPEN_FROM, "s"))]), join_type="inner",
    ).where(action_is("delete", table="s"))  # fmt: skip
    return Write(
        "Insert a marker for every key that is gone: a copy of its last version.",
        _insert(node, _begun(node, ENDS, marker=True), query, "h"),
        greater_than_zero("deleted_rows"), variable("deleted_rows"), "markers to insert",
    )  # fmt: skip
