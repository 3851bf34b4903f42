"""Snowflake text → procedures: sqlfluff's parse tree of the file, then of every $$ body."""

from __future__ import annotations

import functools
import re
from typing import Any

from sqlfluff.core import FluffConfig, Linter

from tests.warehouse.program import (
    Assign,
    Block,
    Call,
    Declare,
    DeclareError,
    If,
    Immediate,
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

LINTER = Linter(config=FluffConfig(overrides={"dialect": "snowflake", "templater": "raw"}))
SQL = {
    "insert_statement",
    "update_statement",
    "delete_statement",
    "merge_statement",
    "truncate_table",
    "truncate_statement",
    "create_table_statement",
    "create_table_as_statement",
    "drop_table_statement",
    "select_statement",
    "with_compound_statement",
    "alter_table_statement",
}


PIECE = re.compile(r"(?:\$\$.*?\$\$|'(?:[^'\\]|\\.)*+'|--[^\n]*|[^;'$-]+|[$-])*+;", re.S)
BLANK = re.compile(r"(?:\s+|--[^\n]*)*+")
"""Blanks and comments before a statement."""


NAME = re.compile(r"CREATE OR REPLACE PROCEDURE ([^\s(]+)")


def read(text: str) -> list[Unread]:
    found = [(NAME.match(piece), piece, line) for piece, line in pieces(text)]
    return [Unread(name[1].lower(), functools.partial(procedure, piece, line)) for name, piece, line in found if name]


def pieces(text: str) -> list[tuple[str, int]]:
    """The statements of a file, and the line on which each begins. They are read one by one, since two builds of a project share most."""
    found, behind = [], 0
    for match in PIECE.finditer(text):
        start = blank(text, match.start())
        found.append((text[start : match.end()], text.count("\n", 0, start) + 1))
        behind = blank(text, match.end())
    assert not text[behind:], "text behind the last statement"
    return found


def blank(text: str, at: int) -> int:
    """Where what is blank from there on ends."""
    match = BLANK.match(text, at)
    assert match is not None
    return match.end()


def procedure(text: str, line: int) -> Procedure:
    """A procedure that begins on a line of its file; what stands above it may change, and it is not read again."""
    found: Procedure = shifted(procedure_of(text), line - 1)
    return found


@kept("sqlfluff")
def procedure_of(text: str) -> Procedure:
    (node,) = parse(text).recursive_crawl("create_procedure_statement")
    name = next(node.recursive_crawl("function_name")).raw.lower()
    header, _, rest = node.raw.partition("$$")
    body = rest.rpartition("$$")[0]
    return Procedure(name, tuple(parameters_of(node)), block_of(parse(body), header.count("\n")))


@functools.cache
def statement(text: str) -> tuple[Node | None, str]:
    """A statement without its semicolon; of an anonymous block, what it does. Only blocks need sqlfluff here: judges read the rest."""
    if not text.upper().startswith("EXECUTE IMMEDIATE"):
        return None, text.rstrip().removesuffix(";").rstrip()
    (found,) = parse(text).recursive_crawl("statement", recurse_into=False)
    return block_of(parse(found.raw.partition("$$")[2].rpartition("$$")[0]), 0), found.raw


@functools.lru_cache(maxsize=16)
def parse(text: str) -> Any:
    parsed = LINTER.parse_string(text)
    if parsed.violations:
        raise SyntaxError("; ".join(str(v) for v in parsed.violations))
    return parsed.tree


def parameters_of(node: Any) -> list[Parameter]:
    listed = next(node.recursive_crawl("function_parameter_list"))
    inner = listed.raw.strip()[1:-1].strip()
    parts = re.split(r",(?![^(]*\))", inner) if inner else []
    split = [p.split(None, 1) for p in map(str.strip, parts)]
    found = []
    for name, rest in split:
        type_, _, default = re.sub(r"(?i)\s+default\s+", "\0", rest).partition("\0")
        found.append(Parameter(name.lower(), type_.strip(), default=default.strip() or None))
    return found


def code(node: Any) -> list[Any]:
    return [s for s in node.segments if s.is_code and not s.is_meta]


def block_of(tree: Any, offset: int) -> Block:
    """A file of one optional DECLARE and one BEGIN … END → Block."""
    body: list[Node] = []
    block = None
    for statement in tree.recursive_crawl("statement", recurse_into=False):
        (node,) = code(statement)
        if node.is_type("scripting_declare_statement"):
            body += declarations(node, offset)
        elif node.is_type("scripting_block_statement"):
            block = statement_of(node, offset)
        else:
            raise Unsupported(f"line {line_of(node, offset)}: {node.type} outside BEGIN … END")
    assert isinstance(block, Block)
    return Block(block.line, tuple(body) + block.body, block.handlers)


def line_of(node: Any, offset: int) -> int:
    line: int = node.pos_marker.source_position()[0]
    return line + offset


def declarations(node: Any, offset: int) -> list[Node]:
    out: list[Node] = []
    part: list[Any] = []
    for s in [*code(node)[1:], None]:
        if s is not None and s.raw != ";":
            part.append(s)
            continue
        if part:
            words = [p.raw.upper() for p in part]
            line = line_of(part[0], offset)
            name = part[0].raw.lower()
            if words[1] == "EXCEPTION":
                message = part[2].raw.partition("'")[2].rpartition("'")[0]
                out.append(DeclareError(line, name, message.replace("''", "'")))
            else:
                type_ = next((p.raw for p in part if p.is_type("data_type")), None)
                value = next((p.raw for p in part if p.is_type("expression")), None)
                if "CURSOR" in words or "RESULTSET" in words:
                    raise Unsupported(f"line {line}: {' '.join(words)}")
                out.append(Declare(line, (name,), type_, value))
        part = []
    return out


def statement_of(node: Any, offset: int) -> Node:
    line = line_of(node, offset)
    kids = code(node)

    def inner(segments: list[Any]) -> tuple[Node, ...]:
        return tuple(statement_of(code(s)[0], offset) for s in segments if s.is_type("statement"))

    if node.is_type("select_statement"):
        return select(node, line)
    if node.is_type("transaction_statement"):
        return Transaction(line, kids[0].raw.lower().replace("start", "begin"))
    if node.is_type("execute_immediate_clause"):
        return Immediate(line, node.raw.split(None, 2)[2].strip())
    if node.is_type("call_segment", "call_statement"):
        contents = next(node.recursive_crawl("function_contents"))
        arguments = tuple(s.raw for s in code(next(contents.recursive_crawl("bracketed"))) if s.is_type("expression"))
        into = tuple(s.raw.lstrip(":").lower() for s in kids if s.is_type("bind_variable"))
        return Call(line, next(node.recursive_crawl("function_name")).raw.lower(), arguments, into)
    if node.type in SQL:
        return Sql(line, node.raw)
    if node.is_type("scripting_let_statement"):
        value = next(s.raw for s in kids if s.is_type("expression"))
        if kids[0].raw.upper() != "LET":
            return Assign(line, (kids[0].raw.lower(),), value)
        type_ = next((s.raw for s in kids if s.is_type("data_type")), None)
        return Declare(line, (kids[1].raw.lower(),), type_, value)
    if node.is_type("scripting_block_statement"):
        handlers: list[tuple[set[str], list[Node]]] = []
        for clause in (s for s in kids if s.is_type("exception_block_statement")):
            names: set[str] = set()
            for s in code(clause):
                if s.raw.upper() == "WHEN":
                    names = set()
                    handlers.append((names, []))
                elif s.is_type("object_reference"):
                    names.add(s.raw.lower())
                elif s.is_type("statement"):
                    handlers[-1][1].append(statement_of(code(s)[0], offset))
        return Block(line, inner(kids), tuple((frozenset(n), tuple(b)) for n, b in handlers))
    if node.is_type("scripting_if_statement"):
        arms: list[tuple[str | None, list[Node]]] = []
        for s in kids:
            if s.raw.upper() in ("IF", "ELSEIF", "ELSE") and s.is_type("keyword"):
                arms.append((None, []))
            elif s.is_type("bracketed", "expression") and arms[-1][0] is None and not arms[-1][1]:
                arms[-1] = (s.raw, arms[-1][1])
            elif s.is_type("statement"):
                arms[-1][1].append(statement_of(code(s)[0], offset))
        return If(line, tuple((c, tuple(b)) for c, b in arms if b))
    if node.is_type("loop_statement"):
        return Loop(line, None, inner(kids))
    if node.is_type("while_statement"):
        return Loop(line, next(s.raw for s in kids if s.is_type("bracketed", "expression")), inner(kids))
    if node.is_type("scripting_break_statement", "break_statement", "continue_statement"):
        return Jump(line, "continue" if kids[0].raw.upper() in ("CONTINUE", "ITERATE") else "break")
    if node.is_type("return_statement"):
        return Return(line, next((s.raw for s in kids if s.is_type("expression")), None))
    if node.is_type("scripting_raise_statement"):
        return Raise(line, error=kids[1].raw.lower() if len(kids) > 1 else None)
    raise Unsupported(f"line {line}: {node.type}: {node.raw[:60]!r}")


def select(node: Any, line: int) -> Sql:
    """SELECT a, b INTO :x, :y FROM t → the SELECT without INTO, and (x, y)."""
    clause = next(node.recursive_crawl("into_clause", no_recursive_seg_type=["bracketed", "from_clause"]), None)
    if clause is None:
        return Sql(line, node.raw)
    start = clause.pos_marker.source_slice.start - node.pos_marker.source_slice.start
    text = node.raw[:start] + node.raw[start + len(clause.raw) :]
    names = [n.strip() for n in re.sub(r"(?i)^\s*into\s", "", clause.raw).split(",")]
    if not all(n.startswith(":") for n in names):
        raise SyntaxError(f"line {line}: INTO wants :variables, not {names}")
    return Sql(line, text, tuple(n[1:].lower() for n in names))
