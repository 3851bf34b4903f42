"""Options that several commands take, and what they mean."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from c360gen.cli import complete, console
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from c360gen.engines import EngineError, Run, Session
    from c360gen.migrate.state import State
    from c360gen.pipeline import Build, LoadedProject


_VARS, _VARS_TEXT = "c360gen.vars", "c360gen.vars.text"
GUARD = r"(ZC\d{3}) "
LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER")
"""What libpq itself reads of where a database is."""


def specs_and_out(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option("--out", type=click.Path(path_type=Path), default=Path("generated"), help="Folder of the output.")(function)
    return specs(function)


def specs(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option(
        "--vars", "given_vars", metavar="MAPPING", expose_value=False, callback=_vars,
        help="Values of vars for this call, as YAML: '{gold_from: 500}'.",
    )(function)  # fmt: skip
    return click.option("--specs", type=click.Path(path_type=Path), default=Path("specs"), help="Folder of the specs.")(function)


def picture(function: Callable[..., Any]) -> Callable[..., Any]:
    """--format of what is a graph."""
    choices = click.Choice(["text", "json", "mermaid"])
    return click.option("--format", "shape", type=choices, default="text", show_default=True, help="For people, machines, wikis.")(function)


def select(help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--select", "-s", "selection", multiple=True, metavar="SELECTION", callback=_union, shell_complete=complete.selections,
        help=f"{help} May be repeated, which is union.",
    )  # fmt: skip


def exclude(help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--exclude", multiple=True, metavar="SELECTION", callback=_union, shell_complete=complete.selections,
        help=f"{help} May be repeated, which is union.",
    )  # fmt: skip


def _union(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Selections as one: in their grammar a space is union."""
    return " ".join(given) if given else None


def targets(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option(
        "--target", "target_names", multiple=True, metavar="NAME", shell_complete=complete.targets,
        help="A target by its name; may be repeated.",
    )(function)  # fmt: skip
    return click.option(
        "--dialect", "dialects", multiple=True, type=click.Choice(["duckdb", "postgres", "snowflake", "bigquery"]),
        help="Every default target of a dialect; may be repeated.",
    )(function)  # fmt: skip


def database(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--database", metavar="FILE_OR_DSN", envvar="C360GEN_DATABASE", default=None,
        help="A DuckDB file or a Postgres connection string; else C360GEN_DATABASE, else what libpq reads: PGSERVICE, PGHOST, "
        "PGDATABASE, .pgpass.",
    )(function)  # fmt: skip


class _TargetName(click.types.StringParamType):
    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str | None:
        known = [item.value for item in complete.targets(ctx, param, "")] if ctx else []
        return f"Targets: {', '.join(known)}" if known else None


def one_target(function: Callable[..., Any]) -> Callable[..., Any]:
    function = database(function)
    return click.option(
        "--target", "target_name", required=True, metavar="NAME", shell_complete=complete.targets, type=_TargetName(),
        help="The target whose output is used.",
    )(function)  # fmt: skip


def _vars(context: click.Context, parameter: click.Parameter, text: str | None) -> None:
    """YAML → the context's vars, which `project` reads."""
    if text is None:
        return
    import yaml

    from c360gen.spec.yaml import UNREADABLE

    try:
        found = yaml.safe_load(text)
    except UNREADABLE:
        found = None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise click.BadParameter(f"{text} is not a mapping such as '{{gold_from: 500}}'", context, parameter)
    context.meta[_VARS], context.meta[_VARS_TEXT] = found, text


def given_vars() -> Mapping[str, Any]:
    """What --vars of this call says; nothing where it is not given."""
    found: Mapping[str, Any] = click.get_current_context().meta.get(_VARS, {})
    return found


def to_type(command: str, *arguments: str) -> str:
    """A command for the project of this call: it has its --specs, --out and --vars."""
    context = click.get_current_context()
    words = ["c360gen", command, *arguments]
    for option, usual in (("specs", Path("specs")), ("out", Path("generated"))):
        given = context.params.get(option, usual)
        words += [f"--{option}", given.as_posix()] if given != usual else []
    if text := context.meta.get(_VARS_TEXT):
        words += ["--vars", text]
    return shlex.join(words)


def project(specs: Path) -> LoadedProject:
    """The project, or its mistakes and exit code 1."""
    from c360gen.pipeline import load_project  # here, so that --help and completion need no compiler

    try:
        loaded = load_project(specs, given_vars())
    except SpecError as error:
        console.spec_error(error)
        raise click.exceptions.Exit(FINDINGS) from None
    console.diagnostics(loaded.diagnostics, loaded.texts)
    return loaded


def names(loaded: LoadedProject, target_names: Sequence[str], dialects: Sequence[str]) -> list[str]:
    """The named targets, or the default ones."""
    found = list(dict.fromkeys([*target_names, *_of_dialects(loaded, dialects)])) or loaded.default_targets
    if not found:
        raise click.UsageError("the project has no default target (one named as its dialect): name one with --target")
    return found


def builds(loaded: LoadedProject, target_names: Sequence[str], dialects: Sequence[str], out: Path | None = None) -> list[Build]:
    """The builds of the named targets, or of the default ones; all or nothing.

    With `out`, what is released below it counts: specs that moved away from it are refused.
    """
    from c360gen.pipeline import build, build_below

    made, mistakes = [], []
    for name in names(loaded, target_names, dialects):
        try:
            made.append(build(loaded, name) if out is None else build_below(loaded, name, out))
        except SpecError as error:
            mistakes += [d for d in error.diagnostics if d not in mistakes]
    if mistakes:
        console.diagnostics(mistakes, loaded.texts)
        raise click.exceptions.Exit(FINDINGS)
    return made


def released(root: Path) -> State | None:
    """What is released of a target, or the reason why it cannot be read and exit code 1."""
    from c360gen.pipeline import released_state

    try:
        return released_state(root)
    except SpecError as error:
        console.spec_error(error)
        raise click.exceptions.Exit(FINDINGS) from None


def built(loaded: LoadedProject, name: str) -> Build:
    """One target as if nothing was released, or its mistakes and exit code 1."""
    return builds(loaded, [name], [])[0]


def _of_dialects(loaded: LoadedProject, dialects: Sequence[str]) -> list[str]:
    found = []
    for dialect in dialects:
        names = [n for n in loaded.default_targets if loaded.resolved.targets[n].dialect == dialect]
        if not names:
            raise click.UsageError(f"the project has no default target of dialect {dialect}: name one with --target")
        found += names
    return found


def database_of(database: str | None, dialect: str, *, create: bool = False) -> str:
    """The database to use; DuckDB needs one, which exists unless `create` is said, and Postgres finds its own in libpq's places.

    Where the call does not name it, it is said who does: a variable that somebody left behind must be seen.
    """
    from c360gen import engines

    if database is None and dialect == "duckdb":
        raise click.UsageError("name a DuckDB file with --database, or in C360GEN_DATABASE")
    if dialect not in engines.DIALECTS:
        raise click.UsageError(f"{dialect} cannot be run from here: the files are written for its own client (snow sql, bq)")
    is_file = dialect == "duckdb" and not str(database).startswith((":memory:", "md:"))
    if is_file and not create and not Path(str(database)).exists():
        raise click.UsageError(f"there is no file {database}; only `c360gen deploy` makes a new one")
    if click.get_current_context().get_parameter_source("database") is not ParameterSource.COMMANDLINE:
        named = "C360GEN_DATABASE" if database is not None else ", ".join(n for n in LIBPQ if os.environ.get(n))
        console.say(f"database: {f'from {named}' if named else 'the default of libpq, since nothing names one'}")
    return database or ""


def instant(text: str | None, option: str) -> str | None:
    """A time as people write it, UTC where it names no zone."""
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a time such as 2026-01-31T02:00:00 (UTC)", param_hint=option) from None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat(sep=" ")


def manifest(made: Build) -> dict[str, Any]:
    """What a build says of itself."""
    found: dict[str, Any] = json.loads(next(f.text for f in made.files if f.path == "manifest.json"))
    return found


def control_schema(made: Build) -> str:
    """The control schema of a build, from its manifest."""
    return str(manifest(made)["control_schema"])


def as_built(made: Build, out: Path) -> None:
    """What is run from files is what was reviewed: exit code 1 where they are not what the specs say."""
    from c360gen.emit.writer import compare

    root, build = out / made.target_name, to_type("build", "--target", made.target_name)
    if not root.exists():
        console.fail("C501", f"there is no {root.as_posix()}: nothing is built yet", f"{build} mends it")
    if compare(root, made.files):
        console.fail(
            "C501", f"{root.as_posix()} is not what the specs say, and only what was reviewed is used",
            f"{to_type('check', '--target', made.target_name)} shows the difference, {build} mends it",
        )  # fmt: skip


@contextlib.contextmanager
def session(dialect: str, database: str, control: str) -> Iterator[Session]:
    """A session, closed in any case; what the engine refuses on the way is a finding, and exit code 1."""
    from c360gen import engines

    try:
        with contextlib.closing(engines.connect(dialect, database, control)) as found:
            yield found
    except engines.EngineError as error:
        refused(error)


@contextlib.contextmanager
def deployed(made: Build, database: str) -> Iterator[Session]:
    """A session in a database in which the target is deployed, or exit code 1."""
    from c360gen import engines

    control = control_schema(made)
    with session(str(made.target.dialect), database, control) as found:
        try:
            found.query(f'SELECT 1 FROM "{control}".state WHERE 1 = 0')
        except engines.EngineError as error:
            not_deployed(made, error)
        yield found


def refused(error: EngineError, help: str | None = None) -> NoReturn:
    """What an engine refused, as a finding, and exit code 1."""
    from c360gen import engines

    codes = {engines.EngineUnreachable: "C801", engines.EngineBusy: "C804"}
    console.tell(_said(codes.get(type(error), "C803"), str(error), help or error.help))
    raise click.exceptions.Exit(FINDINGS)


def not_deployed(made: Build, error: EngineError) -> NoReturn:
    """What should be in the control schema cannot be read, and exit code 1."""
    console.tell(_said("C802", str(error), f"is it deployed? `{to_type('deploy', '--target', made.target_name)}` does that"))
    raise click.exceptions.Exit(FINDINGS)


def failed(run: Run) -> Diagnostic:
    """A run or a task that did not succeed, as a finding; what a guard says names the node, what an engine says does not."""
    return _said("C805", run.message if re.match(GUARD, run.message) else f"{run.node}: {run.message}", None)


def _said(code: str, text: str, help: str | None) -> Diagnostic:
    """What an engine says, its first line above the others; under the guard's own code where a guard says it."""
    if guard := re.match(GUARD, text):
        code, text = guard[1], text[guard.end() :]
    first, _, others = text.partition("\n")
    return Diagnostic(code, first, None, help, "error", others)
