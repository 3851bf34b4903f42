"""The database against the released state: what somebody changed by hand. A pure function of what the catalog says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360gen.dialects.base import Dialect
from c360gen.dialects.inspector import Printing
from c360gen.dialects.names import Names
from c360gen.emit.sql import print_sql
from c360gen.migrate.catalog import Catalog, Part, Place
from c360gen.migrate.checksum import canonical
from c360gen.migrate.specimens import Printed
from c360gen.migrate.state import State, with_retired
from c360gen.migrate.wanted import Wanted
from c360gen.ops.change import Stored
from c360gen.ops.schema import ColumnDef


@dataclass(frozen=True, order=True)
class Drift:
    object: str
    what: str


def compare(state: State, wanted: Wanted, catalog: Catalog, names: Names, dialect: Dialect, printed: Printed | None = None) -> list[Drift]:
    """Everything that is not as released; `printed` is what the engine makes of ours, where it can be asked."""
    found: list[Drift] = []
    for node in state.nodes.values():
        for table in node.tables:
            found += _table(with_retired(state, table), catalog, names, dialect)
    for kept in state.retired_tables:
        if (names.schema(kept.schema), kept.name) not in catalog.columns:
            found.append(Drift(kept.path, "the retired table is missing"))
    there = [at for at in wanted.tables if at in catalog.columns]
    if "constraint" in catalog.asked:
        for at in there:
            found += _constraints(at, wanted, catalog, dialect, printed)
    if "index" in catalog.asked:
        for at in there:
            found += _indexes(at, wanted, catalog, printed)
    if "view" in catalog.asked:
        for at in wanted.views:
            found += _view(at, wanted, catalog, dialect, printed)
    if "routine" in catalog.asked:
        found += _routines(state, wanted, catalog, names)
    if "grant" in catalog.asked:
        found += _grants(wanted, catalog, names, dialect)
    return sorted(set(found))


# --- tables ----------------------------------------------------------------------------------------------------------------


def _table(table: Stored, catalog: Catalog, names: Names, dialect: Dialect) -> Iterable[Drift]:
    label = f"{table.schema}.{table.name}"
    there = catalog.columns.get((names.schema(table.schema), table.name))
    if there is None:
        yield Drift(label, "table is missing")
        return
    for column in table.columns:
        said = there.get(column.name)
        if said is None:
            yield Drift(f"{label}.{column.name}", "column is missing")
            continue
        wanted, is_ = _canonical(dialect.type(column.type), dialect), _canonical(_typed(said), dialect)
        if wanted != is_:
            yield Drift(f"{label}.{column.name}", f"type is {is_}, not {wanted}")
        # where no column becomes NOT NULL, one that a migration added may be NULL, whatever deploy.sql makes of an empty database
        if dialect.changes.sets_not_null and _null(said) is column.not_null and not _implied(table, column):
            yield Drift(f"{label}.{column.name}", "may be NULL" if column.not_null else "may not be NULL")
    for name in there:
        if not table.has(name):
            yield Drift(f"{label}.{name}", "column is not ours")


def _null(said: Mapping[str, str]) -> bool:
    return said["is_nullable"].upper() in ("YES", "TRUE")


def _implied(table: Stored, column: ColumnDef) -> bool:
    """A column of a primary key may not be NULL, whether that is said or not."""
    return not column.not_null and column.name in table.primary_key


def _typed(said: Mapping[str, str]) -> str:
    """data_type with its length or precision, which some catalogs keep beside it."""
    kind = said["data_type"]
    if "(" in kind:
        return kind
    if kind.lower() in ("character varying", "varchar") and said.get("character_maximum_length"):
        return f"{kind}({said['character_maximum_length']})"
    if kind.lower() in ("numeric", "number", "decimal") and said.get("numeric_precision"):
        return f"{kind}({said['numeric_precision']}, {said.get('numeric_scale') or 0})"
    return kind


def _canonical(kind: str, dialect: Dialect) -> str:
    """Both spellings of one type as one text."""
    try:
        made = exp.DataType.build(kind, dialect=dialect.name)
    except (SqlglotError, ValueError):
        return kind.upper()
    if made.this not in (exp.DType.DECIMAL, exp.DType.BIGDECIMAL, exp.DType.VARCHAR):
        made = exp.DataType(this=made.this)
    if made.this is exp.DType.VARCHAR and not (dialect.inspector.tells_lengths and made.expressions):
        made = exp.DataType(this=exp.DType.TEXT)
    return made.sql("postgres")


def _constraints(at: Place, wanted: Wanted, catalog: Catalog, dialect: Dialect, printed: Printed | None) -> Iterable[Drift]:
    """Word for word where the engine prints both; else by their kind and name, and of keys the columns, where the catalog tells them."""
    is_ = catalog.constraints.get(at, {})
    if printed is not None:
        if at in printed.constraints:
            yield from _parts(at, "constraint", printed.constraints[at], is_)
        return
    ours = {_identity(at, kind, name): (kind, columns) for name, kind, columns in _declared(wanted.tables[at][0])}
    theirs = {_identity(at, part.kind, name): part for name, part in is_.items()}
    for key, (kind, columns) in ours.items():
        there = theirs.get(key)
        if there is None:
            yield Drift(_label(at), f"{key} ({columns}) is missing" if columns else f"{key} is missing")
        elif kind != "CHECK" and there.definition and columns and _columns(there.definition) != columns:
            yield Drift(_label(at), f"{key} is over {_columns(there.definition)}, not over {columns}")
    for key in theirs:
        if key not in ours:
            yield Drift(_label(at), f"{key} is not ours")


def _declared(create: exp.Create) -> Iterable[tuple[str, str, str]]:
    """(name, kind, columns) of the constraints of a CREATE TABLE; a key may have no name."""
    for part in create.this.expressions:
        name = part.name if isinstance(part, exp.Constraint) else ""
        for said in part.expressions if isinstance(part, exp.Constraint) else [part]:
            if isinstance(said, exp.PrimaryKey):
                yield name, "PRIMARY KEY", ", ".join(c.name for c in said.expressions)
            elif isinstance(said, exp.UniqueColumnConstraint):
                yield name, "UNIQUE", ", ".join(c.name for c in said.this.expressions)
            elif isinstance(said, exp.ForeignKey):
                yield name, "FOREIGN KEY", ", ".join(c.name for c in said.expressions)
            elif isinstance(said, exp.CheckColumnConstraint):
                yield name, "CHECK", ""


def _identity(at: Place, kind: str, name: str) -> str:
    """What a constraint is called here: there is one primary key, whatever its name; BigQuery puts the table's before the others."""
    if kind == "PRIMARY KEY":
        return "primary key"
    return f"{'unique' if kind.startswith('UNIQUE') else kind.lower()} constraint {name.removeprefix(f'{at[1]}.')}"


def _columns(definition: str) -> str:
    """PRIMARY KEY (id, "order") → id, order"""
    found = re.search(r"\(([^)]*)\)", definition)
    return ", ".join(c.strip().strip('"') for c in (found[1] if found else definition).split(","))


def _parts(at: Place, word: str, ours: Mapping[str, Part], theirs: Mapping[str, Part]) -> Iterable[Drift]:
    for name, part in ours.items():
        said = _worded(word, name, part)
        if name not in theirs:
            yield Drift(_label(at), f"{said} is missing")
        elif theirs[name] != part:
            yield Drift(_label(at), f"{word} {name} is {_shown(theirs[name], word)}, not {_shown(part, word)}")
    for name, part in theirs.items():
        if name not in ours and (word == "constraint" or part.kind == "UNIQUE INDEX"):  # one more index changes no result
            yield Drift(_label(at), f"{_worded(word, name, part)} is not ours")


def _worded(word: str, name: str, part: Part) -> str:
    return f"{word} {name}" if name == part.definition else f"{word} {name}, {_shown(part, word)},"


def _shown(part: Part, word: str) -> str:
    return f"{part.kind} {part.definition}" if word == "index" else part.definition


def _indexes(at: Place, wanted: Wanted, catalog: Catalog, printed: Printed | None) -> Iterable[Drift]:
    is_ = catalog.indexes.get(at, {})
    if printed is not None:
        if at in printed.indexes:
            yield from _parts(at, "index", printed.indexes[at], is_)
        return
    for create in wanted.tables[at][1:]:
        if create.this.name not in is_:
            yield Drift(_label(at), f"index {create.this.name} is missing")


# --- views and routines ----------------------------------------------------------------------------------------------------


def _view(at: Place, wanted: Wanted, catalog: Catalog, dialect: Dialect, printed: Printed | None) -> Iterable[Drift]:
    if at not in catalog.views:
        yield Drift(_label(at), "view is missing")
        return
    is_ = catalog.views[at]
    if printed is not None:
        if at in printed.refused:
            yield Drift(_label(at), f"view cannot be made of the released text any more: {printed.refused[at]}")
        elif printed.views[at] != is_:
            yield Drift(_label(at), "view has another text than the generated one")
    elif is_ and not isinstance(dialect.inspector, Printing):  # it is kept as it was written: all of the statement, or the query alone
        query = canonical(print_sql(wanted.views[at].expression, dialect), dialect.backslashes)
        if not canonical(is_, dialect.backslashes).rstrip("; ").endswith(query):
            yield Drift(_label(at), "view has another text than the generated one")


def _routines(state: State, wanted: Wanted, catalog: Catalog, names: Names) -> Iterable[Drift]:
    """Those of nodes and jobs; and whatever else is in the control schema, which is ours alone."""

    def generated(at: Place) -> bool:
        return all(any(b.strip() in t for t in wanted.texts) for b in catalog.routines[at])

    known = set()
    for routine in state.routines:
        plain = routine.path.replace('"', "")
        schema, _, name = plain.rpartition(".")
        known.add((schema, name))
        if (schema, name) not in catalog.routines:
            yield Drift(plain, f"{routine.kind.lower()} is missing")
        elif not generated((schema, name)):
            yield Drift(plain, f"{routine.kind.lower()} has another text than the generated one")
    for at in catalog.routines:
        if at[0] == names.control and at not in known and not generated(at):
            yield Drift(_label(at), "routine is not ours, or has another text than the generated one")


# --- rights ----------------------------------------------------------------------------------------------------------------


def _grants(wanted: Wanted, catalog: Catalog, names: Names, dialect: Dialect) -> Iterable[Drift]:
    """What is missing; and what somebody granted besides, on anything that is ours."""
    is_ = {(g.at, g.privilege, g.grantee): g for g in catalog.grants}
    ours = {(g.at, g.privilege, dialect.inspector.role(g.grantee)): g for g in wanted.grants}
    known = {*wanted.tables, *wanted.views, *wanted.open_to_all, *(g.at for g in wanted.grants), *((s, "") for s in names.schemas)}
    for one, granted in ours.items():
        if one not in is_:
            yield Drift(_label(granted.at), f"{granted.privilege} is not granted to {granted.grantee}")
    for one, granted in is_.items():
        if granted.implied or not (granted.at in known or granted.at[0] == names.control):
            continue
        if granted.grantee == "PUBLIC" and granted.privilege == "EXECUTE" and granted.at in wanted.open_to_all:
            continue
        if one not in ours:
            yield Drift(_label(granted.at), f"{granted.privilege} is granted to {granted.grantee}, which no spec says")
        elif granted.grantable:
            yield Drift(_label(granted.at), f"{granted.privilege} is granted to {granted.grantee} with the right to grant it on")


def _label(at: Place) -> str:
    return f"{at[0]}.{at[1]}" if at[1] else f"schema {at[0]}"
