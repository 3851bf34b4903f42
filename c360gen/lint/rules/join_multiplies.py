"""A join whose other side may have several rows repeats rows of the key."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from c360gen.lint.project import Finding, Linted, conditions, history_of, unique_by_tests
from c360gen.project.nodes import Snapshot

CODE, TITLE, LEVEL = "L206", "a join that multiplies rows of the key", "error"


def check(project: Linted) -> Iterator[Finding]:
    for node, _ in project.models("table", "incremental"):
        keys = [set(node.key)] if node.key else [set(key) for key in unique_by_tests(node)]
        scopes = traverse_scope(node.query("").first)
        select = scopes[-1].expression if scopes else None
        if not keys or not isinstance(select, exp.Select) or select.args.get("group") or select.args.get("distinct"):
            continue
        taken = {value.alias_or_name: column for value in select.selects if isinstance(column := value.unalias(), exp.Column)}
        tables = {taken[name].table for key in keys for name in key if name in taken}
        for join in select.args.get("joins") or ():
            alias = join.alias_or_name
            entry = scopes[-1].selected_sources.get(alias)
            if entry is None or alias in tables or join.args.get("kind") in ("SEMI", "ANTI"):
                continue
            source = entry[1]
            known = project.keys_of(source, alias, [*conditions(select), *_conditions(join)])
            joined = {c.name for c in _equal(join, alias)}
            history = history_of(project, source)
            if not known or any(key <= joined for key in known) or (history is not None and _at_a_time(join, select, alias, history)):
                continue
            best = min(known, key=lambda k: (len(k - joined), sorted(k)))
            by = " and ".join(sorted(joined)) or "nothing"
            unique = ", ".join(sorted(best))
            message = f"{node.name}: {alias} is joined by {by}, but its rows are unique by {unique} only: rows of the key repeat"
            help = "join one row per key: aggregate first, pick the latest with ROW_NUMBER, or complete the condition"
            if history is not None:
                help = f"read open versions only ({history.valid_to} IS NULL), or those that held at a time of the row"
            yield Finding(message, project.place(node, join.this), help)


def _conditions(join: exp.Join) -> list[exp.Expr]:
    on = join.args.get("on")
    return list(on.flatten()) if isinstance(on, exp.And) else [on] if on is not None else []


def _equal(join: exp.Join, alias: str) -> Iterator[exp.Column]:
    """The columns of `alias` that ON compares with something that does not come from it."""
    for condition in _conditions(join):
        if isinstance(condition, exp.EQ):
            for one, other in ((condition.this, condition.expression), (condition.expression, condition.this)):
                if isinstance(one, exp.Column) and one.table == alias and alias not in {c.table for c in other.find_all(exp.Column)}:
                    yield one


def _at_a_time(join: exp.Join, select: exp.Select, alias: str, history: Snapshot) -> bool:
    """valid_from <= t AND …: one version per key, as a point-in-time join has it."""
    compared = [c for part in [*_conditions(join), *conditions(select)] for c in part.find_all(exp.Column) if c.table == alias]
    return history.valid_from in {c.name for c in compared}
