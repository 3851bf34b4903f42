"""What every engine refuses and a parser lets pass, and the words of a parser's complaint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlglot import exp
from sqlglot.errors import ParseError

from c360gen.diagnostics import Diagnostics, Span, did_you_mean
from c360gen.project.render import RENDERED

_WORDS = ("select", "with", "from", "where", "group", "order", "having", "join", "left", "union", "limit")


def told(error: ParseError, sql: str, dialect: str) -> tuple[str, str | None]:
    """sqlglot's finding in plain words, and a word that was probably misspelled."""
    found = error.errors[0]
    what = str(found.get("description") or "it cannot be parsed").rstrip(".").lower()
    word = str(found.get("highlight") or "").strip()
    if "unexpected token" in what:
        shown = "{{ … }}" if word.strip('"`').startswith(RENDERED) else word
        what = f"'{shown}' is not expected here" if shown else "it ends too early"
    elif incomplete := re.match(r"required keyword: '(\w+)' missing for <class '.*\.(\w+)'>", what):
        what = f"{incomplete[2].upper()} is not complete"
    elif what.startswith("expecting "):
        what = f"{what.removeprefix('expecting ')} is missing before '{word}'"
    if "`" in sql and dialect != "bigquery":
        return what, 'names that need quotes stand in "…" here'
    before = re.findall(r"[A-Za-z]+", sql)[:1] + re.findall(r"[A-Za-z]+", str(found.get("start_context") or ""))[-2:] + [word]
    for each in (w.lower() for w in before):
        near = [w for w in _WORDS if w[0] == each[:1] and not each.startswith(w) and abs(len(w) - len(each)) <= 1]
        if each not in _WORDS and (help := did_you_mean(each, near)):
            return what, help
    return what, None


def unclosed(sql: str) -> int:
    """Where a quote or a comment begins that does not end."""
    for sign in ("'", '"', "`"):
        if sql.count(sign) % 2:
            return sql.rfind(sign)
    return max(0, sql.rfind("/*"), sql.rfind("$$"))


def sound(tree: exp.Expr, place: Callable[[exp.Expr], Span], diagnostics: Diagnostics) -> bool:
    """Whether a qualified tree obeys the rules of grouping and of UNION, which no engine bends."""
    before = len(diagnostics.found)
    for union in tree.find_all(exp.SetOperation):
        left, right = (len(side.selects) for side in (union.left, union.right))
        if left != right:
            message = f"the parts of {union.key.upper()} give {left} and {right} columns"
            diagnostics.error("C306", message, place(union.right), "every part must give the same columns")
    for select in tree.find_all(exp.Select):
        where = select.args.get("where")
        for node in aggregates(where) if where is not None else ():
            help = "say it in HAVING, or filter in a SELECT around this one"
            diagnostics.error("C301", f"{node.sql_name().lower()}() cannot stand in WHERE", place(node), help)
        for window in where.find_all(exp.Window) if where is not None else ():
            if window.parent_select is select:
                help = "filter in a SELECT around this one"
                diagnostics.error("C301", "a window function cannot stand in WHERE", place(window), help)
        for column in _ungrouped(select):
            help = f"add it to GROUP BY, or say which of its values: max({column.name})"
            diagnostics.error("C301", f"{column.name} is neither grouped nor inside an aggregate", place(column), help)
    return len(diagnostics.found) == before


def aggregates(tree: exp.Expr) -> Iterator[exp.AggFunc]:
    """Aggregates of this SELECT: not those of subqueries, and not those over a window."""
    select = tree.parent_select if not isinstance(tree, exp.Select) else tree
    for node in tree.find_all(exp.AggFunc):
        if node.parent_select is select and not _over_a_window(node):
            yield node


def _over_a_window(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, _AROUND):
        parent = parent.parent
    return isinstance(parent, exp.Window)


_AROUND = (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)
"""What stands between an aggregate and its window, and holds columns that belong to it."""


def _ungrouped(select: exp.Select) -> list[exp.Column]:
    """Plain columns beside aggregates that GROUP BY does not name; nothing where it is more than a list of expressions."""
    group = select.args.get("group")
    if group is not None and any(value for key, value in group.args.items() if key != "expressions"):
        return []
    if group is None and not any(True for s in select.selects for _ in aggregates(s)):
        return []
    grouped = {key.sql() for key in group.expressions} if group is not None else set()
    relations = [select.args.get("from_"), *(select.args.get("joins") or ())]
    own = {r.this.alias_or_name for r in relations if r is not None}  # a name of a SELECT around this one is one value here
    return [column for s in select.selects for column in _loose(s.unalias(), grouped) if column.table in own]


def _loose(node: exp.Expr, grouped: set[str]) -> Iterator[exp.Column]:
    if node.sql() in grouped or isinstance(node, exp.Query | exp.Subquery | exp.Anonymous):
        return  # what a function of the user's own does is not known: it may be an aggregate
    if isinstance(node, exp.AggFunc | exp.Filter | exp.WithinGroup) and not _over_a_window(node):
        return
    if isinstance(node, exp.Column):
        if not isinstance(node.this, exp.Star):
            yield node
        return
    for child in node.iter_expressions():
        yield from _loose(child, grouped)
