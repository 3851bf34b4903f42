"""`approvals:`: what a migration may destroy."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from c360gen.spec.models.words import Spec


class Approval(Spec):
    """The word of a person that something retired may go for good."""

    drop: str = Field(
        description="schema.table, or schema.table.column, as it is called since it was retired.", examples=["mart.orders.city__retired_2"]
    )
    by: str = Field(min_length=1, description="Who says so.", examples=["Olga"])
    on_: dt.date = Field(alias="on", description="When.", examples=["2026-06-01"])
    because: str = Field("", description="Why.", examples=["nobody has read it since March"])
