"""Tableau: a data source (.tds) per table or view, which Desktop opens and Server publishes; it holds no password and no rows.

Elements and their order are those of Tableau's own schema (twb_2026.1.0.xsd, DataSource-CT). What an instant is in a history,
`_as_of`, needs an argument that a data source cannot ask for: a workbook filters the history by valid_from and valid_to.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from c360gen.exposures import CannotSay, ExposureFile, Field, Reading, Relation
from c360gen.terms import types
from c360gen.terms.types import T

DIALECTS = ("bigquery", "postgres", "snowflake")

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_VERSION = "18.1"
"""Of the format, which Tableau has not raised since 2018.1."""
_TYPES = {T.BOOLEAN: "boolean", T.DATE: "date", T.TIMESTAMP: "datetime", T.TIMESTAMPTZ: "datetime", T.DECIMAL: "real", T.DOUBLE: "real"}


def plan(reading: Reading) -> list[ExposureFile]:
    found = []
    for relation in reading.relations.values():
        if relation.rows_at is None:
            path, title = f"exposures/tableau/{relation.name}.tds", f"Tableau data source {relation.name}"
            found.append(ExposureFile(path, title, _source(relation, reading), relation.origin, ("<!--", " -->"), _DECLARATION))
    return found


def _source(relation: Relation, reading: Reading) -> str:
    kind = str(reading.target.dialect)
    named = f"{kind}.{reading.project}_{reading.target_name}"
    root = ET.Element("datasource", {
        "caption": words(relation.name), "formatted-name": f"federated.{relation.name}", "inline": "true", "version": _VERSION,
    })  # fmt: skip
    federated = ET.SubElement(root, "connection", {"class": "federated"})
    server = reading.target.tableau_server or ""
    connections = ET.SubElement(ET.SubElement(federated, "named-connections"), "named-connection", {"caption": server, "name": named})
    ET.SubElement(connections, "connection", _connection(kind, relation, reading, server))
    table = f"{bracketed(relation.schema)}.{bracketed(relation.stored)}"
    ET.SubElement(federated, "relation", {"connection": named, "name": relation.stored, "table": table, "type": "table"})
    ET.SubElement(root, "aliases", {"enabled": "yes"})
    for column in relation.fields:
        _column(root, column)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _connection(kind: str, relation: Relation, reading: Reading, server: str) -> dict[str, str]:
    """What Tableau keeps of a connection; who connects, and how, it asks."""
    database = reading.database or reading.target.database or ""
    if kind == "bigquery":
        return {"CATALOG": database, "EXECCATALOG": database, "class": kind, "project": database, "schema": relation.schema}
    if kind == "snowflake":
        warehouse = reading.target.warehouse or ""
        return {"class": kind, "dbname": database, "schema": relation.schema, "server": server, "username": "", "warehouse": warehouse}
    return {"class": kind, "dbname": database, "port": "5432", "server": server, "username": ""}


def _column(root: ET.Element, column: Field) -> None:
    """Of a column whose type nobody declares Tableau finds out itself: a wrong one would be a cast."""
    if column.type is None:
        return
    kind = column.type.this
    datatype = "integer" if kind in types.INTEGERS else _TYPES.get(kind, "string")
    summed = kind in types.NUMBERS and not column.points
    shown = {True: "quantitative", False: "nominal" if datatype in ("string", "boolean") else "ordinal"}[summed]
    made = ET.SubElement(root, "column", {
        "caption": words(column.name), "datatype": datatype, "name": bracketed(column.stored),
        "role": "measure" if summed else "dimension", "type": shown,
    })  # fmt: skip
    if column.description:
        text = ET.SubElement(ET.SubElement(made, "desc"), "formatted-text")
        ET.SubElement(text, "run").text = _written(column.description)


def bracketed(name: str) -> str:
    """[order "id"], a bracket inside doubled. Raise CannotSay for what XML has no sign for."""
    if _written(name) != name:
        raise CannotSay(f"XML has no sign for a character of {name!r}", "give the column another name in a view")
    return f"[{name.replace(']', ']]')}]"


def words(name: str) -> str:
    """customer_id → Customer Id, as Tableau itself would call it."""
    return " ".join(word[:1].upper() + word[1:] for word in _written(name).split("_") if word) or name


def _written(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
