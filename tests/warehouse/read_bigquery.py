"""BigQuery script text → procedures, by Google's own GoogleSQL parser (pip zetasql)."""

from __future__ import annotations

import functools
import re
from typing import Any

from c360gen.judges import googlesql
from tests.warehouse.program import (
    Assign,
    Block,
    Call,
    Declare,
    If,
    Jump,
    Loop,
    Node,
    Parameter,
    Procedure,
    Raise,
    Return,
    Sql,
    Transaction,
    Unread,
    Unsupported,
    kept,
    shifted,
)

GOOGLE = googlesql.library()
LANGUAGE = googlesql.language(GOOGLE)
Parser = GOOGLE.api.Parser
SQL = {
    "ASTInsertStatement",
    "ASTUpdateStatement",
    "ASTDeleteStatement",
    "ASTMergeStatement",
    "ASTTruncateStatement",
    "ASTCreateTableStatement",
    "ASTDropStatement",
    "ASTQueryStatement",
    "ASTAlterTableStatement",
    "ASTAssertStatement",
}
TRANSACTION = {"ASTBeginStatement": "begin", "ASTCommitStatement": "commit", "ASTRollbackStatement": "rollback"}


PROCEDURE = re.compile(r"^CREATE OR REPLACE PROCEDURE ([^\s(]+).*?^END;$", re.M | re.S)


def read(text: str) -> list[Unread]:
    found = PROCEDURE.finditer(text)
    return [Unread(m[1].replace("`", "").lower(), functools.partial(procedure, m[0], text.count("\n", 0, m.start()))) for m in found]


def procedure(text: str, above: int) -> Procedure:
    """A procedure with so many lines above it; what stands there may change, and it is not read again."""
    found: Procedure = shifted(procedure_of(text), above)
    return found


@kept("zetasql")
def procedure_of(text: str) -> Procedure:
    (found,) = Reader(text).procedures()
    return found


@functools.lru_cache(maxsize=64)
def others(text: str) -> Reader:
    """What a file says beside its procedures."""
    return Reader(PROCEDURE.sub(lambda m: "\n" * m[0].count("\n"), text))


class Reader:
    def __init__(self, text: str):
        self.raw = text.encode()
        self.script = Parser.parse_script_static(text, LANGUAGE)

    def text(self, node: Any) -> str:
        at = node.parse_location_range
        return self.raw[at.start : at.end].decode()

    def name(self, node: Any) -> str:
        return self.text(node).replace("`", "").lower()

    def maybe(self, node: Any) -> str | None:
        return None if node is None else self.text(node)

    def procedures(self) -> list[Procedure]:
        return [
            self.procedure(s) for s in self.script.statement_list_node.statement_list if type(s).__name__ == "ASTCreateProcedureStatement"
        ]

    def procedure(self, node: Any) -> Procedure:
        def parameter(p: Any) -> Parameter:
            first = self.text(p).split()[0].lower()
            return Parameter(self.name(p.name), self.text(p.type), first if first in ("in", "out", "inout") else "in")

        block = self.statement(node.body.statement_list_node.statement_list[0])
        assert isinstance(block, Block)
        return Procedure(self.name(node.name), tuple(map(parameter, node.parameters.parameter_entries)), block)

    def body(self, statement_list: Any) -> tuple[Node, ...]:
        nodes = tuple(self.statement(s) for s in statement_list.statement_list)
        late = [a for a, b in zip(nodes[1:], nodes) if isinstance(a, Declare) and not isinstance(b, Declare)]
        if late:
            raise SyntaxError(f"line {late[0].line}: DECLARE after another statement")
        return nodes

    def statement(self, node: Any) -> Node:
        kind = type(node).__name__
        line = self.raw[: node.parse_location_range.start].count(b"\n") + 1

        def names(listed: Any) -> tuple[str, ...]:
            return tuple(self.name(i) for i in listed.identifier_list)

        if kind in SQL:
            return Sql(line, self.text(node))
        if kind in TRANSACTION:
            return Transaction(line, TRANSACTION[kind])
        if kind == "ASTBeginEndBlock":
            handlers = node.handler_list.exception_handler_list if node.handler_list else []
            return Block(
                line, self.body(node.statement_list_node), tuple((frozenset({"error"}), self.body(h.statement_list)) for h in handlers)
            )
        if kind == "ASTVariableDeclaration":
            return Declare(line, names(node.variable_list), self.maybe(node.type), self.maybe(node.default_value))
        if kind == "ASTSingleAssignment":
            return Assign(line, (self.name(node.variable),), self.text(node.expression))
        if kind == "ASTAssignmentFromStruct":
            return Assign(line, names(node.variables), self.text(node.struct_expression))
        if kind == "ASTIfStatement":
            arms: list[tuple[str | None, tuple[Node, ...]]] = [(self.text(node.condition), self.body(node.then_list))]
            arms += [
                (self.text(c.condition), self.body(c.body)) for c in (node.elseif_clauses.elseif_clauses if node.elseif_clauses else [])
            ]
            arms += [(None, self.body(node.else_list))] if node.else_list else []
            return If(line, tuple(arms))
        if kind == "ASTWhileStatement":  # LOOP parses as WHILE without a condition
            return Loop(line, self.maybe(getattr(node, "condition", None)), self.body(node.body))
        if kind in ("ASTBreakStatement", "ASTContinueStatement"):
            return Jump(line, "break" if "Break" in kind else "continue")
        if kind == "ASTReturnStatement":
            return Return(line, None)
        if kind == "ASTRaiseStatement":
            return Raise(line, message=self.maybe(node.message))
        if kind == "ASTCallStatement":
            return Call(line, self.name(node.procedure_name), tuple(self.text(a) for a in node.arguments))
        raise Unsupported(f"line {line}: {kind}")
