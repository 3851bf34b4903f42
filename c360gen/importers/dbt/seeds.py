"""Seeds of dbt: their files, with NULL where dbt reads it, and the types that dbt gave their columns."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from c360gen.importers.dbt import settings, tests
from c360gen.importers.dbt.artifacts import Column, Node
from c360gen.importers.dbt.columns import one
from c360gen.importers.dbt.relations import described, placed
from c360gen.importers.dbt.work import Work
from c360gen.importers.types import data_type
from c360gen.project.columns import fold


def seed(work: Work, node: Node) -> None:
    tell = work.teller(node)
    path = Path(node.root_path or work.dbt.root) / node.original_file_path
    try:
        rows = (path if path.is_file() else work.dbt.root / node.original_file_path).read_bytes()
    except OSError:
        work.note("decide", node.original_file_path, node.name, f"its file was not found: write seeds/{node.name}.csv")
        rows = b""
    delimiter = str(node.config.get("delimiter") or ",")
    lines = list(csv.reader(io.StringIO(rows.decode("utf-8-sig", "replace")), delimiter=delimiter))
    header = [name.strip() for name in lines[0]] if lines else []
    rows = _nulls(rows, lines, delimiter, words=work.adapter != "duckdb")
    said = {str(k).lower(): str(v) for k, v in dict(node.config.get("column_types") or {}).items()}
    catalog = {c.name.lower(): c for c in work.catalog.columns(node.unique_id)}
    declared = {c.name.lower(): c for c in node.columns.values()}
    found = []
    for name in header:
        there, column = catalog.get(name.lower()), declared.get(name.lower()) or Column(name=name)
        spelled, quote = work.column_name(there.name) if there else (fold(name, False), False)
        word = (there.type if there else None) or said.get(name.lower()) or column.data_type or ""
        type_ = data_type(word, work.dialect)
        if type_ is None:
            tell("decide", name, f"column {name}: {f'{word} is not carried' if word else 'its type is not known'}: text was written")
        column = column.model_copy(update={"name": spelled, "quote": quote})
        found.append(one(work, column, type_ or "text", node.unique_id, tell, bound=False))
    name = work.names.nodes[node.unique_id]
    item = {"name": name, **described(node.description), **placed(work, node, settings.of_seed(node, tell)), "columns": found}
    work.files[f"seeds/{name}.csv"] = rows
    work.add("seeds/seeds.yml", "seeds", item | tests.of_whole(work, node.unique_id))


def _nulls(rows: bytes, lines: list[list[str]], delimiter: str, *, words: bool) -> bytes:
    """The file with empty fields where dbt reads NULL: at "", and, but for dbt-duckdb, at the word null."""

    def null(field: str) -> bool:
        return not field.strip() if not words else field.strip().lower() in ("", "null")

    quoted = re.search(rf'(^|{re.escape(delimiter)})"\s*"({re.escape(delimiter)}|\r?$)', rows.decode("utf-8", "replace"), re.M)
    if not quoted and not any(null(field) and field for line in lines[1:] for field in line):
        return rows
    made = io.StringIO()
    writer = csv.writer(made, delimiter=delimiter, lineterminator="\n")
    writer.writerows([lines[0], *(["" if null(field) else field for field in line] for line in lines[1:])])
    return made.getvalue().encode()
