"""pydantic's findings in the words of a person, each with the place of the key or value that is wrong."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from c360gen.diagnostics import Diagnostics, Span, did_you_mean
from c360gen.spec import hints, models
from c360gen.spec.yaml import Loc, Tree

_SECTIONS: dict[type[BaseModel], str] = {
    models.SpecFile: "file", models.Project: "project", models.Source: "sources", models.SourceTable: "tables",
    models.SourceConfig: "source_config",
    models.Column: "columns", models.DataTest: "data_tests", models.Snapshot: "snapshots",
    models.SnapshotConfig: "snapshot_config", models.MetaColumns: "snapshot_meta_column_names", models.Model: "models",
    models.ModelConfig: "model_config", models.Seed: "seeds", models.SeedConfig: "seed_config", models.Exposure: "exposures",
    models.Partition: "partition_by", models.Index: "indexes",
    models.Constraint: "constraints", models.Grants: "grants", models.Contract: "contract", models.TestConfig: "test_config",
}  # fmt: skip
_TYPES = {
    "string_type": "text", "int_type": "a whole number", "int_parsing": "a whole number", "bool_type": "true or false",
    "bool_parsing": "true or false", "tuple_type": "a list", "list_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number",
}  # fmt: skip

_LIMITS = {"greater_than": "more than", "greater_than_equal": "at least", "less_than": "less than", "less_than_equal": "at most"}


def report(error: ValidationError, tree: Tree, diagnostics: Diagnostics) -> None:
    """One diagnostic per place; the arms of a union that failed together become one, and one that looked inside knows best."""
    seen: set[Loc] = set()
    errors = [(_real(e["loc"], tree, e["type"] in _OF_KEYS), e) for e in error.errors(include_url=False, include_context=True)]
    inside = {loc[:-1] for loc, found in errors if found["type"] in _OF_KEYS}
    unknown = {loc for loc, found in errors if found["type"] == "extra_forbidden"}
    for loc, found in errors:
        kind = found["type"]
        if kind not in _OF_KEYS and loc in inside:
            continue
        if kind == "missing" and (*loc[:-1],) in {s[: len(loc) - 1] for s in seen if len(s) > len(loc)}:
            continue
        if kind == "missing" and any(did_you_mean(str(u[-1]), [str(loc[-1])]) for u in unknown if u[:-1] == loc[:-1]):
            continue  # it is there, and misspelled
        if loc in seen or loc in tree.refused:
            continue
        if kind == "too_short" and len(_get(tree.data, loc) or ()) >= found["ctx"]["min_length"]:
            continue  # it is long enough, and its entries are refused by themselves
        seen.add(loc)
        if kind == "extra_forbidden":
            _unknown(loc, tree, diagnostics)
        elif kind == "missing":
            owner = _owner(loc[:-1], tree)
            what = f"`{loc[-1]}` is missing{_of(owner, loc[:-1], tree)}"
            diagnostics.error("C105", what, tree.span(loc[:-1]), f"add {loc[-1]}:")
        else:
            _wrong(found, loc, tree, diagnostics)


_OF_KEYS = ("missing", "extra_forbidden")


def _real(loc: tuple[str | int, ...], tree: Tree, of_key: bool) -> Loc:
    """pydantic's loc without the names of union arms, which are not in the file."""
    out: list[str | int] = []
    for index, part in enumerate(loc):
        here = (*out, part)
        last = index == len(loc) - 1
        if here in tree.nodes or (last and of_key and isinstance(_get(tree.data, tuple(out)), dict)):
            out.append(part)
    return tuple(out)


def _get(data: Any, loc: Loc) -> Any:
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _owner(loc: Loc, tree: Tree) -> type[BaseModel] | None:
    """The model that describes the mapping at loc."""
    current: Any = models.SpecFile
    for part in loc:
        current = next((found for arm in _arms(current) if (found := _inside(arm, part)) is not None), None)
    return next((arm for arm in _arms(current) if isinstance(arm, type) and issubclass(arm, BaseModel)), None)


def _arms(annotation: Any) -> Iterator[Any]:
    """X | None → X, None; anything else is its own only arm."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _arms(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for arm in typing.get_args(annotation):
            yield from _arms(arm)
    else:
        yield annotation


def _inside(arm: Any, part: str | int) -> Any:
    """What is below a key or in a list: tuple[Column, ...], 0 → Column; dict[str, Target], dev → Target."""
    if isinstance(arm, type) and issubclass(arm, BaseModel):
        return next((f.annotation for n, f in arm.model_fields.items() if part == (f.alias or n)), None)
    wanted = tuple if isinstance(part, int) else dict
    return typing.get_args(arm)[-1 if wanted is dict else 0] if typing.get_origin(arm) is wanted else None


def _unknown(loc: Loc, tree: Tree, diagnostics: Diagnostics) -> None:
    key = str(loc[-1])
    at = tree.key_span(loc)
    owner = _owner_of_key(loc, tree)
    if owner is None:
        diagnostics.error("C102", f"`{key}` is not known here", at)
        return
    section = _SECTIONS.get(owner, "")
    if reason := models.NOT_CARRIED.get(section, {}).get(key):
        _not_carried(key, at, reason, diagnostics)
        return
    if owner is models.DataTest:
        help = hints.of_package(key) or f"known tests: {', '.join(sorted(_keys(owner)))}"
        diagnostics.error("C106", f"`{key}` is not a data test that c360gen carries", at, did_you_mean(key, _keys(owner)) or help)
        return
    configs: dict[Any, type[BaseModel]] = {
        models.Model: models.ModelConfig,
        models.Snapshot: models.SnapshotConfig,
        models.Seed: models.SeedConfig,
    }
    if issubclass(owner, models.TestSettings) and key in _keys(models.TestConfig):
        diagnostics.error("C102", f"`{key}` is not known here", at, "it belongs under config: of the test")
        return
    config = configs.get(owner)
    if config and key in _keys(config):
        diagnostics.error("C102", f"`{key}` is not known here", at, f"it belongs under config: of the {_name(owner)}")
        return
    if config and (reason := models.NOT_CARRIED[_SECTIONS[config]].get(key)):
        _not_carried(key, at, reason, diagnostics)
        return
    if key.endswith(")") and (found := _cut_type(loc, tree)):
        diagnostics.error("C102", f"`{key}` is not a key: the comma before it ended a value", at, f'put quotes around it: "{found}"')
        return
    known = sorted(_keys(owner))
    if slip := hints.of_key(key, known):
        diagnostics.error("C102", f"`{key}` is not a key of {_article(_name(owner))}", at, slip)
        return
    held = {n: hints.model_of(f.annotation) for n, f in owner.model_fields.items() if n in ("tables", "columns")}
    inner = next((f"it belongs to an entry of {n}:" for n, m in held.items() if m and key in _keys(m)), None)
    help = did_you_mean(key, known) or inner or f"known keys: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}"
    diagnostics.error("C102", f"`{key}` is not a key of {_article(_name(owner))}", at, help)


def _cut_type(loc: Loc, tree: Tree) -> str | None:
    """`{data_type: numeric(12,2)}` is `numeric(12` and a key `2)`: the value as it was meant."""
    mapping = _get(tree.data, loc[:-1])
    cut = next((v for v in mapping.values() if isinstance(v, str) and v.count("(") > v.count(")")), None)
    return f"{cut},{loc[-1]}" if cut else None


def _not_carried(key: str, at: Span, reason: str, diagnostics: Diagnostics) -> None:
    """dbt has it and we do not, with the reason or with what is said instead."""
    diagnostics.error("C106", f"`{key}` is a dbt key that c360gen does not carry", at, reason)


def _owner_of_key(loc: Loc, tree: Tree) -> type[BaseModel] | None:
    return _owner(loc[:-1], tree)


def _keys(model: type[BaseModel]) -> set[str]:
    return {f.alias or n for n, f in model.model_fields.items()}


def _name(model: type[BaseModel]) -> str:
    words = {
        models.SpecFile: "spec file", models.SourceTable: "source table",
        models.SourceConfig: "source's config", models.SnapshotConfig: "snapshot's config",
        models.ModelConfig: "model's config", models.SeedConfig: "seed's config", models.AcceptedValues: "accepted_values",
        models.Relationships: "relationships", models.DataTest: "data test", models.MetaColumns: "snapshot_meta_column_names",
        models.Partition: "partition_by", models.Index: "index of indexes", models.PersistDocs: "persist_docs",
        models.AllExcept: "check_cols mapping",
    }  # fmt: skip
    return words.get(model, model.__name__.lower())


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _of(owner: type[BaseModel] | None, loc: Loc, tree: Tree) -> str:
    if owner is None or owner is models.SpecFile:
        return ""
    found = _get(tree.data, loc)
    named = f" {found['name']}" if isinstance(found, dict) and isinstance(found.get("name"), str) else ""
    return f" in {_name(owner)}{named}"


def _wrong(found: Any, loc: Loc, tree: Tree, diagnostics: Diagnostics) -> None:
    key = next((str(p) for p in reversed(loc) if isinstance(p, str)), "this")
    shown = _shown(_get(tree.data, loc))
    kind, context = found["type"], found.get("ctx") or {}
    help = None
    if kind == "literal_error" and (key, str(found["input"])) in models.VALUES_NOT_CARRIED:
        help = models.VALUES_NOT_CARRIED[key, found["input"]]
        diagnostics.error("C106", f"`{key}: {found['input']}` is a dbt setting that c360gen does not carry", tree.span(loc), help)
        return
    if key in ("data_tests", "tests") and (package := hints.of_package(str(_get(tree.data, loc)))):
        diagnostics.error("C106", f"`{_get(tree.data, loc)}` is not a data test that c360gen carries", tree.span(loc), package)
        return
    if kind == "literal_error":
        choices = [c.strip().strip("'") for c in str(context["expected"]).replace(" or ", ", ").split(",")]
        message = f"`{key}` must be {_or(choices)}, not {shown}"
        help = hints.of_value(key, found["input"], choices)
    elif kind == "value_error":
        message = f"`{key}` {context['error']}"
        help = hints.of_value(key, _get(tree.data, loc), sorted(_keys(models.DataTest)) if key in ("data_tests", "tests") else ())
        if loc and isinstance(_get(tree.data, loc), str | int | float) and _get(tree.data, loc) != "":
            message += f": {shown}" if str(_get(tree.data, loc)) not in message else ""
    elif kind in _LIMITS:
        message = f"`{key}` must be {_LIMITS[kind]} {next(iter(context.values()))}, not {shown}"
        help = "it is a share: 0.3 means 30 %" if key.endswith("_fraction") else None
    elif kind == "too_short":
        message = f"`{key}` must not be empty"
    else:
        wanted = _TYPES.get(kind, "something else")
        in_list = bool(loc) and isinstance(loc[-1], int)
        message = f"{f'an entry of `{key}`' if in_list else f'`{key}`'} must be {wanted}, not {shown}"
        written = tree.written(loc) if kind == "string_type" else ""
        if written and isinstance(_get(tree.data, loc), bool):
            message = f"`{key}` must be text, and YAML reads {written} as {shown.strip(chr(39))}"
        if written or (kind == "string_type" and tree.commented(loc)):
            help = f'put quotes around it: "{written}"' if written else "what follows # is a comment: put quotes around the value"
            diagnostics.error("C104", message, tree.span(loc), help)
            return
        help = hints.of_shape(key, _get(tree.data, loc), wanted, _entry(loc, tree), in_list)
    diagnostics.error("C104", message, tree.span(loc), help)


def _entry(loc: Loc, tree: Tree) -> type[BaseModel] | None:
    """The model of what should stand at loc, or of its entries."""
    keys = [i for i, part in enumerate(loc) if isinstance(part, str)]
    owner = _owner(loc[: keys[-1]], tree) if keys else None
    fields: dict[str | int, Any] = {(f.alias or n): f.annotation for n, f in owner.model_fields.items()} if owner else {}
    return hints.model_of(fields[loc[keys[-1]]]) if keys and loc[keys[-1]] in fields else None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text if text.isprintable() else text.encode("unicode_escape").decode()
    return f"'{text if len(text) <= 40 else text[:37] + '…'}'"


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
