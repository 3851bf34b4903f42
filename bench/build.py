"""How long the shipped project takes: start-up, loading, and each target, beside the whole command. Prints ratios, tests nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(rounds: int = 5) -> None:
    gc.set_threshold(200_000, 20, 100)  # as the command line does
    started = time.perf_counter()
    from c360gen import dialects, pipeline

    targets = ("duckdb", "postgres", "snowflake", "bigquery")
    for name in targets:
        dialects.get(name)
    imports = time.perf_counter() - started
    best: dict[str, float] = {}
    for _ in range(rounds):
        at = time.perf_counter()
        project = pipeline.load_project(ROOT / "specs")
        times = {"load": time.perf_counter() - at}
        for name in targets:
            at = time.perf_counter()
            pipeline.build(project, name)
            times[name] = time.perf_counter() - at
        times["all targets, after start-up"] = sum(times.values())
        best = {k: min(v, best.get(k, v)) for k, v in times.items()}
    commands = {
        "c360gen --help": ["--help"],
        "c360gen build": ["build", "--specs", str(ROOT / "specs"), "--out", str(ROOT / "generated")],
    }
    for name, arguments in commands.items():
        for _ in range(rounds):
            at = time.perf_counter()
            subprocess.run([sys.executable, "-m", "c360gen.cli.main", *arguments], capture_output=True, check=True)
            best[name] = min(time.perf_counter() - at, best.get(name, 1e9))
    whole = best["c360gen build"]
    print(f"{'imports':30} {imports:7.3f} s  {imports / whole:5.2f} of the command")
    for name, seconds in best.items():
        print(f"{name:30} {seconds:7.3f} s  {seconds / whole:5.2f} of the command")


if __name__ == "__main__":
    main()
