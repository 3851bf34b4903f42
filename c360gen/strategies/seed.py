"""A seed: its table, and the statements that put the rows of its CSV into it. Nothing to run: deploy does it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from sqlglot import exp

from c360gen.ops.schema import CreateTable, LoadSeed, Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _sql
from c360gen.terms import types
from c360gen.terms.symbols import relation
from c360gen.terms.types import T

CHUNK = 500
"""Rows of one INSERT: every engine takes them, and a person can still read one."""


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    table = CreateTable(kind="ref", name=node.name, columns=_sql.definitions(node), description=node.description)
    return Artefacts(objects=(table, load(node)))


def load(node: Node) -> LoadSeed:
    """DELETE FROM seed; INSERT INTO seed VALUES (…), …"""
    empty = exp.Delete(this=relation("ref", node.name), where=exp.Where(this=exp.true()))
    inserts = []
    for start in range(0, len(node.rows), CHUNK):
        chunk = node.rows[start : start + CHUNK]
        rows = [exp.Tuple(expressions=[_literal(v, c.type) for v, c in zip(row, node.columns, strict=True)]) for row in chunk]
        target = exp.Schema(this=relation("ref", node.name), expressions=[exp.to_identifier(c.name, quoted=True) for c in node.columns])
        inserts.append(exp.Insert(this=target, expression=exp.Values(expressions=rows)))
    return LoadSeed(node.name, _digest(node), empty, tuple(inserts))


def _digest(node: Node) -> str:
    """Of what is stored, not of the file: moving a column, or writing 1.50 for 1.5, loads nothing anew."""
    columns = [(c.name, types.text(_sql.known(c.type))) for c in node.columns]
    return hashlib.sha256(json.dumps([columns, node.rows], ensure_ascii=False).encode()).hexdigest()


def _literal(value: str | None, type_: exp.DataType | None) -> exp.Expr:
    """A value as a constant of its type, however the session reads dates."""
    kind = _sql.known(type_)
    if value is None:
        return exp.null()
    if kind.this in (T.TEXT, T.VARCHAR):
        return exp.Literal.string(value)
    if kind.this is T.BOOLEAN:
        return exp.convert(value == "true")
    if kind.this is T.TIMESTAMPTZ:
        return _sql.instant(dt.datetime.fromisoformat(value))
    if kind.this in (T.DOUBLE, T.DATE, T.TIMESTAMP):
        return exp.cast(exp.Literal.string(value), kind.copy())
    number = exp.Literal.number(value.removeprefix("-"))
    return exp.Neg(this=number) if value.startswith("-") else number
