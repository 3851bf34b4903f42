"""How fresh sources are: one row per source, the view of all of them, and the procedure that fails when one is too old."""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Task
from c360gen.project.nodes import Source
from c360gen.project.resolved import Resolved
from c360gen.strategies import _sql
from c360gen.strategies._sql import any_of, case, equal, greater_than_zero, is_null, literal, named
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

VIEW = "source_freshness"
COLUMNS = ("source", "loaded_at", "status", "warn_after", "error_after")


def rows(source: Source) -> exp.Select:
    """SELECT 'raw.orders' AS source, loaded_at, status: pass, warn or error. No row at all is as old as can be.

    Its ages are seconds. Whoever tests a source reads this where status <> 'pass'.
    """
    assert source.freshness is not None
    given = source.freshness
    at = column("loaded_at", "q")
    newest = _sql.as_time(exp.Max(this=at), given.query.selects[0].type)
    read = exp.select(named(newest, "loaded_at")).from_(given.query.copy().subquery("q"))
    arms = [(_older(s), literal(word)) for word, s in (("error", given.error_after), ("warn", given.warn_after)) if s]
    ages = [exp.null() if s is None else exp.Literal.number(s) for s in (given.warn_after, given.error_after)]
    values = (literal(source.name), column("loaded_at", "n"), case(*arms, otherwise=literal("pass")), *ages)
    typed = [exp.cast(v, types.BIGINT.copy()) if n.endswith("_after") else v for v, n in zip(values, COLUMNS, strict=True)]
    return exp.select(*(named(v, n) for v, n in zip(typed, COLUMNS, strict=True))).from_(read.subquery("n"))


def _older(seconds: int) -> exp.Expr:
    """Whether the newest row is older than that, or there is none."""
    span = exp.Interval(this=exp.Literal.string(str(seconds)), unit=exp.Var(this="SECOND"))
    span.meta["whole"] = True
    too_old = exp.LT(this=column("loaded_at", "n"), expression=exp.Sub(this=_sql.clock(), expression=span))
    return any_of([is_null(column("loaded_at", "n")), too_old])


def sources(project: Resolved) -> list[Source]:
    return [s for s in project.sources.values() if s.freshness]


def view(project: Resolved) -> exp.Query | None:
    """All of them, one below the other; None where no source says how fresh it should be."""
    found: list[exp.Query] = [rows(s) for s in sources(project)]
    return reduce(lambda above, below: exp.union(above, below, distinct=False, copy=False), found) if found else None


def check() -> Task:
    """check_freshness: fails when a source is older than its error_after."""
    late = exp.select(
        named(column("source", "f"), "source"),
        named(exp.func("COALESCE", exp.cast(column("loaded_at", "f"), types.TEXT.copy()), literal("no row")), "loaded"),
    ).from_(relation("control", VIEW, "f")).where(equal(column("status", "f"), literal("error")))  # fmt: skip
    line = _sql.concat(column("source", "l"), literal(" ("), column("loaded", "l"), literal(")"))
    lines = exp.select(named(line, "line")).from_(late.subquery("l"))
    names = _sql.listed(column("line", "s"), column("line", "s"))
    counted = exp.select(_sql.star_count("stale_sources"), named(names, "stale_names")).from_(lines.subquery("s"))
    steps: tuple[Step, ...] = (
        Count("Look at every source that says how fresh it should be.", ("stale_sources", "stale_names"), counted),
        Guard("ZC019", "Runs over old rows succeed and say nothing.", greater_than_zero("stale_sources"),
              (variable("stale_sources"), " sources are older than their error_after: ", variable("stale_names")), None,
              f"See the view {VIEW}. Ask whoever loads the sources."),
    )  # fmt: skip
    rules = ("the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old",)
    return Task("check", None, "Fails when a source is older than its error_after", rules, steps, {}, subject="freshness")
