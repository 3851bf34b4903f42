"""`columns:`, the same in every section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from c360gen.spec.models.constraints import Constraint
from c360gen.spec.models.tests import DataTest
from c360gen.spec.models.words import Meta, Spec, Tags, Text


class Backfill(Spec):
    """history: {backfill: first_name || ' ' || last_name}: old rows get a value computed from their own columns."""

    backfill: str = Field(
        description="An expression over the columns of the row, in the project's sql_dialect.", examples=["first_name || ' ' || last_name"]
    )


class Column(Spec):
    """A column: of a source as it is there, of a node what its SQL does not say."""

    name: str = Field(description="Its name, folded to lower case as engines do.", examples=["customer_id"])
    description: Text = ""
    data_type: str | None = Field(
        None,
        description="Its type, in any engine's words; needed of sources and of computed columns that are stored.",
        examples=["bigint", "numeric(12,2)", "timestamptz"],
    )
    on_change: Literal["new_version", "overwrite", "ignore"] | None = Field(
        None,
        description="Columns of snapshots: a change makes a new version (the default), overwrites the open version (SCD type 1), "
        "or waits for the next version.",
    )
    was: str | Literal[False] | None = Field(
        None, description="Stored columns: the name that it had when it was released; false says that it is a new column.",
        examples=["email_address"],
    )  # fmt: skip
    history: Literal["empty", "new_version", "full_refresh"] | Backfill | None = Field(
        None,
        description="Stored columns that are new: what rows have that are there already. empty: open versions take the source's value, "
        "closed ones stay NULL; new_version: the next run makes a version of every key that has a value; full_refresh: of incrementals, "
        "NULL until they are loaded anew.",
    )
    constraints: tuple[Constraint, ...] = Field(
        (), description="Of models and snapshots: what must hold for every row that is stored.", examples=[[{"type": "not_null"}]]
    )
    quote: bool = Field(False, description="Keep the spelling of the name instead of folding it to lower case.")
    data_tests: tuple[DataTest, ...] = Field((), description="What must hold for every row.", examples=[["unique", "not_null"]])
    tests: tuple[DataTest, ...] = Field((), description="dbt's older word for data_tests.", examples=[["unique"]])
    tags: Tags = ()
    meta: Meta = {}
