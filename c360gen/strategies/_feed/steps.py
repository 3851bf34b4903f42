"""The run of a snapshot over a feed: read, guard, decide, guard, write."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Stage, Step, Write
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _sql
from c360gen.strategies._feed.events import read
from c360gen.strategies._feed.versions import decide
from c360gen.strategies._feed.words import (
    AT,
    CLOSE,
    DUPLICATE,
    EVENT,
    FROZEN,
    FUTURE_TIME,
    GONE,
    LATE,
    NULL_KEY,
    NULL_TIME,
    OBSERVED,
    REWRITE,
    SOURCE,
    START,
    TRUNCATE,
    UNEXPLAINED,
    VANISH,
    Parts,
    derives_deletes,
    feed_of,
    problems,
    recorded,
    staged,
    times,
)
from c360gen.strategies._history.stage import ENDS, ROWS
from c360gen.strategies._history.steps import close, distinct_keys, pinned, quarantine, too_many_deletes
from c360gen.strategies._history.versions import end_of_time, is_live
from c360gen.strategies._sql import action_is, any_of, case, count_where, equal, every, greater_than_zero, named, not_null
from c360gen.terms.symbols import column, relation, variable


def steps(node: Snapshot, traits: Traits, concerned: exp.Query | None, events: Parts) -> tuple[Step, ...]:
    done: list[Step] = [
        Stage("Read the rows beyond the watermark, once: everything below rests on this reading. Rows that must not be applied are "
              "staged under the name of their problem.", read(node, traits), begins=True),
        _read_counts(node),
        *_read_guards(node),
        Stage(_explain(node), decide(node, traits, concerned, events), greater_than_zero("event_rows"), from_stage=True),
        _counts(node),
        *_guards(node),
    ]  # fmt: skip
    if kept := [p for p, policy in problems(node).items() if policy == "quarantine"]:
        done.append(quarantine(node, kept))
    if feed_of(node).rebuilds:
        done += [_observe(node), _remove(node, traits)]
    done.append(close(node, traits, action_is(CLOSE, table="s")))
    if feed_of(node).rebuilds:
        done.append(_rewrite(node, traits))
    done.append(_begin(node, traits))
    return tuple(done)


def counters(node: Snapshot) -> dict[str, exp.Expr]:
    """The columns of the run log, as expressions over what was counted."""
    found: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"), "inserted_rows": variable("starting_rows"), "closed_rows": variable("closing_rows"),
        "deleted_rows": variable("deleted_rows"),
        "unchanged_rows": exp.Sub(this=variable("source_rows"), expression=variable("effective_rows")),
    }  # fmt: skip
    if feed_of(node).rebuilds:
        found["updated_rows"] = _sql.plus("rewritten_rows", "vanished_rows")
    if "quarantine" in problems(node).values():
        found["quarantined_rows"] = variable("quarantined_rows")
    return found


def _explain(node: Snapshot) -> str:
    feed = feed_of(node)
    found = ["Turn events into versions."]
    if feed.rebuilds:
        found.append("`known` are the versions that reach the oldest of these events or begin after it, `events` everything that happened "
                     "since then, whenever it was read.")  # fmt: skip
    else:
        found.append("`known` are the versions that reach the oldest of these events; `judged` tells events that come after them from "
                     "late ones and from those that say what is known.")  # fmt: skip
    if derives_deletes(node):
        found.append("`missing` are keys that were seen, but not in the copy that came next.")
    found.append("`compared` finds the events that change something, and a version lasts from one of them to the next.")
    return " ".join(found)


# --- counts and guards -------------------------------------------------------------------------------------------------


def _read_counts(node: Snapshot) -> Count:
    wrong = problems(node)
    names = {NULL_KEY: "null_keys", NULL_TIME: "null_times", FUTURE_TIME: "future_times"}
    counted = {"event_rows": action_is(EVENT, TRUNCATE, table="s")}
    counted |= {names[p]: action_is(p, table="s") for p, policy in wrong.items() if p in names and policy == "fail"}
    at, seen = column(AT, "s"), action_is(EVENT, TRUNCATE, *([DUPLICATE] if derives_deletes(node) else []), table="s")
    others: dict[str, exp.Expr] = {
        "source_rows": exp.Max(this=column(ROWS, "s")), "newest": exp.Max(this=case((action_is(SOURCE, table="s"), at))),
        "oldest": exp.Min(this=case((seen, at.copy()))),
    }  # fmt: skip
    if wrong[DUPLICATE] == "fail":
        others["duplicate_keys"] = distinct_keys(node, action_is(DUPLICATE, table="k"))
    return _count(node, "Count what was read.", counted, others)


def _count(node: Snapshot, because: str, counted: dict[str, exp.Expr], others: dict[str, exp.Expr]) -> Count:
    projections = [*(count_where(c, n) for n, c in counted.items()), *(named(v, n) for n, v in others.items())]
    return Count(because, (*counted, *others), exp.select(*projections).from_(relation("stage", node.name, "s")))


def _read_guards(node: Snapshot) -> list[Guard]:
    source, key = node.reading, ", ".join(node.key)
    must = " or ".join(k for k in node.key if k not in node.nullable_key)
    wrong = {p for p, policy in problems(node).items() if policy == "fail"}
    mend = "Nothing was written. Mend the rows in the feed, or say {}: quarantine."

    def sample(problem: str) -> exp.Query:
        return _sql.key_sample(node, action_is(problem, table="s"))

    found: list[Guard] = []
    if NULL_KEY in wrong:
        found.append(
            Guard("ZC002", "Keys must not be NULL.", greater_than_zero("null_keys"),
                  (variable("null_keys"), f" rows of {source} have no {must}"), None, mend.format("on_null_key"))
        )  # fmt: skip
    if NULL_TIME in wrong:
        found.append(
            Guard("ZC003", "Without its time an event has no place.", greater_than_zero("null_times"),
                  (variable("null_times"), f" rows of {source} have no usable {' or '.join(times(node))}"), sample(NULL_TIME),
                  mend.format("on_null_updated_at"))
        )  # fmt: skip
    if FUTURE_TIME in wrong:
        found.append(
            Guard("ZC009", "No time may lie beyond the clock and its tolerance.", greater_than_zero("future_times"),
                  (variable("future_times"), f" rows of {source} have {node.updated_at} later than ", variable("latest")),
                  sample(FUTURE_TIME), "Nothing was written. Compare the clocks, or say on_future_updated_at: quarantine.")
        )  # fmt: skip
    if DUPLICATE in wrong:
        placed = " and ".join(dict.fromkeys((str(node.updated_at), *feed_of(node).sequence)))
        found.append(
            Guard("ZC001", "Which of two events would win would be chance.", greater_than_zero("duplicate_keys"),
                  (variable("duplicate_keys"), f" values of {key} occur in several rows of {source} that differ and have the same "
                   f"{placed}"), sample(DUPLICATE), mend.format("on_duplicate_key"))
        )  # fmt: skip
    return found


def _counts(node: Snapshot) -> Count:
    """An event that began no version, is no delete and was not kept back is one that changed nothing."""
    feed, wrong = feed_of(node), problems(node)
    counted: dict[str, exp.Expr] = {
        "starting_rows": action_is(START, table="s"), "closing_rows": action_is(CLOSE, table="s"),
        "deleted_rows": every([action_is(START, CLOSE, table="s"), column(GONE, "s")]),
    }  # fmt: skip
    kept = [p for p, policy in wrong.items() if policy == "quarantine"]
    read_kept = [p for p in kept if p not in (LATE, FROZEN) or (p == FROZEN and feed.rebuilds)]
    if feed.rebuilds:
        effective = action_is(EVENT, TRUNCATE, *read_kept, table="s")
        counted |= {
            "vanished_rows": action_is(VANISH, table="s"), "rewritten_rows": action_is(REWRITE, table="s"),
            "unexplained_rows": action_is(UNEXPLAINED, table="s"),
        }  # fmt: skip
    else:
        late = [LATE, *([FROZEN] if FROZEN in wrong else [])]
        upserts = every([action_is(*late, table="s"), exp.Not(this=column(GONE, "s"))])
        removals = every([action_is(EVENT, table="s"), column(GONE, "s")])
        effective = any_of([action_is(START, TRUNCATE, *read_kept, table="s"), exp.Paren(this=removals), exp.Paren(this=upserts)])
        if wrong[LATE] == "fail":
            counted["late_rows"] = action_is(*late, table="s")
    counted["effective_rows"] = effective
    if kept:
        counted["quarantined_rows"] = action_is(*kept, table="s")
    others: dict[str, exp.Expr] = {}
    if node.policies.max_delete_fraction is not None:
        counted["absent_rows"] = _absent()
        opened = exp.select(exp.Count(this=exp.Star())).from_(relation("ref", node.name, "h")).where(is_live(node, "h"))
        others["open_rows"] = opened.subquery()
    return _count(node, "Count what was decided.", counted, others)


def _absent() -> exp.Expr:
    """Open versions that end because a copy does not hold their key."""
    return every([action_is(CLOSE, table="s"), column(GONE, "s")])


def _guards(node: Snapshot) -> list[Guard]:
    feed, source = feed_of(node), node.reading
    found: list[Guard] = []
    if feed.late == "reject":
        late = action_is(LATE, *([FROZEN] if feed.frozen_before is not None else []), table="s")
        before = " or before what is frozen" if feed.frozen_before is not None else ""
        found.append(
            Guard("ZC014", "What was written is not written anew.", greater_than_zero("late_rows"),
                  (variable("late_rows"), f" events of {source} are not later than what the history of their key holds{before}"),
                  _sql.key_sample(node, late),
                  "Nothing was written. Say late: quarantine to keep such events back, or late: rebuild to put them in their place.")
        )  # fmt: skip
    if feed.rebuilds:
        found.append(
            Guard("ZC014", "A history can be rebuilt only as far back as its events are remembered.", greater_than_zero("unexplained_rows"),
                  (variable("unexplained_rows"), " starts and ends of versions since the oldest event, of ", variable("oldest"),
                   f", come from no event in the observations of {node.name}"), _sql.key_sample(node, action_is(UNEXPLAINED, table="s")),
                  "Nothing was written. Say frozen_before, with the time from which on events are remembered.")
        )  # fmt: skip
    if node.policies.max_delete_fraction is not None:
        found.append(too_many_deletes(node, source, "absent_rows", _absent()))
    return found


# --- writes ------------------------------------------------------------------------------------------------------------


def _observe(node: Snapshot) -> Write:
    table, condition = staged(node, EVENT, TRUNCATE)
    names = recorded(node)
    query = exp.select(
        named(variable("as_of"), OBSERVED[0]), named(variable("run_id"), OBSERVED[1]), *(column(n, "s") for n in names)
    ).from_(table).where(condition)  # fmt: skip
    return Write(
        "Remember the events.", _sql.insert(relation("observations", node.name), [*OBSERVED, *names], query),
        greater_than_zero("event_rows"), variable("event_rows"), "events to remember",
    )  # fmt: skip


def _remove(node: Snapshot, traits: Traits) -> Write:
    found = exp.select(exp.Literal.number(1)).from_(relation("stage", node.name, "s"))
    found = found.where(every([action_is(VANISH, table="s"), *pinned(node, traits)]))
    return Write(
        "Remove versions that an event which came late shows to be none.",
        exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=exp.Exists(this=found))),
        greater_than_zero("vanished_rows"), variable("vanished_rows"), "versions to remove",
    )  # fmt: skip


def _until(node: Snapshot, table: str) -> exp.Expr:
    """The end of a version: that of the stage, or open."""
    return column(ENDS, table) if node.open_until is None else exp.func("COALESCE", column(ENDS, table), end_of_time(node))


def _rewrite(node: Snapshot, traits: Traits) -> Write:
    values = {n: column(n, "s") for n in recorded(node) if n not in node.key}
    closed = case((not_null(column(ENDS, "s")), variable("run_id")))
    update = exp.Update(
        this=relation("ref", node.name, "t"),
        expressions=[
            *(equal(column(n), v) for n, v in values.items()), equal(column(node.valid_to), _until(node, "s")),
            equal(column(OWN_COLUMNS[1]), closed),
        ],
        from_=exp.From(this=relation("stage", node.name, "s")),
        where=exp.Where(this=every([*pinned(node, traits), action_is(REWRITE, table="s")])),
    )  # fmt: skip
    return Write(
        "Rewrite versions that an event which came late has changed.", update, greater_than_zero("rewritten_rows"),
        variable("rewritten_rows"), "versions to rewrite",
    )  # fmt: skip


def _begin(node: Snapshot, traits: Traits) -> Write:
    names = recorded(node)
    table, condition = staged(node, START)
    query = exp.select(
        *(column(n, "s") for n in names), named(column(AT, "s"), node.valid_from), named(_until(node, "s"), node.valid_to),
        named(variable("run_id"), OWN_COLUMNS[0]), named(case((not_null(column(ENDS, "s")), variable("run_id"))), OWN_COLUMNS[1]),
    ).from_(table).where(condition)  # fmt: skip
    if traits.ordered_insert:
        query = query.order_by(*(column(k, "s") for k in node.key))
    columns = [*names, node.valid_from, node.valid_to, *OWN_COLUMNS]
    return Write(
        "Insert the versions that began; those that ended since then have their end.",
        _sql.insert(relation("ref", node.name), columns, query), greater_than_zero("starting_rows"), variable("starting_rows"),
        "versions to insert",
    )  # fmt: skip
