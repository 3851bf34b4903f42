"""IMPORT.md: what an import did not carry over as it was, for whoever finishes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from c360gen.diagnostics import Diagnostic
from c360gen.importers import Note, Verdict

_TITLES: dict[Verdict, tuple[str, str]] = {
    "decide": ("To be decided", "Look at these before the first build."),
    "differs": ("Means something else here", "Not wrong, but not what dbt did."),
    "left out": ("Left out", "Not in the specs any more, each with the reason, and with what does it instead."),
    "compiled": (
        "SQL that dbt has compiled",
        "What is named last is a macro, or something else that is no word here: the file holds what dbt has made of it, and later changes "
        "of the macro do not come here.",
    ),
    "said otherwise": ("Said otherwise", "The same meaning in other words."),
}
_SHOWN = 4
"""As many notes with the same reason are listed; of more the names are."""
_NEXT = """\
## Stricter than dbt

Runs refuse what dbt takes in silence: a key that is NULL or names several rows, an `updated_at` that is NULL, a source that is empty all
of a sudden. Each refusal has a code, counts and keys, and most have a policy (`on_duplicate_key: latest`, `on_null_updated_at: quarantine`,
`on_empty_source: allow`). A new column of an incremental is added by a migration, where dbt ignores it by default. Exact quotients keep
nine decimals on every engine.

## Next

1. `c360gen validate` until it is silent, then `c360gen lint`: it tells what would be lost in silence, and where integers are divided.
2. `c360gen build`, and read the SQL.
3. Deploy beside dbt, not over it: the tables would have the addresses that dbt's have. Give the target a `schema_prefix`, or another
   database, and compare; what dbt has made can go when both agree.
4. Histories are not begun again: `c360gen adopt --table SCHEMA.TABLE` writes what takes over the one that dbt has kept.
5. Snapshots say `compat: dbt`: they find and date changes as `dbt snapshot` does. Leave it out where c360gen's own rules are wanted, and
   readers know the other names of the columns.
6. `targets: {duckdb: {dialect: duckdb}}` lets `c360gen test` play scenarios on a laptop, if the SQL is portable.
"""


def text(project: str, notes: Sequence[Note], problems: Sequence[Diagnostic]) -> str:
    out = [f"# {project}, imported from dbt", ""]
    if problems:
        out += ["## What `c360gen validate` says", "", "| where | why |", "|---|---|"]
        out += [f"| {_cell(f'{d.span.origin}:{d.span.line}' if d.span else '')} | {d.code}: {_cell(d.message)} |" for d in problems]
        out.append("")
    for verdict, (title, said) in _TITLES.items():
        found = [n for n in notes if n.verdict == verdict]
        if found:
            out += [f"## {title}", "", said, "", "| where | what | why |", "|---|---|---|", *_rows(found), ""]
    return "\n".join([*out, _NEXT])


def _rows(notes: Sequence[Note]) -> Iterator[str]:
    """One row per note; of many with one reason one row, with all their names."""
    alike: dict[str, list[Note]] = {}
    for note in notes:
        alike.setdefault(note.why, []).append(note)
    for why, found in alike.items():
        if len(found) > _SHOWN:
            names = ", ".join(f"`{_cell(n)}`" for n in dict.fromkeys(note.what for note in found))
            yield f"| {_cell(found[0].where)} and {len(found) - 1} more | {names} | {_cell(why)} |"
        else:
            yield from (f"| {_cell(n.where)} | `{_cell(n.what)}` | {_cell(why)} |" for n in found)


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")
