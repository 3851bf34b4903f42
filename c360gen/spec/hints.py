"""The line of help for a wrong value: what was probably meant, written as it should stand."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from c360gen.diagnostics import did_you_mean

_CRON = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "hr": "hours", "d": "days", "w": "weeks"}
_CALENDAR = {
    **{name: str(i) for i, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
    **{name: str(i + 1) for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])},
}
_TESTS = {
    "accepted_values": "accepted_values: {values: [a, b]}",
    "relationships": "relationships: {to: ref('customers'), field: customer_id}",
    "expression_is_true": "expression_is_true: {expression: amount >= 0}",
    "unique_combination_of_columns": "unique_combination_of_columns: {combination_of_columns: [a, b]}",
}


def of_value(key: str, value: Any, choices: Sequence[str] = ()) -> str | None:
    """For a value of the right kind that is none of those it may be."""
    text = str(value)
    if key in ("data_tests", "tests") and text in _TESTS:
        return f"say of what: {{{_TESTS[text]}}}"
    if text in choices:
        return f"write it without quotes: {key}: {text}"
    if key == "cron":
        return _cron(text)
    if key == "timezone":
        import zoneinfo

        return did_you_mean(text, zoneinfo.available_timezones())
    if found := re.fullmatch(r"\s*(\d+)\s*([a-z]+)\s*", text.lower()):
        unit = _UNITS.get(found[2])
        return f"did you mean '{found[1]} {unit}'?" if unit else None
    return did_you_mean(text, choices)


def of_key(key: str, known: Sequence[str]) -> str | None:
    """For a key that is one, but for the sign between it and its value, or the space before it."""
    found = re.match(r"(\s*)(\w+)\s*([:=\s])\s*(\S.*)", key)
    if found and found[2] in known:
        return f"{'a space is missing after the colon' if found[3] == ':' else 'a colon is missing'}: write {found[2]}: {found[4]}"
    return f"what stands before it is no space: write {key.strip()}" if key.strip() in known else None


def of_shape(key: str, value: Any, wanted: str, owner: type[BaseModel] | None, in_list: bool) -> str | None:
    """For a list that is a word, a mapping that is a list, and so on."""
    word = str(value) if isinstance(value, str | int | float) else None
    if wanted == "a list":
        if isinstance(value, str):
            return f"write {key}: [{_flow(value)}]"
        if isinstance(value, dict) and owner is not None:
            return "begin every entry with - name:" if "name" in owner.model_fields else "begin every entry with -"
        return "write its entries below it, or remove it" if value is None else None
    if wanted == "a mapping":
        if word is not None and owner is not None and "name" in owner.model_fields:
            return f"write - {{name: {_flow(word)}}}" if in_list else f"write {key}: {{name: {_flow(word)}}}"
        if word is not None and in_list and owner is not None and "columns" in owner.model_fields:
            return f"write {{columns: [{_flow(word)}]}}"
        if isinstance(value, list) and key == "targets":
            return "write each below its name, without -: {postgres: {dialect: postgres}}"
    return None


def of_package(name: str) -> str | None:
    """For a data test of a dbt package."""
    package = re.match(r"(dbt_utils|dbt_expectations|dbt_\w+|elementary)\.", name)
    return "tests of packages are not carried; most can be said so: expression_is_true: {expression: amount >= 0}" if package else None


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field's entries are: tuple[Column, ...] → Column."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, dict, typing.Union, types.UnionType, typing.Annotated):
        return next((m for a in typing.get_args(annotation) if (m := model_of(a))), None)
    return None


def _cron(text: str) -> str | None:
    if text in _CRON:
        return f'write "{_CRON[text]}"'
    fields = text.split()
    if len(fields) == 6:
        return f'seconds are not carried: write "{" ".join(fields[1:])}"'
    numbers = re.sub(r"[A-Za-z]{3}", lambda m: _CALENDAR.get(m[0].lower(), m[0]), text)
    return f'write days and months as numbers: "{numbers}"' if numbers != text else None


def _flow(word: str) -> str:
    """A word as it can stand inside [ ]."""
    return f'"{word}"' if "," in word or re.search(r"[{}\[\]:#]", word) else word
