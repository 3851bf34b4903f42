"""The columns of relations that the columns of one query are made of, and those that decide which rows it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from c360gen.terms import symbols

Place = tuple[str, str]
"""A column: (relation as in `depends_on`, name); without a name it stands for the rows of the relation."""
How = Literal["as is", "cast", "computed", "filter", "join", "group", "reads"]
VALUES: tuple[How, ...] = ("as is", "cast", "computed")
"""How a value comes from another, the closest first; the others say which rows there are (`reads`: of relations as a whole)."""


class Reading:
    """One qualified tree: every column in it is followed through CTEs and subqueries to relations, each scope once."""

    def __init__(self, tree: exp.Query):
        self.scopes = traverse_scope(tree)
        self.root = self.scopes[-1]
        self.of = {id(s.expression): s for s in self.scopes}
        self.known: dict[tuple[int, int], dict[Place, How]] = {}

    def origins(self, scope: Scope, index: int) -> dict[Place, How]:
        """The relations' columns that an output column is made of."""
        key = id(scope), index
        if key not in self.known:
            self.known[key] = {}
            found: dict[Place, How] = {}
            if scope.set_operation_scopes:
                parts = [self.origins(s, index) for s in scope.set_operation_scopes]
            else:
                selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
                parts = [self._value(selects[index])] if index < len(selects) else []
            for part in parts:
                for place, how in part.items():
                    found[place] = max(found.get(place, how), how, key=VALUES.index)
            self.known[key] = found
        return self.known[key]

    def rows(self) -> Iterator[tuple[Place, How]]:
        """The relations' columns that decide which rows there are."""
        for scope in self.scopes:
            tree = scope.expression
            if not isinstance(tree, exp.Select):
                continue
            clauses: list[tuple[How, exp.Expr | None]] = [("join", join) for join in tree.args.get("joins") or ()]
            clauses += [("filter", tree.args.get(name)) for name in ("where", "having", "qualify")]
            clauses += [("group", tree.args.get("group")), ("filter", tree.args.get("order") if tree.args.get("limit") else None)]
            for how, clause in clauses:
                for column in _columns(clause) if clause is not None else ():
                    yield from ((place, how) for place in self._column(column))

    def _value(self, select: exp.Expr) -> dict[Place, How]:
        value = select.unalias()
        how: How = "as is"
        while isinstance(value, exp.Cast | exp.Paren):
            how = "cast" if isinstance(value, exp.Cast) else how
            value = value.this
        how = how if isinstance(value, exp.Column) else "computed"
        found: dict[Place, How] = {}
        for column in value.find_all(exp.Column):
            for place, inner in self._column(column).items():
                whole = max(inner, how, key=VALUES.index)
                found[place] = max(found.get(place, whole), whole, key=VALUES.index)
        return found

    def _column(self, column: exp.Column) -> dict[Place, How]:
        """Through the nearest query around it that has a relation of this name: a correlated column belongs to one farther out."""
        around = column.parent
        while around is not None:
            source = self.of[id(around)].sources.get(column.table) if id(around) in self.of else None
            if isinstance(source, Scope):
                names = source.expression.named_selects if isinstance(source.expression, exp.Query) else []
                return self.origins(source, names.index(column.name)) if column.name in names else {}
            if isinstance(source, exp.Table):
                found = symbols.symbol(source)
                return {(f"{found[0]}:{found[1]}", column.name): "as is"} if found else {}
            around = around.parent
        return {}


def _columns(clause: exp.Expr) -> Iterator[exp.Column]:
    """The columns of a clause; those of a derived table in a join belong to its own scope."""
    if isinstance(clause, exp.Join):
        for part in (clause.args.get("on"), *(clause.args.get("using") or ())):
            if part is not None:
                yield from part.find_all(exp.Column)
    else:
        yield from clause.find_all(exp.Column)
