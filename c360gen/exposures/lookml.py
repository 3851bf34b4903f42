"""LookML: a view per relation, a model per exposure with an explore for each of them, and a history as it was at an instant.

The files are a folder of a LookML project, or a project that others import. Who wants more than they say refines a view
(`view: +customers { … }`) in a file of his own: these are written again by every build.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce

from sqlglot import exp

from c360gen.exposures import CannotSay, ExposureFile, Field, Join, Reading, Relation, Shown
from c360gen.ops.shell import Shell
from c360gen.terms import types
from c360gen.terms.types import T

DIALECTS = ("bigquery", "postgres", "snowflake")

_DAYS = ("raw", "date", "week", "month", "quarter", "year")
_TIMES = ("raw", "time", *_DAYS[1:])
_MOMENT = {
    T.DATE: (_DAYS, "date", False), T.TIMESTAMP: (_TIMES, "datetime", False), T.TIMESTAMPTZ: (_TIMES, "timestamp", True),
}  # fmt: skip
"""Type → timeframes, `datatype`, and whether values are instants, which Looker shows in the time zone of who looks."""


@dataclass(frozen=True)
class _Block:
    """`dimension: email { … }`."""

    kind: str
    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)


def plan(reading: Reading) -> list[ExposureFile]:
    found = []
    for relation in reading.relations.values():
        values = _view(relation, reading)
        path, title = f"exposures/lookml/views/{relation.name}.view.lkml", f"LookML view of {relation.name}"
        found.append(ExposureFile(path, title, Shell("exposures/lookml_view.lkml.j2", values), relation.origin))
    connection = reading.target.looker_connection or f"{reading.project}_{reading.target_name}"
    for shown in reading.shown:
        name = shown.exposure.name
        values = {
            "connection": text(connection), "label": text(shown.exposure.label) if shown.exposure.label else None,
            "views": [r.name for r in shown.relations], "explores": [_explore(r, shown) for r in shown.relations],
        }  # fmt: skip
        path, title = f"exposures/lookml/{name}.model.lkml", f"LookML model of exposure {name}"
        found.append(ExposureFile(path, title, Shell("exposures/lookml_model.lkml.j2", values), shown.origin))
    return found


# --- views -------------------------------------------------------------------------------------------------------------


def _view(relation: Relation, reading: Reading) -> dict[str, object]:
    for name in (relation.path, *(f.name for f in relation.fields)):
        _check(name)
    named = names(relation)
    blocks = [*_identity(relation, named, reading), *(_dimension(f, named[f.name], relation, reading) for f in relation.fields)]
    taken = {*named.values(), *(b.name for b in blocks)}
    count = _Block("measure", next(n for n in _tries("count") if n not in taken), [("type", "count")])
    details = [named[k] if _plain(relation.field(k)) else f"{named[k]}_raw" for k in relation.key]
    if details:
        count.lines.append(("drill_fields", f"[{', '.join(details)}]"))
    query = None
    if relation.rows_at is not None:
        query = reading.say(relation.rows_at.transform(lambda node: _at(reading) if isinstance(node, exp.Placeholder) else node))
    return {"name": relation.name, "table": relation.path, "query": query, "blocks": [*blocks, count]}


def _at(reading: Reading) -> exp.Expr:
    """The beginning of what the filter says; where it says nothing, now."""
    chosen = exp.Cast(this=exp.Var(this="{% date_start as_of %}"), to=types.TIMESTAMPTZ.copy())
    return exp.Coalesce(this=chosen, expressions=[reading.now.copy()])


def _identity(relation: Relation, named: dict[str, str], reading: Reading) -> Iterator[_Block]:
    """A key that is not one plain dimension as one text, so that Looker can tell rows apart where a join repeats them."""
    if not relation.key or (len(relation.key) == 1 and _plain(relation.field(relation.key[0]))):
        return
    whole = reduce(lambda left, right: _beside(_beside(left, exp.Literal.string("|")), right), _parts(relation))
    taken = {*named.values()}
    name = next(n for n in _tries("row_key") if n not in taken)
    yield _Block("dimension", name, [("primary_key", "yes"), ("hidden", "yes"), ("type", "string"), ("sql", f"{reading.say(whole)} ;;")])


def _parts(relation: Relation) -> Iterator[exp.Expr]:
    """Of no two keys are all parts the same: a text says how long it is where another follows, and NULL is not the empty text."""
    texts = [f.type is None or types.family(f.type) == "text" for f in map(relation.field, relation.key)]
    for name, is_text in zip(relation.key, texts, strict=True):
        part: exp.Expr = exp.Cast(this=_column(name), to=types.TEXT.copy())
        if is_text and sum(texts) > 1:
            length = exp.Cast(this=exp.Length(this=_column(name)), to=types.TEXT.copy())
            part = _beside(_beside(length, exp.Literal.string(":")), part)
        if not relation.field(name).never_null:
            part = exp.Coalesce(this=_beside(exp.Literal.string("="), part), expressions=[exp.Literal.string("")])
        yield part


def _beside(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.DPipe(this=left, expression=right)


def _dimension(column: Field, name: str, relation: Relation, reading: Reading) -> _Block:
    lines: list[tuple[str, str]] = []
    if name != column.name:
        lines.append(("label", text(column.name)))
    if relation.key == (column.name,) and _plain(column):
        lines.append(("primary_key", "yes"))
    if column.description:
        lines.append(("description", text(column.description)))
    value: exp.Expr = _column(column.name)
    if not _plain(column):
        assert column.type is not None
        timeframes, datatype, converts = _MOMENT[column.type.this]
        lines += [("type", "time"), ("timeframes", f"[{', '.join(timeframes)}]"), ("datatype", datatype)]
        lines += [] if converts else [("convert_tz", "no")]
        return _Block("dimension_group", name, [*lines, ("sql", f"{reading.say(value)} ;;")])
    kind = column.type.this if column.type is not None else T.TEXT
    if kind in types.NUMBERS:
        lines.append(("type", "number"))
        lines += [("value_format_name", "id")] if column.points else []
    elif kind is T.BOOLEAN and column.never_null:
        lines.append(("type", "yesno"))
    else:
        lines.append(("type", "string"))
    if kind is T.BOOLEAN and not column.never_null:  # a yesno would call NULL "No"
        yes, no = (exp.Literal.string(word) for word in ("Yes", "No"))
        value = exp.Case(ifs=[exp.If(this=value, true=yes), exp.If(this=exp.Not(this=value.copy()), true=no)])
    return _Block("dimension", name, [*lines, ("sql", f"{reading.say(value)} ;;")])


def _plain(column: Field) -> bool:
    """Whether it is one dimension, and no group of them."""
    return column.type is None or column.type.this not in _MOMENT


def _column(name: str) -> exp.Column:
    table = exp.Identifier(this="${TABLE}", quoted=False)
    table.meta["ours"] = True
    return exp.Column(this=exp.to_identifier(name), table=table)


def _check(name: str) -> None:
    """A name may hold what Looker would read as the end of SQL, as a field or as a template. Raise CannotSay."""
    if found := re.search(r";;|\$\{|\{[{%]", name):
        raise CannotSay(f"Looker would read {found[0]} in {name[:60]} as its own", "give it another name in a view")


def names(relation: Relation) -> dict[str, str]:
    """Column → dimension: words of a-z, 0-9 and _, of which no two, and none of what a group of times makes, are the same.

    Columns that are such words themselves keep their names.
    """
    found: dict[str, str] = {}
    taken = {"as_of"} if relation.rows_at is not None else set()
    for column in sorted(relation.fields, key=lambda f: f.name != _word(f.name)):
        for name in _tries(_word(column.name)):
            own = {name} if _plain(column) else {name, *(f"{name}_{t}" for t in _TIMES)}
            if taken.isdisjoint(own):
                break
        taken |= own
        found[column.name] = name
    return found


def _word(name: str) -> str:
    word = re.sub(r"[^a-z0-9_]+", "_", name.lower()).lstrip("_")
    return word if re.match(r"[a-z]", word) else f"c_{word}"


def _tries(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        number += 1
        yield f"{name}_{number}"


# --- models ------------------------------------------------------------------------------------------------------------


def _explore(relation: Relation, shown: Shown) -> dict[str, object]:
    there = {r.name: r for r in shown.relations}
    own = [j for j in shown.joins if j.relation == relation.name]
    times = Counter([relation.name, *(j.to for j in own)])
    joins = [_join(j, relation, there[j.to], times[j.to] == 1) for j in own]
    return {"name": relation.name, "description": text(relation.description) if relation.description else None, "joins": joins}


def _join(join: Join, relation: Relation, to: Relation, alone: bool) -> dict[str, str | None]:
    """Under its own name where it is joined once, else under one that says by which column."""
    name = to.name if alone else f"{to.name}_by_{names(relation)[join.column]}"
    here, there = _reference(relation.name, relation, join.column), _reference(name, to, join.to_column)
    kind = "many_to_one" if join.single else "many_to_many"
    return {"name": name, "from": None if alone else to.name, "relationship": kind, "on": f"{here} = {there}"}


def _reference(view: str, relation: Relation, column: str) -> str:
    """${orders.customer_id}"""
    dimension = names(relation)[column]
    return f"${{{view}.{dimension if _plain(relation.field(column)) else f'{dimension}_raw'}}}"


def text(value: str) -> str:
    """A string of LookML: one line, quotes and backslashes escaped, no template."""
    line = " ".join(value.split())
    line = re.sub(r"\{(?=[{%])", "{ ", line)
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'
