"""`project:` and `targets:`: where things live, and for whom."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from c360gen.spec.models.words import DialectName, Duration, Names, PlainName, Spec


class Project(Spec):
    """The project as a whole: its name, the dialect in which its SQL is written, where its control objects live."""

    name: PlainName = "customer_360"
    sql_dialect: DialectName = "postgres"
    control_schema: str = "c360_control"
    schema_: str = Field("analytics", alias="schema", description="Schema of nodes that name none.")
    vars: dict[str, str | int | float | bool | list[str | int | float | bool] | None] = {}
    run_log_retention: Duration = Field(400 * 86400, description="How long prune_run_log keeps the rows of the run log.")
    functions: Names = Field((), description="Functions of your own that exist on every target under this name.")


class Target(Spec):
    """An environment: a dialect, where it lives, and who owns, runs and reads it. Its output is generated/<target>/."""

    dialect: DialectName | None = None
    extends: str | None = None
    default: bool = Field(False, description="Built when the command line names no target.")
    database: PlainName | None = None
    schema_prefix: str = ""
    min_version: int | None = None
    location: PlainName | None = None
    warehouse: PlainName | None = None
    owner: PlainName | None = None
    runner: PlainName | None = None
    reader: PlainName | None = None
    form: Literal["procedures", "scripts"] | None = None
