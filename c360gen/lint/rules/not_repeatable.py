"""A run that is repeated must give what it gave."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from c360gen.lint.project import Finding, Linted
from c360gen.project.query import place

CODE, TITLE, LEVEL = "L205", "a function that gives something else every time", "warning"


_KINDS = (exp.Rand, exp.Randn, exp.Uuid, exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime, exp.CurrentUser)
_NAMES = frozenset({
    "clock_timestamp", "gen_random_uuid", "generate_uuid", "getdate", "nextval", "now", "random", "randstr", "seq4", "seq8",
    "statement_timestamp", "sysdate", "systimestamp", "timeofday", "transaction_timestamp", "txid_current", "uniform", "uuid_string",
})  # fmt: skip


def check(project: Linted) -> Iterator[Finding]:
    for node, _ in project.models("incremental", "table"):
        for dialect, query in node.queries.items():
            for call in query.first.find_all(*_KINDS, exp.Anonymous):
                if isinstance(call, exp.Anonymous) and call.name.lower() not in _NAMES:
                    continue
                word = call.name.lower() if isinstance(call, exp.Anonymous) else call.sql_name().lower()
                where = f" ({dialect})" if dialect else ""
                message = f"{node.name}{where}: {word}() gives another value when a run is repeated, so a repeated run changes rows"
                at = place(call, query.places[0]) if query.places else node.span
                yield Finding(message, at, "for the time write {{ as_of() }}; compute anything else in the source")
