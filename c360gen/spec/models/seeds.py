"""`seeds:`: small tables that come with the specs, as CSV."""

from __future__ import annotations

from pydantic import Field, field_validator

from c360gen.spec.models.columns import Column
from c360gen.spec.models.nodes import GRANTS, PERSIST_DOCS, Grants, PersistDocs
from c360gen.spec.models.tests import DataTest
from c360gen.spec.models.words import Meta, Spec, Tags, Text


class SeedConfig(Spec):
    """Where a seed is, and how its file is written."""

    schema_: str | None = Field(None, alias="schema", description="Its schema, where it is not the project's.", examples=["ref"])
    alias: str | None = Field(None, description="Its name in the database, where that is another.", examples=["country"])
    delimiter: str = Field(",", description="One character that separates fields.", examples=[";"])
    grants: Grants | None = GRANTS
    persist_docs: PersistDocs = PERSIST_DOCS
    tags: Tags = ()
    meta: Meta = {}
    enabled: bool = Field(True, description="false: as if it were not written.")

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if len(value) != 1 or value in '"\r\n':
            raise ValueError("must be one character, and neither a quote nor a line break")
        return value


class Seed(Spec):
    """The table of seeds/<name>.csv: deploy.sql creates it, and replaces its rows when those of the file are others.

    The header names the columns that are declared here. An empty field is NULL, an empty text is written "".
    """

    name: str = Field(description='What ref("…") calls it, and the name of its file in seeds/.', examples=["countries"])
    description: Text = ""
    config: SeedConfig = Field(SeedConfig(), description="Where it is, and how its file is written.", examples=[{"schema": "ref"}])
    columns: tuple[Column, ...] = Field(
        min_length=1, description="Every column, with its data_type.", examples=[[{"name": "code", "data_type": "varchar(2)"}]]
    )
    data_tests: tuple[DataTest, ...] = Field(
        (),
        description="Tests of the whole seed.",
        examples=[[{"unique_combination_of_columns": {"combination_of_columns": ["code", "year"]}}]],
    )
    tags: Tags = ()
    meta: Meta = {}
