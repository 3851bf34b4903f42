"""The JSON Schema of a spec file, from the very models that validate it: for editors, and for whoever writes specs by program."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema

from c360gen.spec.models import SpecFile

FILE = "c360gen.schema.json"
"""What the file is called beside the specs, and in their modelines."""


class _Generator(GenerateJsonSchema):
    """Without the titles that pydantic makes from names, and without defaults that say nothing or could not be written so."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().default_schema(schema)
        default = found.get("default")
        said = isinstance(default, str | int) and default != "" and "pattern" not in found  # a duration is seconds inside, text in YAML
        return found if said else {k: v for k, v in found.items() if k != "default"}

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        made = super().generate(schema, mode)
        for definition in (made, *made.get("$defs", {}).values()):
            definition.pop("title", None)
        return {"$schema": self.schema_dialect, "title": "c360gen specs", **made}


def text() -> str:
    """The schema as the text of a file."""
    return json.dumps(SpecFile.model_json_schema(by_alias=True, schema_generator=_Generator), indent=2, ensure_ascii=False) + "\n"
