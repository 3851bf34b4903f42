"""`sources:`: tables of others, which are read and never created."""

from __future__ import annotations

from pydantic import Field

from c360gen.spec.models.columns import Column
from c360gen.spec.models.tests import DataTest
from c360gen.spec.models.words import Meta, Spec, Tags, Text


class SourceTable(Spec):
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


class Source(Spec):
    """Tables of somebody else in one schema: read, never created."""

    name: str = Field(description="What source('…', '…') calls it.", examples=["raw_data"])
    description: Text = ""
    database: str | None = Field(None, description="Its database or project, where it is not the target's.", examples=["RAW"])
    schema_: str | None = Field(None, alias="schema", description="Its schema; by default as the source is called.", examples=["raw_data"])
    tables: tuple[SourceTable, ...] = Field((), description="Its tables.", examples=[[{"name": "customers", "columns": []}]])
    tags: Tags = ()
    meta: Meta = {}
