"""What the shell offers after TAB: names as the YAML has them, without compiling it; silence where it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


def places(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Nodes and tables of sources; behind the dot of one, its columns."""
    specs = _specs(ctx)
    names = {**_nodes(specs), **_tables(specs)}
    around = max((n for n in names if incomplete.startswith(f"{n}.")), key=len, default=None)
    if around is not None:
        names |= {f"{around}.{c}": "column" for c in _columns(ctx, around)}
    return _offer(names, incomplete)


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    written = {n: str(t.get("dialect") or "") for f in _specs(ctx) for n, t in _mapping(f.get("targets")).items() if isinstance(t, dict)}
    return _offer(written or dict.fromkeys(("duckdb", "postgres", "snowflake", "bigquery"), ""), incomplete)


def schedules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _offer({str(i["name"]): str(i.get("cron") or "") for i in _items(_specs(ctx), "schedules")}, incomplete)


def selections(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last word of a selection: a name, or a method with a value."""
    specs = _specs(ctx)
    offered = _nodes(specs)
    offered |= {f"source:{n}": "source" for n in _tables(specs)}
    offered |= {f"exposure:{i['name']}": "exposure" for i in _items(specs, "exposures")}
    offered |= {f"resource_type:{kind}": "" for kind in ("seed", "snapshot", "model", "source", "exposure")}
    for section in ("sources", "snapshots", "models", "exposures"):
        offered |= {f"tag:{tag}": "" for item in _items(specs, section) for tag in _tags(item)}
    before = incomplete[: max(incomplete.rfind(sign) for sign in "+ ,") + 1]  # `tag:x,+` of `tag:x,+stg`
    return _offer({f"{before}{n}": help for n, help in offered.items()}, incomplete)


def _offer(names: dict[str, str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(n, help=help or None) for n, help in sorted(names.items()) if n.startswith(incomplete)]


def _specs(ctx: click.Context) -> list[dict[str, Any]]:
    """Every file of --specs that is YAML, as it is written."""
    from c360gen.diagnostics import Diagnostics
    from c360gen.spec.yaml import parse

    root = Path(ctx.params.get("specs") or "specs")
    found = []
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".yml", ".yaml")):
        try:
            tree = parse(path.read_text(encoding="utf-8"), path.as_posix(), Diagnostics())
        except (OSError, UnicodeDecodeError):
            continue
        found += [tree.data] if tree is not None else []
    return found


def _items(specs: list[dict[str, Any]], section: str) -> Iterator[dict[str, Any]]:
    for file in specs:
        written = file.get(section)
        yield from (i for i in written if isinstance(i, dict) and "name" in i) if isinstance(written, list) else ()


def _nodes(specs: list[dict[str, Any]]) -> dict[str, str]:
    return {str(i["name"]): kind for kind in ("seed", "snapshot", "model") for i in _items(specs, f"{kind}s")}


def _tables(specs: list[dict[str, Any]]) -> dict[str, str]:
    sources = list(_items(specs, "sources"))
    return {f"{s['name']}.{t['name']}": "source" for s in sources for t in s.get("tables") or () if isinstance(t, dict) and "name" in t}


def _tags(item: dict[str, Any]) -> list[str]:
    found = [item.get("tags"), _mapping(item.get("config")).get("tags")]
    return [str(t) for tags in found if tags for t in ([tags] if isinstance(tags, str) else tags)]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _columns(ctx: click.Context, relation: str) -> list[str]:
    """Columns follow from SQL, so that this one needs the compiler."""
    from c360gen.diagnostics import SpecError
    from c360gen.pipeline import load_project

    try:
        project = load_project(ctx.params.get("specs") or "specs").resolved
    except SpecError:
        return []
    found = project.sources.get(relation) or project.nodes.get(relation)
    return [c.name for c in found.columns] if found else []
