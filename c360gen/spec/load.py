"""A folder of YAML and SQL → Specs: everything as written, validated key by key, each item with its place."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

import c360gen
from c360gen.diagnostics import Diagnostics, Span, nearest_or_list
from c360gen.spec import csv, models
from c360gen.spec.messages import report
from c360gen.spec.models import Approval, Exposure, Lint, Model, Scenario, Schedule, Seed, Snapshot
from c360gen.spec.yaml import Loc, SqlText, Tree, parse, sql_of_file

T_co = TypeVar("T_co", covariant=True)
LARGEST_SEED = 256 * 1024
"""Bytes: a whole deploy of BigQuery may have a megabyte."""
_TARGET_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SECTIONS = ("sources", "seeds", "snapshots", "models", "exposures", "schedules", "scenarios", "approvals")

__all__ = ["Located", "Specs", "SqlText", "load"]


@dataclass(frozen=True)
class Located(Generic[T_co]):
    """One item of the specs and where it stands."""

    spec: T_co
    path: str
    tree: Tree | None = None
    loc: Loc = ()
    sql: Mapping[str, SqlText] = field(default_factory=dict)
    """Of models, and of snapshots that have some: "" is the project's dialect, others by name."""
    rows: tuple[tuple[csv.Field, ...], ...] | None = None
    """Of seeds: the lines of their file, the header first."""

    def span(self, *loc: str | int) -> Span:
        """The place of a value inside this item; of its nearest parent where it is absent."""
        return self.tree.span((*self.loc, *loc)) if self.tree else Span(self.path)

    def key_span(self, *loc: str | int) -> Span:
        """The place of a key inside this item."""
        return self.tree.key_span((*self.loc, *loc)) if self.tree else Span(self.path)

    def says(self, *loc: str | int) -> bool:
        """Whether a value is written there, be it null."""
        return self.tree is not None and (*self.loc, *loc) in self.tree.nodes


@dataclass(frozen=True)
class Specs:
    """All files of a project, merged, as written."""

    project: Located[models.Project]
    targets: Mapping[str, Located[models.Target]]
    sources: tuple[Located[models.Source], ...]
    seeds: tuple[Located[Seed], ...]
    snapshots: tuple[Located[models.Snapshot], ...]
    models: tuple[Located[Model], ...]
    exposures: tuple[Located[Exposure], ...]
    schedules: tuple[Located[Schedule], ...]
    scenarios: tuple[Located[Scenario], ...]
    lint: tuple[Located[Lint], ...]
    approvals: tuple[Located[Approval], ...]
    texts: Mapping[str, str]
    guessed: bool = False
    """No project is known, and it may stand in a file that cannot be read: neither the dialect of the SQL nor the vars are known."""

    @property
    def nodes(self) -> tuple[Located[Snapshot | Model | Seed], ...]:
        """Snapshots, models and seeds, which share one namespace."""
        return (*self.snapshots, *self.models, *self.seeds)

    @property
    def other_dialects(self) -> Set[str | None]:
        """Those of targets in which SQL of the project's own dialect must mean the same."""
        return {target.spec.dialect for target in self.targets.values()} - {self.project.spec.sql_dialect}


def load(root: Path, diagnostics: Diagnostics, vars: Mapping[str, Any] | None = None) -> Specs:
    """Read every .yml and .yaml below root. Mistakes go to `diagnostics`; what is right is returned all the same.

    `vars` take the place of vars that the project declares.
    """
    texts: dict[str, str] = {}
    files = list(_files(root, texts, diagnostics))
    whole = not diagnostics.failed
    projects = [Located(f.project, t.path, t, ("project",)) for t, f in files if f.project]
    for other in projects[1:]:
        diagnostics.error("C108", f"`project` is given twice, first in {projects[0].path}", other.key_span(), "keep one of them")
    project = projects[0] if projects else Located(models.Project(), root.as_posix())
    if vars:
        project = replace(project, spec=_with_vars(project.spec, vars, diagnostics))
    _required(project, diagnostics)
    found: dict[str, list[Located[Any]]] = {name: [] for name in _SECTIONS}
    targets: dict[str, Located[models.Target]] = {}
    for tree, file in files:
        for name, target in file.targets.items():
            _target_name(name, tree, diagnostics)
            if name in targets:
                message = f"target {name} is given twice, first in {targets[name].path}"
                diagnostics.error("C108", message, tree.key_span(("targets", name)))
            targets[name] = Located(target, tree.path, tree, ("targets", name))
        for section in _SECTIONS:
            for index, item in enumerate(getattr(file, section)):
                located = Located(item, tree.path, tree, (section, index))
                if section in ("models", "snapshots"):
                    located = _with_sql(located, root, project.spec.sql_dialect, texts, diagnostics)
                found[section].append(located)
    for kinds in (("sources",), ("snapshots", "models", "seeds"), ("exposures",), ("schedules",), ("scenarios",)):
        _unique([item for kind in kinds for item in found[kind]], diagnostics)
    found["seeds"] = _with_rows(found["seeds"], root, texts, diagnostics)
    if not found["snapshots"] and not found["models"] and not found["seeds"] and not diagnostics.failed:
        help = "`c360gen init NAME` writes a first project"
        diagnostics.error("C107", f"{root.as_posix()} has no snapshot, no model and no seed", None, help)
    return Specs(
        project, _targets(targets, diagnostics), tuple(found["sources"]), tuple(found["seeds"]), tuple(found["snapshots"]),
        tuple(found["models"]), tuple(found["exposures"]), tuple(found["schedules"]), tuple(found["scenarios"]),
        tuple(Located(f.lint, t.path, t, ("lint",)) for t, f in files if f.lint), tuple(found["approvals"]), texts,
        not (projects or whole),
    )  # fmt: skip


def _required(project: Located[models.Project], diagnostics: Diagnostics) -> None:
    """An upgrade changes generated text, so it is a decision: in one commit with the text that it changes."""
    if not project.spec.required_version:
        return
    from packaging.specifiers import SpecifierSet

    wanted = ",".join(project.spec.required_version)
    if not SpecifierSet(wanted).contains(c360gen.__version__, prereleases=True):
        help = f"pip install 'c360gen{wanted}', or change required_version and review what `c360gen build` changes"
        message = f"this project is for c360gen {wanted}, and this is {c360gen.__version__}"
        diagnostics.error("C404", message, project.span("required_version"), help)


def _with_vars(project: models.Project, vars: Mapping[str, Any], diagnostics: Diagnostics) -> models.Project:
    for name in vars.keys() - project.vars.keys():
        diagnostics.error("C104", f"the project declares no var {name}", None, nearest_or_list(name, project.vars, "vars"))
    try:
        checked = TypeAdapter(models.Vars).validate_python(dict(vars))
    except ValidationError as error:
        name = next((str(p) for p in error.errors()[0]["loc"]), "")
        diagnostics.error("C104", f"var {name} must be text, a number, true, false or a list of them")
        return project
    return project.model_copy(update={"vars": {**project.vars, **checked}})


def _files(root: Path, texts: dict[str, str], diagnostics: Diagnostics) -> Iterator[tuple[Tree, models.SpecFile]]:
    if not root.is_dir():
        help = "name one with --specs, or let `c360gen init NAME` write a first project"
        diagnostics.error("C107", f"there is no folder {root.as_posix()}", None, help)
        return
    paths = sorted(p for p in root.rglob("*") if p.suffix in (".yml", ".yaml") and p.is_file())
    for path in paths:
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        shown = path.as_posix()
        text = _read(path, shown, diagnostics, None)
        if text is None:
            continue
        texts[shown] = text
        tree = parse(text, shown, diagnostics, _named(path, root))
        if tree is None:
            continue
        if "config-version" in tree.data:
            help = "move it out of the specs: what c360gen needs of it, name and vars, stands under project:"
            diagnostics.error("C106", "this is dbt's own project file", tree.key_span(("config-version",)), help)
            continue
        try:
            yield tree, models.SpecFile.model_validate(tree.data)
        except ValidationError as error:
            report(error, tree, diagnostics)
            if "project" in tree.data and not any(e["loc"][:1] == ("project",) for e in error.errors()):
                yield tree, models.SpecFile.model_validate({"project": tree.data["project"]})  # all SQL needs its dialect and vars


def _named(path: Path, root: Path) -> str:
    """/home/ann/shop/specs/a/b.yml → specs/a/b.yml, however the user writes the folder of the specs."""
    return posixpath.normpath(PurePosixPath(os.path.basename(os.path.abspath(root)), path.relative_to(root).as_posix()))


def _read(path: Path, shown: str, diagnostics: Diagnostics, at: Span | None) -> str | None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        diagnostics.error("C101", f"{shown} cannot be read: {(error.strerror or 'unreadable').lower()}", at)
        return None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        diagnostics.error("C101", f"{shown} is not UTF-8: byte {error.start + 1} is {raw[error.start]:#04x}", at or Span(shown, line))
        return None


def _with_sql(
    located: Located[Model | Snapshot], root: Path, dialect: str, texts: dict[str, str], diagnostics: Diagnostics
) -> Located[Model | Snapshot]:
    model, tree = located.spec, located.tree
    assert tree is not None
    kind = type(model).__name__.lower()
    given_keys = [k for k in ("relation", "sql", "sql_file") if getattr(model, k, None) is not None]
    if len(given_keys) > 1:
        message = f"{kind} {model.name} has both {given_keys[0]} and {given_keys[1]}"
        diagnostics.error("C401", message, located.key_span(given_keys[1]), "keep one of them")
        return located
    if not given_keys and kind == "model":
        help = "add sql: with a SELECT, or sql_file: with the name of a file beside this one"
        diagnostics.error("C105", f"model {model.name} has no SQL", located.span("name"), help)
    if not given_keys or given_keys == ["relation"]:
        return located
    key = "sql" if model.sql is not None else "sql_file"
    given = model.sql if model.sql is not None else model.sql_file
    entries: dict[str, Loc] = {"": (key,)} if isinstance(given, str) else {n: (key, n) for n in given or {}}
    if not isinstance(given, str):
        if dialect not in entries:
            help = f"add an entry for {dialect}; the others are exceptions from it"
            diagnostics.error("C105", f"`{key}` has no text for {dialect}, the project's sql_dialect", located.span(key), help)
            return located
        entries = {"": entries.pop(dialect), **entries}
    found: dict[str, SqlText] = {}
    for name, loc in entries.items():
        if key == "sql":
            text: SqlText | None = tree.sql((*located.loc, *loc))
        else:
            text = _sql_file(located, loc, root, texts, diagnostics)
        if text is not None and not text.text.strip():
            diagnostics.error("C104", f"the SQL of {model.name} is empty", located.span(*loc), "write one SELECT")
        elif text is not None:
            found[name] = text
    return Located(model, located.path, tree, located.loc, found)


def _sql_file(located: Located[Model | Snapshot], loc: Loc, root: Path, texts: dict[str, str], diagnostics: Diagnostics) -> SqlText | None:
    given = located.spec.sql_file
    name = given if isinstance(given, str) else (given or {})[str(loc[-1])]  # type: ignore[index]
    at = located.span(*loc)
    path = Path(located.path).parent / name
    if PurePosixPath(name).is_absolute() or root.resolve() not in path.resolve().parents:
        diagnostics.error("C104", f"{name} lies outside of {root.as_posix()}", at, "name a file below the specs folder")
        return None
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.sql")] if path.parent.is_dir() else []
        diagnostics.error("C101", f"there is no file {path.as_posix()}", at, nearest_or_list(path.name, near, "files"))
        return None
    text = _read(path, path.as_posix(), diagnostics, at)
    if text is None:
        return None
    texts[path.as_posix()] = text
    return sql_of_file(text, path.as_posix(), _named(path, root))


def _with_rows(seeds: list[Located[Seed]], root: Path, texts: dict[str, str], diagnostics: Diagnostics) -> list[Located[Seed]]:
    """Every seed with the lines of seeds/**/<name>.csv; a file without a seed is a mistake as well."""
    files: dict[str, Path] = {}
    for path in sorted((root / "seeds").rglob("*.csv")):
        if (other := files.setdefault(path.stem, path)) != path:
            message = f"{path.as_posix()} and {other.as_posix()} have one name"
            diagnostics.error("C108", message, Span(path.as_posix()), "rename one of them")
    blame = not diagnostics.failed  # a file with a mistake declares nothing: do not blame what it would have declared
    for name in sorted(files.keys() - {s.spec.name for s in seeds}) if blame else ():
        help = f"declare it: seeds: [{{name: {name}, columns: [{{name: …, data_type: …}}]}}]"
        diagnostics.error("C105", f"{files[name].as_posix()} belongs to no seed", Span(files[name].as_posix()), help)
    return [_with_lines(s, files.get(s.spec.name), root, texts, diagnostics) for s in seeds]


def _with_lines(located: Located[Seed], path: Path | None, root: Path, texts: dict[str, str], diagnostics: Diagnostics) -> Located[Seed]:
    name, at = located.spec.name, located.span("name")
    if path is None:
        diagnostics.error("C101", f"there is no file {(root / 'seeds' / name).as_posix()}.csv", at, "a seed has the name of its file")
        return located
    shown = path.as_posix()
    if (size := path.stat().st_size) > LARGEST_SEED:
        message = f"{shown} has {size / 1024:,.0f} KiB; {LARGEST_SEED // 1024} KiB is the most for a table that is written in SQL"
        diagnostics.error("C104", message, at, "load it with the database's own loader, and declare it under sources:")
        return located
    text = _read(path, shown, diagnostics, None)
    if text is None:
        return located
    texts[shown] = text
    rows = csv.parse(sql_of_file(text, shown, _named(path, root)), located.spec.config.delimiter, diagnostics)
    if rows == []:
        diagnostics.error("C104", f"{shown} is empty", Span(shown), "its first line names the columns")
    return replace(located, rows=tuple(rows) if rows else None)


def _unique(items: list[Located[Any]], diagnostics: Diagnostics) -> None:
    seen: dict[str, Located[Any]] = {}
    for item in items:
        kind = type(item.spec).__name__.lower()
        first = seen.setdefault(item.spec.name.lower(), item)
        if first is not item:
            at = first.span("name")
            message = f"{kind} {item.spec.name[:60]} has the name of another {type(first.spec).__name__.lower()}, in {at.path}:{at.line}"
            diagnostics.error("C108", message, item.span("name"), "rename one of them")


def _target_name(name: str, tree: Tree, diagnostics: Diagnostics) -> None:
    if not _TARGET_NAME.fullmatch(name):
        help = "use lower-case letters, digits and underscores: it becomes the name of a folder"
        diagnostics.error("C204", f"target '{name[:40]}' cannot be used as a name", tree.key_span(("targets", name)), help)


def _targets(written: Mapping[str, Located[models.Target]], diagnostics: Diagnostics) -> dict[str, Located[models.Target]]:
    """`extends` carried out; the four dialects with their defaults where no target is written."""
    if not written:
        return {n: Located(models.Target.model_validate({"dialect": n}), "") for n in models.DIALECTS}
    done: dict[str, Located[models.Target]] = {}
    for name, located in written.items():
        settings: dict[str, Any] = {}
        chain, current = [name], located
        while True:
            inherited = current.spec.model_dump(exclude_unset=True)
            merged = {k: {**inherited.get(k, {}), **settings.get(k, {})} for k in ("roles", "settings")}
            settings = {**inherited, **settings, **{k: v for k, v in merged.items() if v}}
            parent = current.spec.extends
            if parent is None:
                break
            if parent not in written:
                help = nearest_or_list(parent, written, "targets")
                diagnostics.error("C403", f"target {chain[-1]} extends {parent}, which is not known", current.span("extends"), help)
                break
            if parent in chain:
                circle = chain[chain.index(parent) :]
                if name == min(circle):  # once, not from each of its targets
                    diagnostics.error("C203", f"targets extend each other: {' → '.join([*circle, parent])}", located.span("extends"))
                break
            chain.append(parent)
            current = written[parent]
        settings.pop("extends", None)
        if len(chain) > 1 and "default" not in located.spec.model_fields_set:
            settings.pop("default", None)
        target = models.Target.model_validate(settings)
        if target.dialect is None and not diagnostics.failed:
            diagnostics.error("C403", f"target {name} has no dialect", located.key_span(), f"add dialect: {', '.join(models.DIALECTS)}")
        done[name] = Located(target, located.path, located.tree, located.loc)
    return done
