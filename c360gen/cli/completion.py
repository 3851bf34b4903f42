"""`c360gen completion SHELL`: the script that makes a shell complete c360gen."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from c360gen.cli import console
from c360gen.cli.main import cli

HELP = """Print the script that makes a shell complete commands, options, nodes, columns, targets and codes.

\b
bash: eval "$(c360gen completion bash)"          in ~/.bashrc
zsh:  eval "$(c360gen completion zsh)"           in ~/.zshrc
fish: c360gen completion fish | source           in ~/.config/fish/config.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    found = get_completion_class(shell)
    assert found is not None, "click knows all three"
    console.answer(found(cli, {}, "c360gen", "_C360GEN_COMPLETE").source())
