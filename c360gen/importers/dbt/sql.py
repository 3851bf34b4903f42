"""The SQL of dbt as that of a model: where it says no more than our words it stays as it is, else it is what dbt has compiled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import jinja2
from jinja2 import meta, nodes

from c360gen.importers.dbt.artifacts import Node

WORDS = frozenset({"ref", "source", "this", "is_incremental", "var"})
"""What a template may say here as well. config() is said in YAML."""
_CTE = "__dbt__cte__"
_WITH = re.compile(r"\bwith\s*$", re.I)
_NAME = r"""\s*(?:'[^'"]+'|"[^'"]+")\s*"""
_ALL_OF = re.compile(rf"select\s+\*\s+from\s+\{{\{{-?\s*((?:ref\({_NAME}\)|source\({_NAME},{_NAME}\)))\s*-?\}}\}}\s*;?", re.I)
_OF_A_PACKAGE = re.compile(rf"\bref\({_NAME},({_NAME})\)")


@dataclass(frozen=True)
class Taken:
    """What became of the SQL of a node."""

    text: str
    variables: tuple[tuple[str, bool], ...] = ()
    """Every var() of it, and whether it has a default."""
    expanded: tuple[str, ...] = ()
    """What it said besides our words, for which dbt's compiled SQL was taken."""
    problem: str | None = None
    """Why it cannot be taken over as it is."""


def take(node: Node, relations: Mapping[str, str]) -> Taken:
    """`relations`: how each relation that the node reads is called in the database → ref('…') or source('…', '…')."""
    raw = without_config(node.raw_code)
    try:
        tree = _environment().parse(raw)
    except jinja2.TemplateError as error:
        return _compiled(node, relations, (str(error),))
    foreign = _foreign(tree)
    if foreign:
        return _compiled(node, relations, foreign)
    return Taken(_tidy(_OF_A_PACKAGE.sub(lambda found: f"ref({found[1].strip()})", raw)), _variables(tree))


def relation_of(sql: str) -> str | None:
    """select * from {{ ref('customers') }} → ref('customers'), which a snapshot says as its relation."""
    found = _ALL_OF.fullmatch(sql.strip())
    return found[1] if found else None


def without_config(raw: str) -> str:
    """The template without its {{ config(…) }}."""
    out: list[str] = []
    block: list[tuple[str, str]] | None = None
    for _, kind, value in _environment().lex(raw):
        if kind == "variable_begin":
            block = []
        if block is None:
            out.append(value)
            continue
        block.append((kind, value))
        if kind == "variable_end":
            first = next((v for k, v in block if k == "name"), "")
            if first != "config":
                out += [v for _, v in block]
            block = None
    return "".join(out)


def _environment() -> jinja2.Environment:
    return jinja2.Environment(extensions=["jinja2.ext.do"], keep_trailing_newline=True)


def _foreign(tree: nodes.Template) -> tuple[str, ...]:
    """What a template says besides our words: names, parts of `this`, versions of a model."""
    found = meta.find_undeclared_variables(tree) - WORDS
    parts: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    if any(isinstance(part.node, nodes.Name) and part.node.name == "this" for part in parts):
        found.add("a part of this")
    if any(call.kwargs for call in _calls(tree, "ref")):
        found.add("a version of a model")
    return tuple(sorted(found))


def _calls(tree: nodes.Template, name: str) -> list[nodes.Call]:
    return [c for c in tree.find_all(nodes.Call) if isinstance(c.node, nodes.Name) and c.node.name == name]


def _variables(tree: nodes.Template) -> tuple[tuple[str, bool], ...]:
    found = []
    for call in _calls(tree, "var"):
        first = call.args[0] if call.args else None
        if isinstance(first, nodes.Const):
            found.append((str(first.value), len(call.args) > 1 or bool(call.kwargs)))
    return tuple(dict.fromkeys(found))


def _compiled(node: Node, relations: Mapping[str, str], foreign: tuple[str, ...]) -> Taken:
    """dbt's own text, in which relations become words again, and the CTEs of ephemeral models refs."""
    text = node.compiled_code
    if text is None:
        return Taken(_tidy(without_config(node.raw_code)), problem=f"it says {', '.join(foreign)}: run dbt compile, and import once more")
    if "{{" in text or "{%" in text or "{#" in text:
        return Taken(_tidy(text), problem="its compiled SQL has braces that would be taken for a template")
    if node.extra_ctes:
        injected = ", ".join(cte.sql for cte in node.extra_ctes)
        before, found, after = text.partition(injected)
        if not found:
            return Taken(_tidy(text), problem="its compiled SQL holds the text of ephemeral models: ref() them instead")
        rest = after.lstrip()
        text = before + rest[1:].lstrip() if rest.startswith(",") else _WITH.sub("", before.rstrip()) + after
        for name in sorted((cte.id.rpartition(".")[2] for cte in node.extra_ctes), key=len, reverse=True):
            text = re.sub(rf"\b{re.escape(_CTE + name)}\b", f"{{{{ ref('{name}') }}}}", text)
    for called in sorted(relations, key=len, reverse=True):
        text = text.replace(called, f"{{{{ {relations[called]} }}}}")
    return Taken(_tidy(text), expanded=foreign)


def _tidy(text: str) -> str:
    """Without empty lines around it, and never two in a row: what a template leaves behind where it says nothing."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).strip("\n")) + "\n"
