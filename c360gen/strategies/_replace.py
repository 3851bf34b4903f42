"""What strategies share that replace a part of the table by the batch: rows compared as multisets, and a key that must be unique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step
from c360gen.project.nodes import Node
from c360gen.strategies import _sql
from c360gen.strategies._sql import action_is, named, star_count
from c360gen.terms.symbols import column, relation, variable

_SIDE = "c360_side"


def batch_rows(node: Node, beside: Mapping[str, exp.Expr] = {}) -> exp.Select:
    """SELECT s.…, 1 AS c360_side: the rows of the batch, `beside` them what else tells them apart."""
    return _rows(node, "s", beside, exp.Literal.number(1)).from_(relation("stage", node.name, "s")).where(action_is("batch", table="s"))


def table_rows(node: Node, beside: Mapping[str, exp.Expr] = {}) -> exp.Select:
    """SELECT t.…, -1 AS c360_side: rows of the table, to be narrowed to the part that is compared."""
    return _rows(node, "t", beside, exp.Neg(this=exp.Literal.number(1))).from_(relation("ref", node.name, "t"))


def _rows(node: Node, table: str, beside: Mapping[str, exp.Expr], side: exp.Expr) -> exp.Select:
    others = [named(value, name) for name, value in beside.items()]
    return exp.select(*others, *(column(c.name, table) for c in node.columns), named(side, _SIDE))


def differing(node: Node, by: Sequence[str], mine: exp.Select, theirs: exp.Select) -> exp.Select:
    """SELECT by… of every row that the two sides do not hold equally often: +1 for each here, −1 for each there, and it is not 0."""
    whole = dict.fromkeys((*by, *(c.name for c in node.columns)))
    groups = exp.select(*(column(n, "u") for n in by)).from_(exp.union(mine, theirs, distinct=False).subquery("u"))
    groups = groups.group_by(*(column(n, "u") for n in whole))
    return groups.having(exp.NEQ(this=exp.Sum(this=column(_SIDE, "u")), expression=exp.Literal.number(0)))


def can_move(node: Node, by: str) -> bool:
    """Whether a row can be found again in another part of the table: by a key which does not itself say the part."""
    return bool(node.key) and by not in node.key


def duplicates(node: Node) -> list[Step]:
    """Where a key is declared it names one row: two of them in the batch fail, equal or not."""
    if not node.key:
        return []

    def repeated(*shown: exp.Expr) -> exp.Select:
        query = exp.select(*shown).from_(relation("stage", node.name, "s")).where(action_is("batch", table="s"))
        return query.group_by(*(column(k, "s") for k in node.key)).having(_sql.several())

    keys, sample = [column(k, "s") for k in node.key], repeated(named(_sql.key_text(node, "s"), "c360_key"))
    return [
        Count("The key must name one row of the batch.", ("duplicate_keys",),
              exp.select(star_count("duplicate_keys")).from_(repeated(*keys).subquery("r"))),
        Guard("ZC001", "A key that names several rows could not tell where one of them went.", _sql.greater_than_zero("duplicate_keys"),
              (variable("duplicate_keys"), f" values of {', '.join(node.key)} occur in several rows"), _sql.sample(sample),
              "Nothing was written. Make the query give one row per key, or omit unique_key."),
    ]  # fmt: skip
