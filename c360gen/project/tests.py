"""Data tests as written → as meant: names folded, conditions analysed as any SQL is, references known."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlglot import exp

from c360gen.diagnostics import Diagnostics, Span
from c360gen.project import syntax, texts
from c360gen.project.columns import find, fold
from c360gen.project.nodes import Column, Test
from c360gen.project.query import Catalog, analyse, place
from c360gen.project.references import Known, reference
from c360gen.spec import models as spec
from c360gen.spec.load import Located

Loc = tuple[str | int, ...]
_OPERATORS = ("and", "at", "between", "collate", "ilike", "in", "is", "like", "not", "or")


class Tests:
    """Resolves the tests of one relation after the other, when the columns of all are known."""

    def __init__(self, known: Known, columns: Mapping[str, Sequence[Column]], diagnostics: Diagnostics):
        self.known, self.catalog, self.diagnostics = known, Catalog(columns), diagnostics

    def of(self, id_: str, located: Located[Any], loc: Loc = ()) -> tuple[Test, ...]:
        """The tests of the relation that `loc` of an item declares."""
        item = located.spec
        for part in loc:
            item = item[part] if isinstance(part, int) else getattr(item, part)
        names = [c.name for c in self.catalog.columns[id_]]
        found: dict[str, Test] = {}
        for column, test, at in _written(item, loc):
            if not test.settings.config.enabled:
                continue
            made = self._one(id_, names, column, test, located, at)
            if made is None or any(_same(made, other) for other in found.values()):
                continue
            if test.settings.name is None:
                names_left = (made.name, *(f"{made.name}_{n}" for n in range(2, len(found) + 2)))
                made = dataclasses.replace(made, name=next(n for n in names_left if n not in found))
            elif made.name in found:
                message = f"{made.name} is the name of two tests of {id_.partition(':')[2]}"
                self.diagnostics.error("C108", message, located.span(*at), "give one of them another name:")
            found[made.name] = made
        return tuple(found.values())

    def _one(
        self, id_: str, names: Collection[str], column: spec.Column | None, test: spec.DataTest, located: Located[Any], at: Loc
    ) -> Test | None:
        kind, settings, owner = test.kind, test.settings, id_.partition(":")[2]
        said = (*at, kind) if located.says(*at, kind) else (*at, f"dbt_utils.{kind}")
        inside = (*said, "arguments") if located.says(*said, "arguments") else said
        about: tuple[str, ...] = (fold(column.name, column.quote),) if column is not None else ()
        to = field = condition = None
        if column is None and kind not in ("expression_is_true", "unique_combination_of_columns"):
            self.diagnostics.error("C401", f"{kind} is a test of a column", located.span(*at), "write it below a column, under columns:")
            return None
        if isinstance(settings, spec.UniqueCombinationOfColumns):
            if column is not None:
                help = f"write it under data_tests: of {owner} itself"
                self.diagnostics.error("C401", f"{kind} is a test of a whole relation", located.span(*at), help)
                return None
            about = tuple(self._column(n, names, owner, located.span(*inside, "combination_of_columns", i))
                          for i, n in enumerate(settings.combination_of_columns))  # fmt: skip
        if isinstance(settings, spec.Relationships):
            to = reference(settings.to, located.span(*inside, "to"), self.known, self.diagnostics)
            if to is not None and to in self.catalog.columns:
                there = [c.name for c in self.catalog.columns[to]]
                field = self._column(settings.field, there, to.partition(":")[2], located.span(*inside, "field"))
        if isinstance(settings, spec.ExpressionIsTrue):
            condition = self.condition(id_, located, (*inside, "expression"), about[0] if about else None)
        where = self.condition(id_, located, (*said, "config", "where"), None) if settings.config.where is not None else None
        values = settings.values if isinstance(settings, spec.AcceptedValues) else ()
        name = settings.name or "_".join((kind, owner.replace(".", "_"), *about))
        return Test(kind, about, name, values, to, field, condition, where, settings.config.severity, located.span(*at))  # type: ignore[arg-type]

    def _column(self, name: str, names: Collection[str], owner: str, at: Span) -> str:
        return find(name, names, owner, at, self.diagnostics)

    def condition(self, id_: str, located: Located[Any], loc: Loc, column: str | None) -> exp.Expr | None:
        """`amount >= 0` → the analysed condition, its columns those of t; of a column, `>= 0` is one."""
        assert located.tree is not None, "what is written stands in a file"
        text = located.tree.sql((*located.loc, *loc))
        project = self.known.specs.project.spec
        before = f"SELECT 1 AS one FROM {texts.symbol(id_, self.known)} AS t WHERE ("
        if column is not None:
            before += f"t.{texts.quoted(column, self.known)} "
        rendered = texts.render_condition(text, id_, self.known, self.diagnostics)
        if rendered is None:
            return None
        if column is not None and (word := re.match(r"\s*([A-Za-z_]\w*)", rendered.sql)) and word[1].lower() not in _OPERATORS:
            help = f"write what follows {column}, such as '>= 0'; or move the test to the data_tests: of the whole relation"
            self.diagnostics.error("C307", "the expression of a column begins with an operator", text.span(0, 1), help)
            return None

        def locate(start: int, end: int) -> Span:
            at = rendered.origin(max(0, min(start - len(before), len(rendered.sql))))
            return text.span(at, max(at + 1, at + end - start))

        found = analyse(
            f"{before}{rendered.sql}\n)", project.sql_dialect, self.catalog, locate, self.diagnostics,
            translate=self.known.specs.other_dialects, functions=project.functions,
        )  # fmt: skip
        if found is None:
            return None
        where = found.tree.args.get("where")
        parts = {key for key, value in found.tree.args.items() if value}
        if where is None or not isinstance(found.tree, exp.Select) or parts - {"expressions", "from_", "where"}:
            self.diagnostics.error("C307", "this is not one condition", text.span(0, 1), "write what must be true, such as amount >= 0")
            return None
        if several := next((n for n in where.find_all(exp.AggFunc, exp.Window) if n.parent_select is found.tree), None):
            help = "compare with a subquery, or test a model that aggregates"
            self.diagnostics.error("C307", "a condition looks at one row, this at several", place(several, locate), help)
            return None
        if not syntax.sound(found.tree, lambda node: place(node, locate), self.diagnostics):
            return None
        condition: exp.Expr = where.this.unnest()
        return condition


def _same(one: Test, other: Test) -> bool:
    """Whether somebody wrote a test twice, under data_tests and tests for example."""
    renamed = dataclasses.replace(one, name=other.name)
    return renamed == other and (one.condition, one.where) == (other.condition, other.where)


def _written(item: Any, loc: Loc) -> Iterator[tuple[spec.Column | None, spec.DataTest, Loc]]:
    for index, test in enumerate(item.data_tests):
        yield None, test, (*loc, "data_tests", index)
    for number, column in enumerate(item.columns):
        for word in ("data_tests", "tests"):
            for index, test in enumerate(getattr(column, word)):
                yield column, test, (*loc, "columns", number, word, index)
