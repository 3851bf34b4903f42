"""What every section is made of: the strict base, names, durations, instants, and lists that may be written as one word."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

DialectName = Literal["postgres", "snowflake", "bigquery", "duckdb"]
Size = Literal["hour", "day", "month", "year"]
"""How long a partition or a window is; all begin where the clock of UTC begins one."""
FormatName = Literal["lookml", "tableau"]
SchedulerName = Literal["airflow", "bigquery_scheduled", "pg_cron", "snowflake_tasks"]
DIALECTS: tuple[str, ...] = ("duckdb", "postgres", "snowflake", "bigquery")

_DURATION = re.compile(r"(\d+)\s*(second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


class Spec(BaseModel):
    """Frozen, strict about keys, built only by the loader."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, str_strip_whitespace=False)


def duration(value: Any) -> int:
    """'3 days' → 259200 seconds."""
    found = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be a duration such as '3 days', '6 hours' or '30 minutes'")
    return int(found[1]) * _SECONDS[found[2]]


DurationText = Annotated[str, Field(pattern=rf"^\s*{_DURATION.pattern}\s*$")]
Duration = Annotated[int, BeforeValidator(duration, json_schema_input_type=DurationText), Field(examples=["3 days", "6 hours"])]


def one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...])]
Schedulers = Annotated[
    tuple[SchedulerName, ...], BeforeValidator(one_or_many, json_schema_input_type=SchedulerName | tuple[SchedulerName, ...])
]
Formats = Annotated[tuple[FormatName, ...], BeforeValidator(one_or_many, json_schema_input_type=FormatName | tuple[FormatName, ...])]


def _values(value: Any) -> Any:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str | int | bool) for v in found):
        raise ValueError("must be a value, or a list of values: texts, whole numbers, true or false")
    return found


Value = str | int | bool
Values = Annotated[tuple[Value, ...], BeforeValidator(_values, json_schema_input_type=Value | tuple[Value, ...])]


def plain_name(value: str) -> str:
    """Names of databases, roles and the like go into statements and comments: nothing that could end either."""
    if re.search(r"[\s'\"`;\\]", value) or not value.isprintable() or not value:
        raise ValueError("must be a plain name without spaces, quotes, backslashes or semicolons")
    return value


def _connection_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", value):
        raise ValueError("must be the name of a connection: letters, digits, '_', '.' and '-'")
    return value


ConnectionName = Annotated[str, AfterValidator(_connection_name)]
PlainName = Annotated[str, AfterValidator(plain_name)]

ENV_VAR = re.compile(r"""\{\{\s*env_var\(\s*(['"])(?P<name>\w+)\1\s*(?:,\s*(['"])(?P<default>[^'"]*)\3\s*)?\)\s*\}\}""")


def plain_or_env(value: str) -> str:
    """dev_{{ env_var('USER') }}: plain names around variables of the environment, which the build of the target reads."""
    rest = ENV_VAR.sub("", value)
    if "{{" in rest or "}}" in rest:
        raise ValueError("must be a plain name; {{ env_var('NAME') }} or {{ env_var('NAME', 'default') }} may be a part of it")
    if rest or rest == value:
        plain_name(rest)
    return value


EnvName = Annotated[str, AfterValidator(plain_or_env)]


def _setting(value: Any) -> Any:
    """256MB, 0, fast_disks: a number, perhaps with a unit, or a name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and not re.fullmatch(r"\w{1,63}( [A-Za-z]{1,3})?", value, re.ASCII):
        raise ValueError("must be a number, perhaps with a unit, or a name, such as 256MB or 30s")
    return value


SettingName = Literal["work_mem", "lock_timeout", "max_parallel_workers_per_gather", "default_tablespace", "row_security"]
Setting = Annotated[str, BeforeValidator(_setting, json_schema_input_type=str | int)]
"""The value of a setting of Postgres."""


def _instant(value: Any) -> Any:
    """'9999-12-31' → the instant at its beginning, UTC; YAML may have read a date already."""
    if isinstance(value, dt.datetime):
        found = value
    elif isinstance(value, dt.date):
        found = dt.datetime(value.year, value.month, value.day)
    else:
        try:
            found = dt.datetime.fromisoformat(str(value))
        except ValueError:
            raise ValueError("must be a date or an instant such as '9999-12-31', not an expression") from None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


Instant = Annotated[dt.datetime, BeforeValidator(_instant, json_schema_input_type=str)]

Tags = Annotated[Names, Field(description="Words to select by, as in `--select tag:nightly`.", examples=[["nightly"]])]
Meta = Annotated[
    dict[str, Any], Field(description="Notes of your own: any keys, read by nobody here.", examples=[{"asked_for_by": "finance"}])
]


def _no_template(value: str) -> str:
    if re.search(r"\{\{-?\s*doc\s*\(", value):
        raise ValueError("is taken as it is: a block of docs, {{ doc('…') }}, is not carried; write the text itself")
    return value


Text = Annotated[
    str,
    AfterValidator(_no_template),
    Field(description="What a reader should know; becomes a comment in the database.", examples=["One row per customer."]),
]
