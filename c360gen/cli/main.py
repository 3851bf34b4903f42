"""The `c360gen` command: a group that imports a command only when it is called, so that --help answers at once."""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

import c360gen
from c360gen.cli.exits import CALLED_WRONGLY, FINDINGS, OUR_BUG

COMMANDS = {
    "adopt": "Begin a history with the one that dbt or SQLMesh has kept.",
    "build": "Generate the SQL of targets.",
    "check": "Compare the generated SQL on disk with the specs.",
    "completion": "Print the script that makes a shell complete c360gen.",
    "deploy": "Bring a database to the released state: pending migrations, then deploy.sql.",
    "docs": "Write the documentation of a project as a folder of HTML pages.",
    "drift": "Compare a database with the released state.",
    "explain": "Explain a code: what, why, an example, and what to do instead.",
    "history": "Check a history, rewind it, erase a person.",
    "impact": "Show what would break if a column or a table changed or went.",
    "import": "Begin with what there is: a dbt project, or tables of a database.",
    "init": "Begin a project in a folder.",
    "lineage": "Show where a column comes from and where it goes.",
    "lint": "Find what the specs would lose in silence.",
    "ls": "List what a selection matches.",
    "migrate": "Write the migration from the released state to the specs.",
    "plan": "Show what changed since the released state, and at what risk.",
    "schema": "Print the JSON Schema of spec files, for editors.",
    "run": "Run nodes in a database.",
    "status": "Show how fresh nodes are, and how their runs ended.",
    "test": "Run scenarios and data tests.",
    "validate": "Check the specs; write nothing.",
    "verify": "Let parsers and engines judge the generated SQL.",
}
"""Every command with its line of help: known without importing any of them."""

FROM_DBT = {
    "clean": "build", "clone": "deploy", "compile": "build", "debug": "status", "deps": "import dbt",
    "list": "ls", "parse": "validate", "retry": "run", "seed": "deploy", "show": "test", "source": "status",
    "snapshot": "run --select resource_type:snapshot",
}  # fmt: skip
"""What dbt calls otherwise; docs/how-to/from-dbt.md says more of each."""

_MODULES = {"import": "import_"}
"""Where a command is a word of Python, its module is called otherwise."""


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"c360gen.cli.{_MODULES.get(name, name)}").command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands without importing any of them; click's own would ask each for its help."""
        names = [CompletionItem(n, help=COMMANDS[n]) for n in sorted(COMMANDS) if n.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            help = f" Did you mean '{near[0]}'?" if near else ""
            if instead := FROM_DBT.get(args[0]):
                help = f" What dbt does with it, `c360gen {instead}` does here."
            raise click.UsageError(f"No such command '{args[0]}'.{help}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """What --select leaves over, its user has meant as a part of the selection."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if "unexpected extra argument" in error.message and error.ctx is not None and error.ctx.params.get("selection"):
                help = "a selection of several words needs quotes around all of them: --select 'one two'"
                raise click.UsageError(f"{error.message}: {help}", error.ctx) from None
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version=c360gen.__version__, prog_name="c360gen", message="%(prog)s %(version)s")
def cli() -> None:
    """YAML specs of a Customer 360 → plain SQL for Postgres, Snowflake, BigQuery and DuckDB.

    Exit codes: 0 fine, 1 findings, 2 called wrongly, 3 changes are pending (plan --exit-code), 70 a bug in c360gen.
    """


def main() -> None:
    """The entry point: findings are for people, a traceback is only ever our own bug."""
    gc.set_threshold(200_000, 20, 100)  # a compiler allocates trees that live to its end: looking for garbage costs a fifth
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)  # click returns the code of an Exit here, and raises everything else
    except click.ClickException as error:
        error.show()
        sys.exit(CALLED_WRONGLY)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        from c360gen.cli import console

        if error.filename and not isinstance(error, FileNotFoundError):
            console.unwritable(error)
            sys.exit(FINDINGS)
        console.unexpected(error)
        sys.exit(OUR_BUG)
    except Exception as error:
        from c360gen.cli import console

        console.unexpected(error)
        sys.exit(OUR_BUG)


if __name__ == "__main__":
    main()
