"""A project and its builds → the files of the site."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from c360gen.docs import nodes, others
from c360gen.docs.material import Material
from c360gen.docs.pages import Page
from c360gen.emit.files import File
from c360gen.pipeline import Build, LoadedProject

RECORD = "site.json"
"""Which files the last call wrote."""
MARK = "Written by c360gen docs from the specs: do not edit."
"""Stands in the first two lines of every file that is ours."""
_PACKAGE = Path(__file__).resolve().parent.parent
_UNSEEN = dict.fromkeys([*range(9), 11, *range(12, 32), *range(127, 160)], "�")
"""Controls, which no page may hold."""


def files(project: LoadedProject, builds: Sequence[Build]) -> list[File]:
    """Every page, the style sheet, and the record of both. Of no time, host or version; a page is the same whoever writes it."""
    made = [File("style.css", _text("style.css.j2", mark=MARK))]
    script = _text("filter.js.j2")
    for page in _pages(Material(project, builds)):
        index = page.path == "index.html"
        text = _text(
            "page.html.j2", page=page, project=project.resolved.project.name, mark=MARK, filter=index,
            script=Markup(script), scripts=_allowed(script) if index else "'none'",
        )  # fmt: skip
        made.append(File(page.path, text))
    listed = [{"path": f.path, "sha256": f.sha256} for f in made]
    return [*made, File(RECORD, json.dumps({"written_by": MARK, "files": listed}, indent=2) + "\n")]


def foreign(root: Path, files: Sequence[File]) -> list[str]:
    """What stands in the way of the site: files that we did not write, where ours would be or, in a folder without a site, anywhere."""
    if root.exists() and not root.is_dir():
        return [root.name]
    if not ours(root / RECORD) and (others := list(itertools.islice(_of_others(root), 3))):
        return others
    return [f.path for f in files if (root / f.path).exists() and not ours(root / f.path)]


def ours(at: Path) -> bool:
    """Whether a file says in its first lines that we wrote it."""
    try:
        with at.open("rb") as file:
            return MARK.encode() in b"".join(file.readlines(200)[:2])
    except OSError:
        return False


def kept(root: Path) -> list[str]:
    """The files of others beside the site, which are left alone."""
    return sorted(_of_others(root))


def _of_others(root: Path) -> Iterator[str]:
    """Hidden ones, such as .git and .nojekyll, are nobody's pages."""
    for path in root.rglob("*"):
        at = path.relative_to(root)
        if path.is_file() and not any(part.startswith(".") for part in at.parts) and not ours(path):
            yield at.as_posix()


def _pages(material: Material) -> Iterator[Page]:
    yield others.index(material)
    yield from (others.source(s, material) for s in material.project.sources.values())
    yield from (nodes.page(n, material) for n in material.project.nodes.values())
    yield from (others.exposure(e, material) for e in material.project.exposures)
    yield from (others.schedule(s, material) for s in material.project.schedules)


def _allowed(script: str) -> str:
    """The one script that a browser may run in a page: whatever a description smuggles in has another hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _text(template: str, **values: Any) -> str:
    return _environment().get_template(f"docs/templates/{template}").render(values).strip("\n") + "\n"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PACKAGE), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=True, auto_reload=False, finalize=_seen,
    )  # fmt: skip


def _seen(value: Any) -> Any:
    """A text as a page may hold it; what templates have rendered is one already."""
    return value.replace("\r\n", "\n").translate(_UNSEEN) if isinstance(value, str) and not isinstance(value, Markup) else value
