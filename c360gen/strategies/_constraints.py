"""Constraints: declared where the engine has them; what it does not enforce, the run looks at before its commit."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step
from c360gen.ops.schema import CreateTable, TableConstraint, Traits
from c360gen.project.nodes import Constraint, Node, Snapshot, Source
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _sql
from c360gen.strategies._history.versions import is_live
from c360gen.strategies._sql import any_of, equal, every, greater_than_zero, is_null, named, not_null, star_count
from c360gen.terms.symbols import column, relation, variable


def applied(plan: Artefacts, node: Node, project: Resolved, traits: Traits) -> Artefacts:
    """The plan of a node with its constraints in its table and, where the engine would not notice, in its run."""
    found = [*_key(node), *node.constraints]
    if not found:
        return plan
    objects = tuple(_declared(op, node, project) if isinstance(op, CreateTable) and op.kind == "ref" else op for op in plan.objects)
    checked = [c for c in found if isinstance(node, Snapshot) or c.kind not in traits.enforces]
    if plan.program is None or not checked:
        return replace(plan, objects=objects)
    steps: list[Step] = [s for c in checked for s in _checked(node, project, c)]
    program = replace(
        plan.program, steps=(*plan.program.steps, *steps), rules=(*plan.program.rules, *_rules(node, checked)),
    )  # fmt: skip
    return replace(plan, objects=objects, program=program)


def _key(node: Node) -> list[Constraint]:
    """The key of a table that a run fills anew: other strategies look at theirs before they write."""
    if node.strategy != "table" or not node.key or any(c.kind == "primary_key" for c in node.constraints):
        return []
    return [Constraint("primary_key", node.key, f"{node.identifier}_pk")]


def _declared(table: CreateTable, node: Node, project: Resolved) -> CreateTable:
    """A history has the same key in many versions: what holds for open ones is nothing that a table can declare."""
    if isinstance(node, Snapshot):
        return table
    must = {c for one in node.constraints if one.kind in ("not_null", "primary_key") for c in one.columns}
    primary = next((c.columns for c in node.constraints if c.kind == "primary_key"), ())
    return replace(
        table, columns=tuple(replace(c, not_null=c.not_null or c.name in must) for c in table.columns),
        primary_key=table.primary_key or primary,
        constraints=tuple(
            TableConstraint(c.kind, c.name, c.columns, c.condition, c.to, c.to_columns)
            for c in node.constraints
            if c.kind in ("unique", "check") or (c.kind == "foreign_key" and _is_key(project.relation(str(c.to)), c))
        ),
    )  # fmt: skip


def _is_key(parent: Node | Source, constraint: Constraint) -> bool:
    """Whether the columns that a foreign key looks into are declared as a primary key: engines want that of a declaration."""
    if not isinstance(parent, Node) or parent.kind not in ("table", "incremental"):
        return False
    keys = [c.columns for c in parent.constraints if c.kind == "primary_key"]
    keys += [parent.key] if parent.strategy in ("merge", "table") else []
    return constraint.to_columns in keys


def _rules(node: Node, checked: list[Constraint]) -> list[str]:
    whose = "open versions" if isinstance(node, Snapshot) else "rows"
    return [f"before the commit all {whose} must keep: {', '.join(c.name for c in checked)}"] if checked else []


def _checked(node: Node, project: Resolved, constraint: Constraint) -> list[Step]:
    """Count what breaks it, and fail with up to five keys."""
    broken, what = _broken(node, project, constraint)
    counted = exp.select(star_count("violating_rows")).from_(broken.subquery("b"))
    key = [exp.cast(column(n, "b"), "text") for n in broken.named_selects]
    sample = exp.select(named(_sql.concat(*key, separator=", "), "c360_key")).from_(broken.copy().subquery("b"))
    whose = "open versions" if isinstance(node, Snapshot) else "rows"
    unit = f"values of {', '.join(constraint.columns)}" if constraint.kind in ("unique", "primary_key") else whose
    return [
        Count(f"Constraint {constraint.name}: {what}.", ("violating_rows",), counted),
        Guard("ZC021", "The engine itself does not look at it.", greater_than_zero("violating_rows"),
              (variable("violating_rows"), f" {unit} break the constraint {constraint.name}: {what}"), _sql.sample(sample),
              "Nothing was written. Mend the rows in the source, or take the constraint away."),
    ]  # fmt: skip


def _broken(node: Node, project: Resolved, constraint: Constraint) -> tuple[exp.Select, str]:
    """SELECT what names a row, of every row that breaks the constraint; and the constraint in words."""
    columns = [column(c, "t") for c in constraint.columns]
    listed = ", ".join(constraint.columns)
    rows = exp.select(*_names(node, constraint)).from_(relation("ref", node.name, "t"))
    if isinstance(node, Snapshot):
        rows = rows.where(is_live(node, "t"))
    if constraint.kind == "not_null":
        return rows.where(is_null(columns[0])), f"{listed} is never NULL"
    if constraint.kind == "check":
        assert constraint.condition is not None
        return rows.where(exp.Not(this=exp.paren(constraint.condition.copy()))), _in_words(constraint.condition)
    if constraint.kind == "foreign_key":
        kind, _, name = str(constraint.to).partition(":")
        other = relation("source" if kind == "source" else "ref", name, "p")
        same = every(equal(column(theirs, "p"), ours.copy()) for theirs, ours in zip(constraint.to_columns, columns, strict=True))
        there = exp.select(exp.Literal.number(1)).from_(other).where(same)
        parent = project.relation(str(constraint.to))
        if isinstance(parent, Snapshot):
            there = there.where(is_live(parent, "p"))
        missing = rows.where(*(not_null(c.copy()) for c in columns), exp.Not(this=exp.Exists(this=there)))
        return missing, f"{listed} is in {name}"
    known = [] if constraint.kind == "primary_key" else [not_null(c.copy()) for c in columns]
    found = rows.where(*known).group_by(*(c.copy() for c in columns))
    several = _sql.several()
    if constraint.kind == "primary_key":
        several = any_of([several, *(is_null(c.copy()) for c in columns)])
    return found.having(several), f"{listed} is unique" + (" and never NULL" if constraint.kind == "primary_key" else "")


def _in_words(condition: exp.Expr) -> str:
    """A condition as it was meant, without the alias of the table."""
    said = condition.copy()
    for one in said.find_all(exp.Column):
        one.set("table", None)
    return said.sql()


def _names(node: Node, constraint: Constraint) -> list[exp.Expr]:
    """The key of the row, or the values that occur twice."""
    if constraint.kind in ("unique", "primary_key") or not node.key:
        shown = constraint.columns or tuple(dict.fromkeys(c.name for c in constraint.condition.find_all(exp.Column)))  # type: ignore[union-attr]
    else:
        shown = node.key
    return [named(_text(column(c, "t")), f"c360_key_{n}") for n, c in enumerate(shown, 1)]


def _text(at: exp.Column) -> exp.Expr:
    return exp.func("COALESCE", exp.cast(at, "text"), _sql.literal("NULL"))
