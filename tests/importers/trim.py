"""dbt's artifacts without what no import reads, so that they can be committed: `python -m tests.importers.trim FOLDER`.

FOLDER is a copy of tests/importers/shop in which dbt has run `build`, `compile` and `docs generate`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parent / "shop"
_NOT_READ = {
    "build_path", "checksum", "compiled_path", "created_at", "doc_blocks", "docs", "extra_ctes_injected", "fqn", "path",
    "primary_key", "root_path", "unrendered_database", "unrendered_schema", "compiled", "stats", "time_spine", "contract_checksum",
}  # fmt: skip
_KEPT = ("metadata", "nodes", "sources", "exposures", "disabled", "unit_tests", "metrics", "semantic_models", "saved_queries", "groups")
_OF_A_RUN = {"generated_at", "invocation_id", "invocation_started_at", "run_started_at", "project_id", "user_id", "env"}


def manifest(text: str) -> str:
    found = json.loads(text)
    return _text({key: _read(found[key]) for key in _KEPT})


def catalog(text: str) -> str:
    found = json.loads(text)
    return _text({key: _read(found[key]) for key in ("metadata", "nodes", "sources")})


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _read(v) for k, v in value.items() if k not in _NOT_READ | _OF_A_RUN and v not in (None, [], {})}
    return [_read(v) for v in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) / "target"
    (SHOP / "target").mkdir(exist_ok=True)
    for name, trimmed in (("manifest", manifest), ("catalog", catalog)):
        (SHOP / "target" / f"{name}.json").write_text(trimmed((target / f"{name}.json").read_text(encoding="utf-8")), encoding="utf-8")
