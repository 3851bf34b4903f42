"""`sources:`: tables of others, which are read and never created."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from c360gen.spec.models.columns import Column
from c360gen.spec.models.tests import DataTest
from c360gen.spec.models.words import Meta, Spec, Tags, Text

LOADED_AT = "The time at which a row was loaded: a column, or a CAST of one."
FRESHNESS = "How old the newest row may be: view source_freshness, procedure check_freshness. null switches off what the source says."


class Age(Spec):
    """dbt's way to say how long: {count: 12, period: hour}."""

    count: int = Field(gt=0, description="How many.", examples=[12])
    period: Literal["minute", "hour", "day"] = Field(description="Of what.")

    @property
    def seconds(self) -> int:
        return self.count * {"minute": 60, "hour": 3600, "day": 86400}[self.period]


class Freshness(Spec):
    """How old the newest row may be. A table takes from its source what it does not say itself."""

    warn_after: Age | None = Field(None, description="Older than this is a warning.", examples=[{"count": 12, "period": "hour"}])
    error_after: Age | None = Field(None, description="Older than this fails check_freshness.", examples=[{"count": 1, "period": "day"}])
    filter: str | None = Field(
        None, description="A condition in the project's sql_dialect: only such rows count.", examples=["loaded_at > '2026-01-01'"]
    )


class SourceConfig(Spec):
    """dbt 1.10 writes these under config:, with the same meaning."""

    enabled: bool = Field(True, description="false: as if it were not written.")
    loaded_at_field: str | None = Field(None, description=LOADED_AT, examples=["loaded_at"])
    freshness: Freshness | None = Field(None, description=FRESHNESS, examples=[{"error_after": {"count": 1, "period": "day"}}])
    tags: Tags = ()
    meta: Meta = {}


class _Source(Spec):
    """What sources and their tables have in common."""

    config: SourceConfig = Field(SourceConfig(), description="dbt's newer place for the keys below.", examples=[{"enabled": True}])
    loaded_at_field: str | None = Field(None, description=LOADED_AT, examples=["loaded_at"])
    freshness: Freshness | None = Field(None, description=FRESHNESS, examples=[{"error_after": {"count": 1, "period": "day"}}])


class SourceTable(_Source):
    """A table of somebody else, with the columns that are read."""

    name: str = Field(description="What source('…', '…') calls it.", examples=["customers"])
    identifier: str | None = Field(None, description="Its name in the database, where that is another.", examples=["CUSTOMERS_V2"])
    description: Text = ""
    columns: tuple[Column, ...] = Field(
        (), description="The columns that are read, each with its data_type; others may exist.",
        examples=[[{"name": "customer_id", "data_type": "bigint"}]],
    )  # fmt: skip
    data_tests: tuple[DataTest, ...] = Field(
        (), description="Tests of the whole table.", examples=[[{"expression_is_true": {"expression": "updated_at >= created_at"}}]]
    )
    tags: Tags = ()
    meta: Meta = {}


class Source(_Source):
    """Tables of somebody else in one schema: read, never created."""

    name: str = Field(description="What source('…', '…') calls it.", examples=["raw_data"])
    description: Text = ""
    database: str | None = Field(None, description="Its database or project, where it is not the target's.", examples=["RAW"])
    schema_: str | None = Field(None, alias="schema", description="Its schema; by default as the source is called.", examples=["raw_data"])
    tables: tuple[SourceTable, ...] = Field((), description="Its tables.", examples=[[{"name": "customers", "columns": []}]])
    tags: Tags = ()
    meta: Meta = {}
