"""`python -m tests.mutations`: seeds defects, runs the tests that should notice, prints who survived.

Exit 1 where in any dialect less than 95 % are noticed of those that change a meaning; survivors.yml lists those that do not."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mutations.harness import FILES, Harness, Verdict
from tests.mutations.mutants import chosen, mutants
from tests.mutations.rules import RULES
from tests.mutations.table import DIALECTS, Row, enough, reason, show

STREAMS = {"duckdb": ("--streams", "48")}
"""Its 200 of the fast suite would be most of the time that a survivor takes."""
FEED_STREAMS = {"snowflake": "6", "bigquery": "6"}
"""Per test of feeds; 20 where the engine is a real one."""


def main() -> int:
    options = arguments()
    if options.rows:
        return run(options)
    dialects = [d for d in DIALECTS if options.dialect in (None, d)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        command = [sys.executable, "-m", "tests.mutations", "--per-rule", str(options.per_rule)]
        command += ["--listed"] * options.listed
        for name, given in (("rule", options.rule), ("case", options.case), ("name", [options.name]), ("test", options.test)):
            command += [word for value in given if value for word in (f"--{name}", value)]

        failed: dict[str, bool] = {}

        def one(dialect: str) -> list[Row]:
            path = Path(folder) / dialect
            streams = {"C360_ENGINE": dialect, "C360_STREAMS": FEED_STREAMS.get(dialect, "20")}  # tests.strategies.test_feeds
            ended = subprocess.run([*command, "--dialect", dialect, "--rows", str(path)], stdout=sys.stderr, env=os.environ | streams)
            failed[dialect] = ended.returncode != 0
            return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]

        found = [row for rows in pool.map(one, dialects) for row in rows]
    print(show(found))
    return 0 if enough(found) and not any(failed.values()) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--dialect", choices=DIALECTS)
    parser.add_argument("--rule", action="append", default=[], help="only this rule; may be repeated")
    parser.add_argument("--case", action="append", default=[], help="only texts of this case; may be repeated")
    parser.add_argument("--name", help="only this mutant, by the name that the table gives it")
    parser.add_argument("--per-rule", type=int, default=3, help="how many mutants of each rule and dialect (3); 0: all")
    parser.add_argument("--test", action="append", default=[], help="only this file of tests; may be repeated")
    parser.add_argument("--listed", action="store_true", help="try those that survivors.yml names as well, which else count as survivors")
    parser.add_argument("--jobs", type=int, default=2, help="dialects at a time (2)")
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    """One dialect, in this process."""
    found = mutants(options.dialect, options.case, options.rule or RULES)
    wanted = [m for m in found if options.name in (None, m.name)]
    wanted = chosen(wanted, options.per_rule or len(wanted))

    def report(verdict: Verdict) -> None:
        mutant = verdict.mutant
        word = f"killed by {verdict.killed_by}" if verdict.killed_by else "SURVIVED"
        print(
            f"{options.dialect} {mutant.name} {mutant.rule}: {mutant.shown}\n    {word} ({verdict.tests} tests, {verdict.seconds:.1f} s)",
            flush=True,
        )

    known = [] if options.listed or options.name else [m for m in wanted if reason(m)]
    harness = Harness([m for m in wanted if m not in known], report)
    given = ["-q", "-s", "--no-header", "-p", "no:cacheprovider", "-m", "", "--unshrunk", *STREAMS.get(options.dialect, ())]
    code = pytest.main([*given, *(options.test or FILES)], plugins=[harness])
    for nodeid, said in harness.red_anyway.items():
        print(f"{nodeid} fails without any defect: {said}", flush=True)
    verdicts = [*harness.verdicts, *map(Verdict, known)]
    rows = [row_of(verdict) for verdict in verdicts]
    Path(options.rows).write_text(json.dumps([row.__dict__ for row in rows]), encoding="utf-8")
    ran = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return 0 if ran and len(rows) == len(wanted) and not harness.red_anyway else 1


def row_of(verdict: Verdict) -> Row:
    m = verdict.mutant
    return Row(m.dialect, m.name, m.rule, m.step, m.shown, m.which, verdict.killed_by, verdict.seconds)


if __name__ == "__main__":
    sys.exit(main())
