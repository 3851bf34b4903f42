"""`erasure:` of a node as written → as meant: the column that names a person, and what becomes NULL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from c360gen.diagnostics import Diagnostics
from c360gen.project.columns import find
from c360gen.project.nodes import Column, Erasure
from c360gen.spec.load import Located
from c360gen.spec.models import Model, Snapshot


def erasure(
    located: Located[Snapshot] | Located[Model], columns: Sequence[Column], must: Collection[str], diagnostics: Diagnostics
) -> Erasure | None:
    """`must` are the columns that the node cannot do without: they cannot be redacted."""
    given = located.spec.config.erasure
    if given is None:
        return None
    names = [c.name for c in columns]

    def known(name: str, *loc: str | int) -> str:
        return find(name, names, f"erasure: {located.spec.name}", located.span("config", "erasure", *loc), diagnostics)

    by = known(given.by, "by")
    redact = tuple(known(n, "redact", i) for i, n in enumerate(given.redact))
    for index, name in enumerate(redact):
        if name in must or name == by:
            help = "redact other columns, or none: then the rows are deleted"
            message = f"erasure: {name} cannot become NULL, {located.spec.name} needs it"
            diagnostics.error("C401", message, located.span("config", "erasure", "redact", index), help)
    return Erasure(by, redact)
