"""The SQL of a model or a snapshot as written → queries by dialect, and the columns that they give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jinja2
from sqlglot import exp

from c360gen.diagnostics import Diagnostics, Span, did_you_mean, nearest, nearest_or_list
from c360gen.project import syntax
from c360gen.project.nodes import Column, Query
from c360gen.project.query import Analysed, Catalog, Locate, analyse, place
from c360gen.project.references import Known
from c360gen.project.render import RENDERED, SEPARATOR, BadReference, Rendered, Words, render
from c360gen.spec import models as spec
from c360gen.spec.load import Located, SqlText
from c360gen.terms import symbols, types

Item = Located[Any]
"""A model, or a snapshot with SQL of its own."""


def kind(located: Item) -> str:
    """view, ephemeral, table, incremental or snapshot."""
    return located.spec.config.materialized if isinstance(located.spec, spec.Model) else "snapshot"


def strategy(config: spec.ModelConfig) -> str:
    if config.materialized != "incremental":
        return config.materialized
    return (config.incremental_strategy or ("merge" if config.unique_key else "append")).replace("+", "_")


def reads(located: Item, known: Known, diagnostics: Diagnostics) -> tuple[str, ...] | None:
    """Every relation that any text names in any branch, or None when a text cannot be rendered."""
    found: dict[str, None] = {}
    for text in located.sql.values():
        for incremental in (False, True):
            if _render(text, _words(located, known, found), incremental, diagnostics) is None:
                return None
    found.pop(f"ref:{located.spec.name}", None)
    return tuple(sorted(found))


def resolve(
    located: Item, declared: Mapping[str, Column], catalog: Catalog, known: Known, diagnostics: Diagnostics
) -> tuple[dict[str, Query], tuple[Column, ...]]:
    """Every text, rendered for a first load and for an incremental run, analysed, and cast to what is declared."""
    own, project = f"ref:{located.spec.name}", known.specs.project.spec
    queries: dict[str, Query] = {}
    columns: tuple[Column, ...] = ()
    # `this` has the columns of the first load; only the incremental text may name it
    visible = Catalog({**catalog.columns, own: tuple(declared.values())})
    for name, text in located.sql.items():
        others = known.specs.other_dialects - {*located.sql}
        analysed, places = [], []
        for incremental in (False, True):
            words = _words(located, known, {})
            rendered = _render(text, words, incremental, diagnostics)
            if rendered is None or (incremental and "is_incremental" not in words.used):
                continue
            places.append(_locate(text, rendered))
            one = analyse(
                rendered.sql, name or project.sql_dialect, visible, places[-1], diagnostics,
                translate=() if name else others, functions=project.functions,
            )  # fmt: skip
            at = places[-1]
            if one and not syntax.sound(one.tree, lambda node, at=at: place(node, at), diagnostics):  # type: ignore[misc]
                one = None
            analysed += [one] if one else []
            if one and not incremental:
                visible = Catalog({**catalog.columns, own: _typed(located, one, declared, catalog, Diagnostics())})
        if not analysed:
            continue
        _not_itself(located, analysed, text, diagnostics)
        if not name or not columns:
            columns = _typed(located, analysed[0], declared, catalog, diagnostics)
        _same_columns(analysed, columns, text, diagnostics)
        if not name:
            _promised(located, analysed[0], declared, diagnostics)
        as_is, stored = kind(located) == "view" and not promises(located), kind(located) in ("table", "incremental")
        first, *rest = (one.tree if as_is else _final(one, columns, stored) for one in analysed)
        queries[name] = Query(first, rest[0] if rest else None, windowed="window" in words.used, places=tuple(places))
    return queries, columns


_NO_RUN = {
    "view": "a view has no run",
    "ephemeral": "an ephemeral model is read by views as well, which have no run",
    "snapshot": "what a snapshot reads must not depend on when it is read",
}


def symbol(id_: str, known: Known) -> str:
    """ref:orders → "/ref"."orders", as the project's dialect quotes it."""
    kind, _, name = id_.partition(":")
    return f"{quoted(RENDERED + kind, known)}.{quoted(name.replace('.', SEPARATOR), known)}"


def quoted(name: str, known: Known) -> str:
    """A name as the project's dialect quotes it."""
    return exp.to_identifier(name, quoted=True).sql(known.specs.project.spec.sql_dialect)


def render_condition(text: SqlText, id_: str, known: Known, diagnostics: Diagnostics) -> Rendered | None:
    """A condition over one relation, which may name others in subqueries."""

    def name(other: str) -> str:
        if bad := known.check(other):
            raise bad
        return symbol(other, known)

    words = Words(
        ref=lambda model: name(f"ref:{model}"), source=lambda source, table: name(f"source:{source}.{table}"), this=symbol(id_, known),
        variables=known.specs.project.spec.vars, no_run="a condition has no run",
    )  # fmt: skip
    return _render(text, words, False, diagnostics)


def _words(located: Item, known: Known, found: dict[str, None]) -> Words:
    def name(id_: str) -> str:
        if bad := known.check(id_):
            raise bad
        if id_ == f"ref:{located.spec.name}" and kind(located) not in ("table", "incremental"):
            raise BadReference("C401", f"'{located.spec.name}' reads itself", "only incrementals know their own rows: {{ this }}")
        found[id_] = None
        return symbol(id_, known)

    return Words(
        ref=lambda model: name(f"ref:{model}"),
        source=lambda source, table: name(f"source:{source}.{table}"),
        this=symbol(f"ref:{located.spec.name}", known),
        variables=known.specs.project.spec.vars,
        no_run=_NO_RUN.get(kind(located), ""),
        windowed=isinstance(located.spec, spec.Model) and strategy(located.spec.config) == "microbatch",
    )


def _locate(text: SqlText, rendered: Rendered) -> Locate:
    def locate(start: int, end: int) -> Span:
        at = rendered.origin(start)
        return text.span(at, max(at + 1, at + end - start))

    return locate


def _render(text: SqlText, words: Words, incremental: bool, diagnostics: Diagnostics) -> Rendered | None:
    try:
        return render(text.text, words, incremental)
    except BadReference as bad:
        at = _find_quoted(text, bad.message)
        diagnostics.error(bad.code, bad.message, at, bad.help)
    except jinja2.TemplateSyntaxError as error:
        message, start, help = _unreadable(text.text, error)
        diagnostics.error("C303", f"the template cannot be read: {message}", text.span(start, start + 2), help)
    except jinja2.UndefinedError as error:
        at, help = _undefined(text, str(error.message))
        diagnostics.error("C303", f"the template cannot be rendered: {error.message}", at, help)
    except jinja2.TemplateError as error:
        diagnostics.error("C303", f"the template cannot be rendered: {error.message}", text.span(0, 1))
    return None


WORDS = ("ref", "source", "this", "var", "as_of", "is_incremental", "batch_start", "batch_end")


_TAGS = {
    "snapshot": "a snapshot is written in YAML: snapshots: - {name: …, relation: …, config: …}",
    "macro": "there are no macros: write the SQL itself, or a model that others read",
    "test": "data tests are written in YAML: data_tests: [expression_is_true: …]",
    "call": "there are no macros and no statements around the SELECT",
}
"""dbt's blocks, and what stands for them here."""


def _unreadable(text: str, error: jinja2.TemplateSyntaxError) -> tuple[str, int, str | None]:
    """jinja's complaint, and where the thing began that is not closed; jinja itself knows lines only."""
    if found := re.search(r"innermost block that needs to be closed is '(\w+)'", str(error.message)):
        begun = [m.start() for m in re.finditer(rf"\{{%-?\s*{found[1]}\b", text)]
        return f"{{% {found[1]} %}} is never closed", begun[-1] if begun else 0, f"write {{% end{found[1]} %}} behind it"
    if found := re.match(r"Encountered unknown tag '(\w+)'", str(error.message)):
        tag = re.search(rf"\{{%-?\s*{found[1]}\b", text)
        return f"there is no {{% {found[1]} %}} here", tag.start() if tag else 0, _TAGS.get(found[1])
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        for at in (m.start() for m in re.finditer(re.escape(opening), text)):
            end = text.find(closing, at)
            if end < 0 or 0 <= text.find(opening, at + 2) < end:
                return f"{opening} is never closed", at, f"close it with {closing}"
    start = sum(len(line) + 1 for line in text.split("\n")[: error.lineno - 1])
    return str(error.message), start, None


def _undefined(text: SqlText, message: str) -> tuple[Span, str]:
    """The place of `'nix' is undefined`, and the words that there are."""
    found = re.match(r"'(\w+)' is undefined", message)
    word = re.search(rf"\b{found[1]}\b", text.text) if found else None
    help = (did_you_mean(found[1], WORDS) if found else None) or f"known words: {', '.join(WORDS)}; there are no macros"
    return text.span(*word.span()) if word else text.span(0, 1), help


def _find_quoted(text: SqlText, message: str) -> Span:
    """The place of the last word of `source a.b is not known` in the template, else its first character."""
    for word in sorted({w for part in message.split() for w in part.replace("'", "").split(".")}, key=len, reverse=True):
        for quoted in (f"'{word}'", f'"{word}"'):
            if (at := text.text.find(quoted)) >= 0:
                return text.span(at + 1, at + 1 + len(word))
    call = re.match(r"(\w+)\(", message)
    at = text.text.find(call[0]) if call else -1
    return text.span(at, at + len(call[1])) if call and at >= 0 else text.span(0, 1)


def _not_itself(located: Item, analysed: list[Analysed], text: SqlText, diagnostics: Diagnostics) -> None:
    """Only what is stored can be read again by its own SQL, and of a history a snapshot keeps the only copy."""
    if kind(located) in ("table", "incremental"):
        return
    for table in (t for one in analysed for t in one.tree.find_all(exp.Table)):
        if symbols.symbol(table) == ("ref", located.spec.name):
            what = {"view": "a view", "ephemeral": "an ephemeral model", "snapshot": "a snapshot's SQL"}[kind(located)]
            diagnostics.error("C401", f"{what} cannot read itself: {{{{ this }}}} is for incrementals", text.span(0, 1))
            return


def _typed(
    located: Item, analysed: Analysed, declared: Mapping[str, Column], catalog: Catalog, diagnostics: Diagnostics
) -> tuple[Column, ...]:
    """Declared types win; a persisted node must not have a column of unknown type."""
    outputs = {c.name: c for c in analysed.columns}
    meant = set()
    for index, name in enumerate(declared):
        if name not in outputs and kind(located) != "snapshot":  # which may describe the columns of its history as well
            if near := nearest(name, outputs.keys() - declared.keys()):
                meant.add(near)
            help = did_you_mean(name, [near] if near else ()) or nearest_or_list(name, outputs, "columns")
            diagnostics.error(
                "C205", f"columns: the SQL of {located.spec.name} has no column {name}", located.span("columns", index, "name"), help
            )
    columns = []
    missing = []
    for output in analysed.columns:
        known = declared.get(output.name)
        type_ = (known.type if known else None) or output.type
        if symbols.reserved(output.name):
            help = f"generated procedures use it themselves, as they do all names that begin with {symbols.OWN_PREFIX}"
            diagnostics.error("C204", f"output column {output.name} has a reserved name", located.span("name"), help)
        told = type_ is None and ((known is not None and known.told) or output.name in meant or _is_told(output, catalog))
        if type_ is None and not told and kind(located) not in ("view", "ephemeral"):
            missing.append(output.name)
        inferred = output.type or types.parse(analysed.suggestions.get(output.name, ""))
        if known and known.type and inferred and types.never(inferred, known.type):
            at = located.span("columns", [*declared].index(output.name), "data_type")
            message = f"{output.name} is {types.text(inferred)} in the SQL, which is never a {types.text(known.type)}"
            diagnostics.error("C401", message, at, f"declare it as {types.text(inferred)}, or CAST it in the SQL")
        time = None if type_ else output.time
        columns.append(Column(output.name, type_, known.description if known else "", output.origins, time, told))
    if missing:
        block = ", ".join(f"{{name: {n}, data_type: {_suggested(analysed, n)}}}" for n in missing)
        what = f"column {missing[0]} is" if len(missing) == 1 else f"columns {', '.join(missing)} are"
        diagnostics.error("C304", f"{what} computed: declare what is stored", located.span("name"), f"columns: [{block}]",
                          (located.spec.name, *missing))  # fmt: skip
    return tuple(columns)


def _is_told(output: Column, catalog: Catalog) -> bool:
    """Whether the type of what a column takes over is missing by a mistake that is reported there."""
    return any(c.told for id_, name in output.origins for c in catalog.columns.get(id_, ()) if c.name == name)


def _promised(located: Item, analysed: Analysed, declared: Mapping[str, Column], diagnostics: Diagnostics) -> None:
    """A contract: every column is declared with its type, and no type that is known is another one."""
    if not promises(located):
        return
    at = located.span("config", "contract")
    outputs = {c.name: c.type for c in analysed.columns}
    if missing := [n for n in outputs if n not in declared or declared[n].type is None]:
        block = ", ".join(f"{{name: {n}, data_type: {_suggested(analysed, n)}}}" for n in missing)
        message = f"contract: {', '.join(missing)} of {located.spec.name} {'is' if len(missing) == 1 else 'are'} not declared with a type"
        diagnostics.error("C105", message, at, f"columns: [{block}]")
    for index, (name, column) in enumerate(declared.items()):
        found = outputs.get(name)
        if found is not None and column.type is not None and found != column.type:
            message = f"contract: {name} is {types.text(found)} in the SQL, and declared as {types.text(column.type)}"
            diagnostics.error("C401", message, located.span("columns", index, "data_type"), "declare it so, or CAST it in the SQL")


def promises(located: Item) -> bool:
    return isinstance(located.spec, spec.Model) and located.spec.config.contract.enforced


def _suggested(analysed: Analysed, name: str) -> str:
    found = analysed.suggestions.get(name, "…")
    return f'"{found}"' if "," in found else found


def _same_columns(analysed: list[Analysed], columns: tuple[Column, ...], text: SqlText, diagnostics: Diagnostics) -> None:
    wanted = [c.name for c in columns]
    for one in analysed:
        names = [c.name for c in one.columns]
        if names != wanted:
            message = f"this gives the columns {', '.join(names)}; elsewhere the model gives {', '.join(wanted)}"
            diagnostics.error("C306", message, text.span(0, 1), "every rendering and every dialect must give the same columns")
            return


def _final(analysed: Analysed, columns: tuple[Column, ...], stored: bool) -> exp.Query:
    """The tree whose outputs are cast to what is declared, wherever SQL alone would not give exactly that."""
    tree, trusted = analysed.tree, {c.name: c.type for c in analysed.columns}
    if not stored and all(c.type in (None, trusted[c.name]) for c in columns):
        return tree
    if isinstance(tree, exp.SetOperation):
        names = [exp.column(c.name, table="u", quoted=True) for c in columns]
        for name, column in zip(names, columns, strict=True):
            name.type = None if column.type is None else exp.DataType.build("unknown")
        tree = exp.select(
            *(
                exp.alias_(n, c.name, quoted=True) if c.type is None else exp.alias_(exp.cast(n, _carried(c.type)), c.name, quoted=True)
                for n, c in zip(names, columns, strict=True)
            )
        ).from_(tree.subquery("u"))
        return tree
    for select, column in zip(tree.selects, columns, strict=False):
        value = select.unalias()
        if (
            column.type is None
            or (isinstance(value, exp.Column) and trusted[column.name] == column.type)
            or (isinstance(value, exp.Cast) and types.canonical(value.to) == column.type)
        ):
            continue
        cast = exp.cast(value.copy(), _carried(column.type), dialect="postgres")
        cast.type = column.type.copy()
        select.replace(exp.alias_(cast, column.name, quoted=True))
    return tree


def _carried(type_: exp.DataType) -> exp.DataType:
    """The type to which a value is cast: a text whole, since a CAST would cut it in silence where its column refuses what is too long."""
    return types.TEXT.copy() if type_.this is types.T.VARCHAR else type_.copy()
