"""`lint:`: how severe each rule of the linter is, and where."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from c360gen.spec.models.words import Spec


def _level(value: Any) -> Any:
    return {False: "off", True: "warning"}.get(value, value) if isinstance(value, bool) else value  # YAML reads a bare `off` as false


def _codes(value: Any) -> Any:
    if isinstance(value, dict):
        for code in value:
            if not (isinstance(code, str) and re.fullmatch(r"L\d{3}", code)):
                raise ValueError(f"must name rules by their code, such as L101, not {code}")
    return value


Level = Annotated[
    Literal["off", "warning", "error"], BeforeValidator(_level, json_schema_input_type=Literal["off", "warning", "error"] | bool)
]
Levels = Annotated[dict[str, Level], BeforeValidator(_codes)]


class LintPath(Spec):
    """Other levels for the files of a path."""

    path: str = Field(
        description="A file, a folder or a glob, as `path:` in selections, such as 'specs/staging'.", examples=["specs/staging"]
    )
    rules: Levels = Field(description="Code of a rule: off, warning or error.", examples=[{"L101": "error"}])


class Lint(Spec):
    """Severity of the linter's rules. Exceptions stand where they are needed: `# noqa: L101: why`."""

    rules: Levels = Field({}, description="Code of a rule: off, warning or error.", examples=[{"L101": "error"}])
    paths: tuple[LintPath, ...] = Field(
        (), description="Other levels below some paths; the last that matches counts.",
        examples=[[{"path": "specs/staging", "rules": {"L101": "off"}}]],
    )  # fmt: skip
