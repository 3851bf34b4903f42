"""IMPORT.md: what an import did not carry over as it was, for whoever finishes it."""

from __future__ import annotations

from collections.abc import Sequence

from c360gen.diagnostics import Diagnostic
from c360gen.importers import Note, Verdict

_TITLES: dict[Verdict, tuple[str, str]] = {
    "decide": ("To be decided", "Look at these before the first build."),
    "left out": ("Left out", "Not in the specs any more, each with the reason, and with what does it instead."),
    "said otherwise": ("Said otherwise", "The same meaning in other words."),
}
_NEXT = """\
## Next

1. `c360gen validate` until it is silent, then `c360gen lint`: it tells what would be lost in silence.
2. `c360gen build`, and read the SQL.
3. Deploy beside dbt, not over it: the tables would have the addresses that dbt's have. Give the target a `schema_prefix`, or another
   database, and compare; what dbt has made can go when both agree.
4. Histories are not begun again: `c360gen adopt --table SCHEMA.TABLE` writes what takes over the one that dbt has kept.
5. Snapshots say `compat: dbt`: they find and date changes as `dbt snapshot` does. Leave it out where c360gen's own rules are wanted, and
   readers know the other names of the columns.
"""


def text(project: str, notes: Sequence[Note], problems: Sequence[Diagnostic]) -> str:
    out = [f"# {project}, imported from dbt", ""]
    for verdict, (title, said) in _TITLES.items():
        found = [n for n in notes if n.verdict == verdict]
        if found:
            out += [f"## {title}", "", said, "", "| where | what | why |", "|---|---|---|"]
            out += [f"| {_cell(n.where)} | `{_cell(n.what)}` | {_cell(n.why)} |" for n in found]
            out.append("")
    if problems:
        out += ["## What `c360gen validate` says", "", "| where | why |", "|---|---|"]
        out += [f"| {_cell(f'{d.span.origin}:{d.span.line}' if d.span else '')} | {d.code}: {_cell(d.message)} |" for d in problems]
        out.append("")
    return "\n".join([*out, _NEXT])


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")
