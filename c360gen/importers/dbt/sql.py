"""The SQL of dbt as that of a model: where it says no more than our words it stays as it is, else it is what dbt has compiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes

from c360gen.importers.dbt.artifacts import Node
from c360gen.project import render

WORDS = frozenset({"ref", "source", "this", "is_incremental", "var"})
"""What a template may say here as well. config() is said in YAML."""
FROZEN = frozenset({
    "adapter", "builtins", "dbt_version", "env_var", "execute", "flags", "graph", "invocation_id", "modules", "run_query",
    "run_started_at", "schemas", "statement", "target", "thread_id",
})  # fmt: skip
"""What is asked when dbt compiles, and never again."""
_CTE = "__dbt__cte__"
_WITH = re.compile(r"\bwith\s*$", re.I)
_QUOTED = r"""\s*(?:'([^'"]+)'|"([^'"]+)")\s*"""
_ALL_OF = re.compile(r"select\s+\*\s+from\s+\{\{-?\s*((?:ref|source)\([^()]*\))\s*-?\}\}\s*;?", re.I)
_REF = re.compile(rf"\bref\({_QUOTED}(?:,{_QUOTED})?(?:,\s*(?:v|version)\s*=\s*['\"]?([\w.]+)['\"]?\s*)?\)")
_SOURCE = re.compile(rf"\bsource\({_QUOTED},{_QUOTED}\)")
_ASIDE = re.compile(r"('(?:[^']|'')*'|--[^\n]*|/\*.*?\*/)", re.S)
"""Literals and comments, in which nothing is a relation."""


@dataclass(frozen=True)
class Taken:
    """What became of the SQL of a node."""

    text: str
    variables: tuple[str, ...] = ()
    """Every var() of it."""
    expanded: tuple[str, ...] = ()
    """What it said besides our words, for which dbt's compiled SQL was taken."""
    problem: str | None = None
    """Why it cannot be taken over as it is."""


@dataclass(frozen=True)
class Around:
    """What a node's SQL is read with."""

    ref: Callable[[str, str, str], str | None]
    """(package, name, version) → ref('…')."""
    source: Callable[[str, str], str | None]
    relations: Mapping[str, str]
    """How each relation that the node reads is called in the database → its word."""
    ephemeral: Mapping[str, str]
    """How dbt calls the CTE of each ephemeral model → ref('…')."""
    variables: Mapping[str, Any]
    """Values that may stand under project: vars:."""


def take(node: Node, around: Around, first: Node | None = None) -> Taken:
    """`first`: the node as `dbt compile --full-refresh` left it, where the two differ by is_incremental()."""
    raw = without_config(node.raw_code)
    try:
        tree = render.environment().parse(raw)
        foreign = _foreign(tree)
        text = raw if foreign else renamed(raw, around)
        if not foreign:
            foreign = _tried(text, around.variables)
    except jinja2.TemplateError as error:
        return compiled(node, around, (_first_line(error),), first)
    if foreign:
        return compiled(node, around, foreign, first)
    return Taken(_tidy(text), _variables(tree))


def relation_of(sql: str) -> str | None:
    """select * from {{ ref('customers') }} → ref('customers'), which a snapshot says as its relation."""
    found = _ALL_OF.fullmatch(sql.strip())
    return found[1] if found else None


def without_config(raw: str) -> str:
    """The template without its {{ config(…) }}."""
    out: list[str] = []
    block: list[tuple[str, str]] | None = None
    for _, kind, value in render.environment().lex(raw):
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


# --- our words ----------------------------------------------------------------------------------------------------------


def _foreign(tree: nodes.Template) -> tuple[str, ...]:
    """What a template says besides our words: names, parts of relations, references that are computed."""
    found = meta.find_undeclared_variables(tree) - WORDS
    for call in (*_calls(tree, "ref"), *_calls(tree, "source")):
        values = [*call.args, *(k.value for k in call.kwargs)]
        if not all(isinstance(v, nodes.Const) for v in values):
            found.add("a computed reference")
    parts: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    for part in parts:
        inner = part.node.node if isinstance(part.node, nodes.Call) else part.node
        if isinstance(inner, nodes.Name) and inner.name in WORDS:
            found.add(f"a part of {inner.name}")
    return tuple(sorted(found))


def _tried(text: str, variables: Mapping[str, Any]) -> tuple[str, ...]:
    """What goes wrong when it is rendered with stand-ins, which is what the build will do."""
    words = render.Words(ref=lambda name: '"r"', source=lambda source, table: '"s"', this='"t"', variables=variables)
    try:
        for later in (False, True):
            render.render(text, words, later)
    except (render.BadReference, jinja2.TemplateError) as error:
        return (_first_line(error),)
    return ()


def renamed(text: str, around: Around) -> str:
    """Every reference by the name that it has here."""

    def ref(found: re.Match[str]) -> str:
        one, two = found[1] or found[2], found[3] or found[4]
        package, name = (one, two) if two else ("", one)
        return around.ref(package, name, found[5] or "") or found[0]

    def source(found: re.Match[str]) -> str:
        return around.source(found[1] or found[2], found[3] or found[4]) or found[0]

    return _SOURCE.sub(source, _REF.sub(ref, text))


def _calls(tree: nodes.Template, name: str) -> list[nodes.Call]:
    return [c for c in tree.find_all(nodes.Call) if isinstance(c.node, nodes.Name) and c.node.name == name]


def _variables(tree: nodes.Template) -> tuple[str, ...]:
    firsts = [call.args[0] for call in _calls(tree, "var") if call.args]
    return tuple(dict.fromkeys(str(first.value) for first in firsts if isinstance(first, nodes.Const)))


# --- what dbt has compiled ----------------------------------------------------------------------------------------------


def compiled(node: Node, around: Around, foreign: tuple[str, ...], first: Node | None = None) -> Taken:
    """dbt's own text, in which relations become words again, and the CTEs of ephemeral models refs."""
    if node.compiled_code is None:
        return Taken(_tidy(without_config(node.raw_code)), problem=f"it says {', '.join(foreign)}: run dbt compile, and import once more")
    later, problem = _words_again(node, node.compiled_code, around)
    branches = node.config.get("materialized") == "incremental" and re.search(r"\bis_incremental\b", node.raw_code)
    if problem or not branches:
        return Taken(later, expanded=foreign, problem=problem)
    how = "dbt compile --full-refresh --target-path target/full_refresh, and import once more"
    if first is None or first.compiled_code is None:
        return Taken(later, expanded=foreign, problem=f"of its is_incremental() the SQL of one branch alone is known: {how}")
    begun, problem = _words_again(first, first.compiled_code, around)
    if problem is None and begun == later:
        problem = "both manifests have the SQL of a first load: let dbt build it once, then compile it, and import once more"
    both = f"{{% if is_incremental() %}}\n{later}{{% else %}}\n{begun}{{% endif %}}\n"
    return Taken(begun if problem else both, expanded=foreign, problem=problem)


def _words_again(node: Node, text: str, around: Around) -> tuple[str, str | None]:
    """The text with our words, and what is wrong with it."""
    if "{{" in text or "{%" in text or "{#" in text:
        return _tidy(text), "its compiled SQL has braces that would be taken for a template"
    if node.extra_ctes:
        injected = ", ".join(cte.sql for cte in node.extra_ctes)
        before, found, after = text.partition(injected)
        if not found:
            return _tidy(text), "its compiled SQL holds the text of ephemeral models: ref() them instead"
        rest = after.lstrip()
        text = f"{before.rstrip()} {rest[1:].lstrip()}" if rest.startswith(",") else _WITH.sub("", before.rstrip()) + after.lstrip()
    words = {**around.relations, **around.ephemeral}
    if words:
        longest = sorted(words, key=len, reverse=True)
        any_of_them = re.compile(r'(?<![\w".`])(?:' + "|".join(map(re.escape, longest)) + r')(?![\w".`])')
        parts = _ASIDE.split(text)
        parts[::2] = [any_of_them.sub(lambda found: f"{{{{ {words[found[0]]} }}}}", part) for part in parts[::2]]
        text = "".join(parts)
    return _tidy(text), None


def _tidy(text: str) -> str:
    """Without empty lines around it, and never two in a row: what a template leaves behind where it says nothing."""
    parts = _ASIDE.split(text.strip())
    parts[::2] = [re.sub(r"[ \t]+\n", "\n", part) for part in parts[::2]]
    parts[::2] = [re.sub(r"\n{3,}", "\n\n", part) for part in parts[::2]]
    return "".join(parts).strip() + "\n"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
