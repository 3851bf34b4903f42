"""materialized: table. Every run replaces the contents in one transaction; the table itself stays."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Program, Step, Write
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _contract, _sql
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    names = [c.name for c in node.columns]
    rows = exp.select(*(column(n, "m") for n in names)).from_(node.query(dialect).first.copy().subquery("m"))
    everything = exp.Where(this=exp.true())
    size = exp.select(_sql.star_count("target_rows")).from_(relation("ref", node.name, "t"))
    steps: list[Step] = [
        Count("Count the rows that go.", ("target_rows",), size),
        Write("Empty the table; readers see its rows until the commit.",
              exp.Delete(this=relation("ref", node.name, "t"), where=everything), None, variable("target_rows"), "rows to remove"),
        Write("Fill it again.", _sql.insert(relation("ref", node.name), names, rows)),
        Count("Count the rows that came.", ("new_rows",),
              exp.select(_sql.star_count("new_rows")).from_(relation("ref", node.name, "t"))),
    ]  # fmt: skip
    program = Program(
        node=node.name, summary=f"Replaces the contents of {node.name} by its query",
        rules=("the old rows are visible until the commit; a failure leaves them in place",),
        steps=tuple(steps), checks=_contract.checks(node, project, traits),
        counters={"inserted_rows": variable("new_rows"), "deleted_rows": variable("target_rows")},
    )  # fmt: skip
    return Artefacts(objects=(_batch.table(node, unique=bool(node.key)), *_batch.indexes(node, key=False)), program=program)
