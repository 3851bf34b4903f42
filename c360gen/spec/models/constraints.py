"""`constraints:` and `contract:`: what must hold for every row that is stored, and what a model promises to have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from c360gen.spec.models.words import Names, PlainName, Spec


class Constraint(Spec):
    """What must hold for every row; of a snapshot, for every open version. An engine that does not enforce it has the run look."""

    type: Literal["not_null", "unique", "primary_key", "foreign_key", "check"] = Field(description="What must hold.")
    name: PlainName | None = Field(
        None, description="Its name in the database; by default made of table and columns.", examples=["one_per_day"]
    )
    columns: Names = Field((), description="Of a whole model: the columns. Below a column it is that one.", examples=[["order_id", "line"]])
    expression: str | None = Field(
        None, description="check: a condition over one row, in the project's sql_dialect.", examples=["amount >= 0"]
    )
    to: str | None = Field(None, description="foreign_key: the other relation.", examples=["ref('customers')"])
    to_columns: Names = Field((), description="foreign_key: its columns; by default they have the same names.", examples=[["customer_id"]])


class Contract(Spec):
    """Whether a build fails unless the SQL gives exactly the columns and types that are declared."""

    enforced: bool = Field(False, description="true: every column is declared with its data_type, and the SQL gives just these.")
