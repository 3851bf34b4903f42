"""A seed as written, and its CSV → a node with typed rows."""

from __future__ import annotations

from c360gen.diagnostics import Diagnostics, did_you_mean
from c360gen.project.columns import declared_columns, fold
from c360gen.project.config import comments, readers
from c360gen.project.constraints import refuse
from c360gen.project.nodes import Column, Node
from c360gen.project.values import NotAValue, canonical
from c360gen.spec import models as spec
from c360gen.spec.csv import Field
from c360gen.spec.load import Located
from c360gen.terms import types


def resolve(located: Located[spec.Seed], project: spec.Project, diagnostics: Diagnostics) -> Node | None:
    seed, config, before = located.spec, located.spec.config, len(diagnostics.found)
    refuse(located, seed.columns, (), f"deploy loads {seed.name}, and its values are checked when it is built", diagnostics)
    columns = declared_columns(located, seed.columns, ("columns",), diagnostics, need_types=True)
    if located.rows is None or len(diagnostics.found) > before:
        return None  # its file is missing or no CSV, which is reported already
    header, *lines = located.rows
    order = _order(seed.name, header, columns, diagnostics)
    if order is None:
        return None
    rows = [_row(line, header, order, diagnostics) for line in lines]
    if len(diagnostics.found) > before:
        return None
    return Node(
        name=seed.name, kind="seed", schema=config.schema_ or project.schema_, identifier=config.alias or seed.name, columns=columns,
        depends_on=(), span=located.span("name"), description=seed.description.strip(), strategy="seed", rows=tuple(rows),
        readers=readers(config, project), comments=comments(config), tags=(*seed.tags, *config.tags),
    )  # fmt: skip


def _order(name: str, header: tuple[Field, ...], columns: tuple[Column, ...], diagnostics: Diagnostics) -> list[tuple[int, Column]] | None:
    """The place of every declared column in a line; None where the header is not exactly the declared columns, in any order."""
    wanted = {c.name: c for c in columns}
    found: dict[str, int] = {}
    fine = True
    for place, field in enumerate(header):
        written = field.text or ""
        column = written if written in wanted else fold(written, False)
        if column not in wanted or column in found:
            twice = f"the header names {written} twice"
            message = twice if column in found else f"seed {name} declares no column {written or 'without name'}"
            help = None if column in found else did_you_mean(column, wanted) or f"add {{name: {column}, data_type: …}} to its columns"
            diagnostics.error("C205", message, field.span, help)
            fine = False
        found.setdefault(column, place)
    if missing := [c for c in wanted if c not in found]:
        message = f"the header has no {', '.join(missing)}, which seed {name} declares"
        diagnostics.error("C205", message, header[0].span, "the header names every declared column, in any order")
        fine = False
    return [(found[c.name], c) for c in columns] if fine else None


def _row(
    line: tuple[Field, ...], header: tuple[Field, ...], order: list[tuple[int, Column]], diagnostics: Diagnostics
) -> tuple[str | None, ...]:
    if len(line) != len(header):
        message = f"this line has {len(line)} field{'s' if len(line) != 1 else ''}, the header {len(header)}"
        at = line[min(len(line), len(header)) - 1].span
        diagnostics.error("C104", message, at, "a field that holds the delimiter or a line break is quoted")
        return ()
    values: list[str | None] = []
    for index, column in order:
        field = line[index]
        assert column.type is not None, "a seed's column has a declared type"
        try:
            values.append(None if field.text is None else canonical(field.text, column.type))
        except NotAValue as why:
            shown = field.text or ""
            message = f"{column.name} is {types.text(column.type)}: '{shown[:40]}{'…' if len(shown) > 40 else ''}' {why}"
            absent = shown.lower() in ("", "null", "none", "\\n", "na", "n/a")
            help = 'leave the field empty for NULL; "" is an empty text' if absent else None
            diagnostics.error("C104", message, field.span, help)
    return tuple(values)
