"""The most columns that an engine takes: one more is a finding, and what is accepted can be deployed and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.diagnostics import SpecError
from c360gen.pipeline import build, load_project
from tests.conftest import TARGETS
from tests.worlds import World

MOST = 798
"""Tracked columns: history_changes has each twice, beside the key, the time and the word."""


def specs(folder: Path, tracked: int) -> Path:
    listed = "".join(f"          - {{name: c{n}, data_type: integer}}\n" for n in range(tracked))
    (folder / "p.yml").write_text(
        f"""{TARGETS}
sources:
  - name: raw
    tables:
      - name: wide
        columns:
          - {{name: id, data_type: bigint}}
{listed}
snapshots:
  - name: history
    relation: source('raw', 'wide')
    config: {{unique_key: id, strategy: check, check_cols: all, hard_deletes: invalidate}}
""",
        encoding="utf-8",
    )
    return folder


def test_one_more_is_a_finding(tmp_path: Path) -> None:
    project = load_project(specs(tmp_path, MOST + 1))
    with pytest.raises(SpecError) as caught:
        build(project, "postgres")
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("C402", "postgres cannot say this: history_changes has 1,601 columns, and 1,600 are the most")
    build(project, "bigquery")


def test_the_most_can_be_run(tmp_path: Path, world: Callable[[Path, str], World]) -> None:
    found = world(specs(tmp_path, MOST), "postgres")
    found.sql("INSERT INTO raw.wide (id, c0, c797) VALUES (1, 1, 1)")
    assert found.run("history", "2026-01-01 00:00:00") == ""
    found.sql("UPDATE raw.wide SET c797 = 2")
    assert found.run("history", "2026-01-02 00:00:00") == ""
    changes = found.function("snapshots.history_changes('2026-01-01 12:00:00', '2026-01-03 00:00:00')")
    assert found.rows(f"SELECT c797_before, c797_after FROM {changes}") == [(1, 2)]
