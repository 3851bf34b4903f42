"""Specs of many nodes: seconds of loading, linting and building one target, per size. Tests nothing.

python bench/scale.py [sizes …]: 500, 1,000 and 5,000 nodes by default; the build of the largest is left out.
"""

from __future__ import annotations

import datetime as dt
import gc
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from c360gen import pipeline


def specs(nodes: int) -> str:
    """A fifth each: snapshots, views, incrementals, marts in one long chain, aggregating views."""
    sources, snapshots, models = [], [], []
    for i in range(nodes // 5):
        before = f"mart{i - 1}" if i else "inc0"
        sources.append(
            f"      - name: t{i}\n        columns:\n          - {{name: id, data_type: bigint, data_tests: [not_null, unique]}}\n"
            "          - {name: v, data_type: text}\n          - {name: updated_at, data_type: timestamptz}\n"
        )
        snapshots.append(
            f"  - name: snap{i}\n    relation: source('raw', 't{i}')\n"
            "    config: {unique_key: id, strategy: timestamp, updated_at: updated_at, hard_deletes: ignore}\n"
        )
        models.append(
            f"  - name: stg{i}\n    sql: select id, v, updated_at from {{{{ source('raw', 't{i}') }}}}\n"
            f"  - name: inc{i}\n    config: {{materialized: incremental, unique_key: id, cursor: updated_at, lookback: 3 days}}\n"
            f"    sql: select s.id, s.v, s.updated_at from {{{{ ref('stg{i}') }}}} s\n"
            f"  - name: mart{i}\n    config: {{materialized: table, unique_key: id}}\n"
            f"    sql: select i.id, i.v, p.updated_at from {{{{ ref('inc{i}') }}}} i left join {{{{ ref('{before}') }}}} p on p.id = i.id\n"
            f"  - name: agg{i}\n    sql: select v, count(*) as n from {{{{ ref('mart{i}') }}}} group by v\n"
        )
    parts = ["version: 2\nsources:\n  - name: raw\n    tables:\n", *sources, "snapshots:\n", *snapshots, "models:\n", *models]
    return "".join(parts)


def measure(folder: Path, nodes: int, build: bool = True) -> dict[str, float]:
    """CPU seconds of this process by stage."""
    folder.mkdir(exist_ok=True)
    (folder / "p.yml").write_text(specs(nodes), encoding="utf-8")
    gc.collect()
    gc.disable()  # how often garbage is looked for depends on what else this process holds
    started = time.process_time()
    project = pipeline.load_project(folder)
    loaded = time.process_time()
    pipeline.lint(project, dt.date(2026, 1, 1))
    linted = time.process_time()
    if build:
        pipeline.build(project, "postgres")
    built = time.process_time()
    gc.enable()
    return {"nodes": len(project.resolved.nodes), "load": loaded - started, "lint": linted - loaded, "build": built - linted}


def main(*sizes: int) -> None:
    gc.set_threshold(200_000, 20, 100)  # as the command line does
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'nodes':>7} {'load s':>8} {'lint s':>8} {'build s':>8} {'load ms per node':>18}")
        for size in sizes:
            found = measure(Path(folder) / str(size), size, build=size <= 1000)
            ratio = 1000 * found["load"] / found["nodes"]
            print(f"{found['nodes']:7.0f} {found['load']:8.2f} {found['lint']:8.2f} {found['build']:8.2f} {ratio:18.2f}", flush=True)


if __name__ == "__main__":
    main(*([int(a) for a in sys.argv[1:]] or [500, 1000, 5000]))
