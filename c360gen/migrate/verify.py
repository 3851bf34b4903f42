"""What can be asked of a database after a migration, and what a dry run counts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.migrate import tracked
from c360gen.migrate.plan import Plan
from c360gen.ops.change import MustBeZero, Stored
from c360gen.ops.shell import Piece
from c360gen.project.nodes import Snapshot
from c360gen.strategies._history import helpers
from c360gen.terms.symbols import column


def pieces(plan: Plan, names: Names, dialect: Dialect, identity: str, number: int) -> list[Piece]:
    """The ledger, the columns of every table that was altered, the health of every history among them."""
    done: list[Piece] = []
    for check in (_ledger(names, dialect, number), *(columns(m.after, names, dialect) for m in plan.measured)):
        done += dialect.changes.must_be_zero(check, names)
    for name in sorted(plan.rewritten):
        node = names.project.nodes[name]
        if isinstance(node, Snapshot):
            said = f"{name} has damaged versions: see {node.identifier}_health"
            check = MustBeZero(f"The history {name} is sound.", helpers.damaged(node, "found"), said)
            done += dialect.changes.must_be_zero(check, names)
    return done


def _ledger(names: Names, dialect: Dialect, number: int) -> MustBeZero:
    ledger = dialect.table(names.own("migration"), "m")
    ended = exp.In(this=column("action", "m"), expressions=[exp.Literal.string(w) for w in ("applied", "contained")])
    mine = exp.and_(exp.EQ(this=column("number", "m"), expression=exp.Literal.number(number)), ended)
    missing = exp.Sub(this=exp.Literal.number(1), expression=exp.func("LEAST", exp.Count(this=exp.Star()), exp.Literal.number(1)))
    query = exp.select(exp.alias_(missing, "found")).from_(ledger).where(mine)
    return MustBeZero(f"The ledger knows migration {number}.", query, f"migration {number} is not applied")


def columns(table: Stored, names: Names, dialect: Dialect) -> MustBeZero:
    """Every column is there, and of the kind that was released."""
    address = dialect.changes.address(table, names)
    rows = [exp.Tuple(expressions=[dialect.cataloged(c.name), exp.Literal.string(dialect.stored_family(c.type))]) for c in table.columns]
    wanted = exp.Values(
        expressions=rows,
        alias=exp.TableAlias(this=exp.to_identifier("w"), columns=[exp.to_identifier(n) for n in ("c360_name", "c360_family")]),
    )
    query = exp.select(exp.alias_(exp.Count(this=exp.Star()), "found")).from_(wanted)
    on = exp.EQ(this=column("c360_name", "a"), expression=column("c360_name", "w"))
    query = query.join(dialect.catalog(address).subquery("a"), on=on, join_type="left")
    differs = exp.NullSafeNEQ(this=column("c360_family", "a"), expression=column("c360_family", "w"))
    label = f"{table.schema}.{table.name}"
    return MustBeZero(f"{label} has its columns.", query.where(differs), f"{label} has columns that are missing or of another kind")


def counts(plan: Plan, names: Names, dialect: Dialect) -> list[Piece]:
    """SELECT what, found: rows of the tables, values that are retired, keys that get a version."""
    arms = list(_counts(plan, names, dialect))
    if not arms:
        return []
    query: exp.Query = arms[0]
    for arm in arms[1:]:
        query = exp.Union(this=query, expression=arm, distinct=False)
    return [dialect.changes.lower(query, names)]


def _counts(plan: Plan, names: Names, dialect: Dialect) -> Iterable[exp.Select]:
    """After the statements of a dry run that is rolled back; before them where nothing can be."""
    done = dialect.changes.transactional
    for measured in plan.measured:
        table = measured.after if done else measured.before
        label = f"{measured.before.schema}.{measured.before.name}"
        at = dialect.table(dialect.changes.address(table, names), "t")
        yield _arm(f"{label}: rows", exp.select(exp.Count(this=exp.Star())).from_(at))
        for old, new in measured.columns:
            if old != new:
                counted = exp.Count(this=column(new if done else old, "t"))
                yield _arm(f"{label}.{old}: values, under the name {new} afterwards", exp.select(counted).from_(at.copy()))
    if done:
        for name, added in plan.versioned:
            query = tracked.count_new_versions(names.project.snapshot(name), added)
            yield _arm(f"{name}.{added}: keys of which the next run makes a version", query)


def _arm(said: str, query: exp.Select) -> exp.Select:
    value = query.selects[0].unalias()
    query.set("expressions", [exp.alias_(exp.Literal.string(said), "what"), exp.alias_(value, "found")])
    return query
