"""A project whose specs change while its tables hold history: write specs, migrate, deploy, run, look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from c360gen import engines
from c360gen.cli.main import cli
from c360gen.migrate import state
from c360gen.pipeline import Build, build_below, load_project
from tests.worlds import source_tables

PROJECT = "project: {name: shop, schema: mart}\ntargets: {%s: {dialect: %s}}\n"


class Evolving:
    """One target of one engine, in a folder and a database of its own."""

    def __init__(self, folder: Path, engine: str, database: str, settings: str = ""):
        self.folder, self.engine, self.database = folder, engine, database
        self.specs, self.out = folder / "specs", folder / "generated"
        self.specs.mkdir(parents=True, exist_ok=True)
        (self.specs / "project.yml").write_text(PROJECT % (engine, engine + settings), encoding="utf-8")
        self.open()

    def open(self) -> None:
        self.session = engines.connect(self.engine, self.database, "c360_control")
        self.connection = self.session.connection  # type: ignore[attr-defined]
        self.connection.execute("SET TimeZone = 'UTC'")

    # --- files ---------------------------------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        (self.specs / "nodes.yml").write_text(text, encoding="utf-8")

    def cli(self, *words: str, fails: int = 0) -> str:
        arguments = [*words, "--specs", str(self.specs), "--out", str(self.out)]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == fails, f"{words}: {result.output}\n{result.exception!r}"
        return result.output

    def build(self) -> Build:
        return build_below(load_project(self.specs), self.engine, self.out)

    @property
    def root(self) -> Path:
        return self.out / self.engine

    def released(self) -> state.State:
        found = state.read(self.root)
        assert found is not None
        return found

    def migration(self, file: str = "apply.sql") -> str:
        last = self.released().migrations[-1]
        return (self.root / f"migrations/{last.number:04}_{last.name}" / file).read_text(encoding="utf-8")

    # --- database ------------------------------------------------------------------------------------------------------------

    def begin(self, specs: str) -> None:
        """Specs, their baseline, sources and a first deploy."""
        self.write(specs)
        self.cli("migrate", "--name", "baseline")
        for statement in source_tables(self.manifest(), "TIMESTAMPTZ"):
            self.connection.execute(statement)
        if (self.root / "roles.sql").exists():
            self.execute((self.root / "roles.sql").read_text(encoding="utf-8"))
        self.deploy()

    def evolve(self, specs: str, name: str) -> None:
        self.write(specs)
        self.cli("migrate", "--name", name)
        self.deploy()

    def deploy(self) -> None:
        """As `c360gen deploy` does it, over the open connection."""
        from c360gen.cli.deploy import _apply
        from c360gen.cli.ledger import pending

        for migration in pending(self.session.ledger(), self.released()):
            _apply(self.session, self.root, migration)
        self.session.deploy((self.root / "deploy.sql").read_text(encoding="utf-8"))

    def execute(self, text: str) -> None:
        self.session.deploy(text)

    def sql(self, text: str) -> None:
        self.connection.execute(text)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return found

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "manifest.json").read_text(encoding="utf-8"))
        return found

    def run(self, node: str, as_of: str, full_refresh: bool = False) -> engines.Run:
        entry = next(n for n in self.manifest()["nodes"] if n["name"] == node)
        script = (self.root / entry["script"]).read_text(encoding="utf-8") if entry["script"] else None
        done = self.session.run(entry, script, f"{as_of}+00", full_refresh)
        assert done.succeeded, done.message
        return done

    def close(self) -> None:
        self.session.close()
