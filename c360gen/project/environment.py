"""{{ env_var('NAME') }} in targets: read with the specs, asked for when a target is built, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from c360gen.spec.models import Target
from c360gen.spec.models.words import ENV_VAR, plain_name


class Unset(Exception):
    """A variable that the target names is not set, and has no default."""

    def __init__(self, name: str, key: str):
        super().__init__(f"the environment variable {name} is not set")
        self.name, self.key = name, key


class NotPlain(Exception):
    """A variable holds what cannot be a part of a name."""

    def __init__(self, name: str, key: str, why: str):
        super().__init__(f"the environment variable {name} {why}")
        self.key = key


def variables(target: Target) -> tuple[str, ...]:
    """The names of all variables that a target reads."""
    return tuple(sorted({found["name"] for _, text in _texts(target.model_dump()) for found in ENV_VAR.finditer(text)}))


def missing(target: Target, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that are not set and have no default."""
    found = {m["name"] for _, text in _texts(target.model_dump()) for m in ENV_VAR.finditer(text) if m["default"] is None}
    return tuple(sorted(found - environ.keys()))


def read(target: Target, environ: Mapping[str, str]) -> Target:
    """The target with its variables read. Raise Unset or NotPlain, or ValidationError where a name is left without any."""

    def filled(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {k: filled(v, key) for k, v in value.items()}
        return ENV_VAR.sub(lambda m: _value(m["name"], m["default"], key, environ), value) if isinstance(value, str) else value

    return Target.model_validate({key: filled(value, key) for key, value in target.model_dump(exclude_unset=True).items()})


def _value(name: str, default: str | None, key: str, environ: Mapping[str, str]) -> str:
    found = environ.get(name, default)
    if found is None:
        raise Unset(name, key)
    if found:
        try:
            plain_name(found)
        except ValueError as why:
            raise NotPlain(name, key, str(why)) from None
    return found


def _texts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        for text in value.values() if isinstance(value, dict) else (value,):
            if isinstance(text, str):
                yield key, text
