"""What is counted before a migration and must be the same after it: rows, open versions, values of every column that stays."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from c360gen.dialects.changes import Changes
from c360gen.dialects.names import Address, Names
from c360gen.migrate.plan import Measured
from c360gen.ops.change import Stored
from c360gen.terms import types
from c360gen.terms.symbols import column

ROWS, CHECKSUM, RUNS = "rows", "checksum of all values", "runs that have succeeded"
NAME, VALUE = "measure", "value"
ENDED = ("applied", "contained", "rolled back")


def counted(
    changes: Changes, address: Address, columns: Sequence[tuple[str, str]], plus: Address | None = None, flag: exp.Expr | None = None,
    cast: Collection[str] = (), runs: exp.Expr | None = None,
) -> exp.Select:  # fmt: skip
    """SELECT measure, value: one row per measure. `columns` are (what the measure is called, the column); `cast` are in no checksum."""
    found: dict[str, exp.Expr] = {ROWS: exp.Count(this=exp.Star())}
    found |= {f"values of {said}": exp.Count(this=column(name, "t")) for said, name in columns}
    same = [n for said, n in columns if said not in cast]
    hashed = changes.checksum(same, "t") if same else None
    if hashed is not None and plus is None:
        found[CHECKSUM] = hashed
    if runs is not None:
        found[RUNS] = runs
    plain = {word: f"c360_{i}" for i, word in enumerate(found)}
    inner = exp.select(*(exp.alias_(e, plain[w], quoted=True) for w, e in found.items()))
    rows: exp.Expr = changes.dialect.table(address, "t")
    if plus is not None:
        both = [exp.select(*(column(n) for _, n in columns)).from_(changes.dialect.table(a)) for a in (address, plus)]
        rows = exp.Union(this=both[0], expression=both[1], distinct=False).subquery("t")
    inner = inner.from_(rows)
    if flag is not None:
        inner = inner.where(exp.Not(this=flag))
    names = [exp.to_identifier(NAME, quoted=True)]
    words = exp.Values(
        expressions=[exp.Tuple(expressions=[exp.Literal.string(w)]) for w in found],
        alias=exp.TableAlias(this=exp.to_identifier("w", quoted=True), columns=names),
    )
    chosen = exp.Case(
        this=None,
        ifs=[
            exp.If(this=exp.EQ(this=column(NAME, "w"), expression=exp.Literal.string(w)),
                   true=exp.cast(column(p, "c"), types.TEXT.copy()))
            for w, p in plain.items()
        ],
    )  # fmt: skip
    query = exp.select(column(NAME, "w"), exp.alias_(chosen, VALUE, quoted=True)).from_(inner.subquery("c"))
    return query.join(words, join_type="cross")


def before(changes: Changes, measured: Measured, names: Names, number: int, back: bool = False) -> exp.Insert:
    """INSERT INTO migration_check: what there is, once per attempt."""
    table = measured.after if back else measured.before
    flag = _flag(measured) if back else None
    query = counted(changes, changes.address(table, names), _columns(measured, back, first=True), flag=flag, cast=_cast(measured, back),
                    runs=_runs(changes, measured, names))  # fmt: skip
    said: dict[str, exp.Expr] = {
        "number": exp.Literal.number(number), "attempt": _attempt(changes, names, number), "relation": _label(measured),
        "measure": column(NAME, "m"), "value": column(VALUE, "m"),
    }  # fmt: skip
    rows = exp.select(*(exp.alias_(e, n) for n, e in said.items())).from_(query.subquery("m"))
    target = exp.Schema(this=changes.dialect.table(names.own("migration_check")), expressions=[exp.to_identifier(n) for n in said])
    made = changes.dialect.lower(exp.Insert(this=target, expression=rows), names)
    assert isinstance(made, exp.Insert)
    return made


def missing(changes: Changes, measured: Measured, names: Names, number: int) -> exp.Select:
    """1 while nothing is counted yet: an attempt that is resumed finds tables that are changed already."""
    there = exp.func("LEAST", exp.Count(this=exp.Star()), exp.Literal.number(1))
    query = exp.select(exp.Sub(this=exp.Literal.number(1), expression=there)).from_(
        changes.dialect.table(names.own("migration_check"), "k")
    )
    made = changes.dialect.lower(query.where(_mine(changes, measured, names, number)), names)
    assert isinstance(made, exp.Select)
    return made


def after(changes: Changes, measured: Measured, names: Names, number: int, back: bool = False) -> exp.Select:
    """How many measures differ from what was counted before; none where a run between two attempts has changed the table."""
    table = measured.before if back else measured.after
    plus = changes.place(table.schema, measured.removed, names) if measured.removed and not back else None
    flag = _marker(measured) if back else _flag(measured)
    now = counted(changes, changes.address(table, names), _columns(measured, back, first=False), plus, flag, _cast(measured, back),
                  _runs(changes, measured, names))  # fmt: skip
    then = exp.select(column("measure", "k"), column("value", "k")).from_(changes.dialect.table(names.own("migration_check"), "k"))
    then = then.where(_mine(changes, measured, names, number))
    differing: exp.Expr = exp.Count(this=exp.Star())
    if not changes.transactional:
        ran = exp.EQ(this=column(NAME, "n"), expression=exp.Literal.string(RUNS))
        runs = exp.Count(this=exp.Case(ifs=[exp.If(this=ran, true=exp.Literal.number(1))]))
        none = exp.If(this=exp.GT(this=runs, expression=exp.Literal.number(0)), true=exp.Literal.number(0))
        differing = exp.Case(ifs=[none], default=differing)
    query = exp.select(exp.alias_(differing, "found")).from_(now.subquery("n"))
    query = query.join(then.subquery("b"), on=exp.EQ(this=column(NAME, "b"), expression=column(NAME, "n")))
    return query.where(exp.NullSafeNEQ(this=column(VALUE, "b"), expression=column(VALUE, "n")))


def _runs(changes: Changes, measured: Measured, names: Names) -> exp.Expr | None:
    """How often its node has run: an attempt that was interrupted lets runs through, and what they wrote is no loss."""
    if changes.transactional:
        return None
    query = exp.select(exp.Count(this=exp.Star())).from_(changes.dialect.table(names.own("run_log"), "l"))
    mine = exp.In(this=column("node", "l"), expressions=[exp.Literal.string(label) for label in measured.labels])
    said = {"action": "run", "status": "succeeded"}
    return query.where(mine, *(exp.EQ(this=column(n, "l"), expression=exp.Literal.string(v)) for n, v in said.items())).subquery()


def _mine(changes: Changes, measured: Measured, names: Names, number: int) -> exp.Expr:
    return exp.and_(
        exp.EQ(this=column("number", "k"), expression=exp.Literal.number(number)),
        exp.EQ(this=column("attempt", "k"), expression=_attempt(changes, names, number)),
        exp.EQ(this=column("relation", "k"), expression=_label(measured)),
    )


def _attempt(changes: Changes, names: Names, number: int) -> exp.Expr:
    """How often the migration has ended, one way or the other: the same from its first statement to its last."""
    query = exp.select(exp.Count(this=exp.Star())).from_(changes.dialect.table(names.own("migration"), "a"))
    ended = exp.In(this=column("action", "a"), expressions=[exp.Literal.string(w) for w in ENDED])
    mine = exp.EQ(this=column("number", "a"), expression=exp.Literal.number(number))
    return query.where(exp.and_(mine, ended)).subquery()


def _columns(measured: Measured, back: bool, first: bool) -> list[tuple[str, str]]:
    """(what it is called, where it is): before the way there and after the way back a column has its released name."""
    old = first is not back
    since = measured.copied if back else {}
    return [(b, b if old else since.get(b, a)) for b, a in measured.columns if not (back and b in measured.filled)]


def _cast(measured: Measured, back: bool) -> Collection[str]:
    """On the way back what came since is cast: there are as many values, but of another type."""
    return measured.copied if back else ()


def _flag(measured: Measured) -> exp.Expr | None:
    """Rows that are no part of what must stay, on the way there."""
    return _true(measured.after, measured.flag)


def _marker(measured: Measured) -> exp.Expr | None:
    """And on the way back."""
    return _true(measured.before, measured.marker)


def _true(table: Stored, flag: str | None) -> exp.Expr | None:
    if flag is None:
        return None
    at = column(flag, "t")
    is_text = table.column(flag).type == types.TEXT
    return exp.EQ(this=at, expression=exp.Literal.string("True")) if is_text else at


def _label(measured: Measured) -> exp.Expr:
    return exp.Literal.string(f"{measured.before.schema}.{measured.before.name}")
