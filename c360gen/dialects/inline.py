"""Relations without a name in the database, ephemeral models and the SQL of snapshots: their queries become CTEs of what reads them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from c360gen.project.nodes import Node
from c360gen.terms import symbols


def inline(root: exp.Expr, nodes: Mapping[str, Node], dialect: str) -> None:
    """SELECT … FROM "ref"."recent" AS r → WITH c360_recent AS (SELECT …) SELECT … FROM c360_recent AS r.

    The CTE stands in front of the whole statement's query, before the CTEs that read it. Its name is one that no user's can have.
    """
    names = {symbols.cut(f"{symbols.OWN_PREFIX}{name}"): name for name in nodes}  # in dependency order
    while found := next(((t, n) for t in root.find_all(exp.Table) if (n := _inlined(t, nodes))), None):
        table, node = found
        name = symbols.cut(f"{symbols.OWN_PREFIX}{node.name}")
        reader = _outermost(table)
        table.set("this", exp.to_identifier(name))
        table.set("db", None)
        ctes = reader.args.get("with_") or exp.With(expressions=[])
        reader.set("with_", ctes)
        if all(c.alias != name for c in ctes.expressions):
            query = node.query(dialect).first.copy()
            ctes.append("expressions", exp.CTE(this=query, alias=exp.TableAlias(this=exp.to_identifier(name))))
        ours = {c.alias: c for c in ctes.expressions if c.alias in names}
        others = [c for c in ctes.expressions if c.alias not in names]
        ctes.set("expressions", [*(ours[n] for n in names if n in ours), *others])


def _inlined(table: exp.Table, nodes: Mapping[str, Node]) -> Node | None:
    """What stands behind a relation, if it has no table; a rollback names nodes that the specs do not know any more, and those had one."""
    kind, name = symbols.symbol(table) or ("", "")
    return nodes[name] if kind == "query" or (kind == "ref" and name in nodes and not nodes[name].exists) else None


def _outermost(table: exp.Table) -> exp.Query:
    """The widest SELECT or UNION around a relation."""
    found: exp.Query | None = None
    around = table.parent
    while around is not None:
        if isinstance(around, exp.Select | exp.SetOperation):
            found = around
        around = around.parent
    assert found is not None, "what is inlined is only read"
    return found
