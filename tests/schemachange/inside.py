"""In schemachange's own venv: `python inside.py FOLDER` → its scripts in its order, each as the statements that it would send, as JSON."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import structlog  # type: ignore[import-not-found]
from schemachange.JinjaTemplateProcessor import JinjaTemplateProcessor  # type: ignore[import-not-found]
from schemachange.session.Script import get_all_scripts_recursively  # type: ignore[import-not-found]
from schemachange.sql_splitter import split_sql_statements  # type: ignore[import-not-found]
from schemachange.version import sorted_alphanumeric  # type: ignore[import-not-found]


def main(folder: Path) -> list[tuple[str, str, list[str]]]:
    """(type, name, statements), V scripts by number and then R scripts, as its deploy goes through them."""
    scripts = get_all_scripts_recursively(folder)
    jinja = JinjaTemplateProcessor(project_root=folder)
    names = [name for kind in "vr" for name in sorted_alphanumeric([n for n in scripts if n[0] == kind])]
    found = []
    for name in names:
        text = jinja.render(jinja.relpath(scripts[name].file_path), {})
        found.append((scripts[name].type, scripts[name].name, split_sql_statements(jinja.prepare_for_execution(text, name))))
    return found


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(main(Path(sys.argv[1]))))
