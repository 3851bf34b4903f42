"""partition_by as written → a column of time and the size of its partitions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from c360gen.diagnostics import Diagnostics
from c360gen.project.columns import find, named
from c360gen.project.nodes import Column
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import types
from c360gen.terms.types import T

_MEANT = {"date": {T.DATE}, "datetime": {T.TIMESTAMP}, "timestamp": {T.TIMESTAMP, T.TIMESTAMPTZ}, "timestamptz": {T.TIMESTAMPTZ}}


def of(config: spec.NodeConfig, columns: Collection[str]) -> tuple[str | None, spec.Size]:
    """The column, and the size; a history that names none is partitioned by the months of its end."""
    given = config.partition_by
    return (named(given.field, columns), given.granularity) if given else (None, "month")


def check(located: Located[Any], columns: Mapping[str, Column], what: str, diagnostics: Diagnostics) -> None:
    """The column exists, is a time, and is not a date cut into hours; `what` is whose column it is."""
    given = located.spec.config.partition_by
    name, size = of(located.spec.config, columns)
    if given is None or name is None:
        return
    loc = ("config", "partition_by", "field")
    if find(name, columns, f"partition_by: {what}", located.span(*loc), diagnostics) not in columns:
        return
    type_ = columns[name].type
    if type_ is None:
        return  # a view's column, which is stored nowhere
    if type_.this not in types.TIMES:
        help = "partitions are hours, days, months or years of a date, timestamp or timestamptz"
        diagnostics.error("C401", f"partition_by: {name} is {types.text(type_)}, not a time", located.span(*loc), help)
    elif type_.this is T.DATE and size == "hour":
        message = f"partition_by: {name} is a date, which has no hours"
        diagnostics.error("C401", message, located.span("config", "partition_by", "granularity"), "say granularity: day")
    elif given.data_type and type_.this not in _MEANT[given.data_type]:
        message = f"partition_by: {name} is {types.text(type_)}, not {given.data_type}"
        diagnostics.error("C401", message, located.span("config", "partition_by", "data_type"), "omit data_type, or mend it")
