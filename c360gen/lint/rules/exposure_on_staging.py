"""A dashboard on a staging view breaks with every change of its source."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted
from c360gen.project.references import parse_reference

CODE, TITLE, LEVEL = "L403", "an exposure on a staging view or a source", "warning"


_STAGING = re.compile(r"^(stg|staging|base|src|raw)(_|$)")


def check(project: Linted) -> Iterator[Finding]:
    for located in project.specs.exposures:
        for index, text in enumerate(located.spec.depends_on if located.spec.enabled else ()):
            id_ = parse_reference(text) or ""
            kind, _, name = id_.partition(":")
            node = project.resolved.nodes.get(name) if kind == "ref" else None
            if kind == "source":
                what = f"source {name}"
            elif node is not None and (_STAGING.match(node.name) or _STAGING.match(node.schema)):
                what = f"staging {node.kind} {name}"
            else:
                continue
            message = f"exposure {located.spec.name} reads {what}: whatever changes there changes the exposure"
            yield Finding(message, located.span("depends_on", index), "let it read a mart, whose columns are a promise")
