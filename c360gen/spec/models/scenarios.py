"""`scenarios:`: days of source rows, and what the nodes must hold after each."""

from __future__ import annotations

import datetime as dt

from pydantic import Field, model_validator

from c360gen.spec.models.words import Instant, Names, Spec, Text

Cell = str | int | float | bool | dt.datetime | dt.date | None
Row = dict[str, Cell]


Rows = str | tuple[Row, ...]
_ROWS = [[{"customer_id": 1, "email": "a@example.com"}], "customer_id, email\n1, a@example.com\n"]


class Given(Spec):
    """All rows of a source table from this step on."""

    input: str = Field(description="Whose rows: source('…', '…').", examples=["source('raw_data', 'customers')"])
    rows: Rows = Field(description="Mappings, or a CSV with a header, as seeds have it; a column that is omitted is NULL.", examples=_ROWS)


class Expected(Spec):
    """All rows of a relation after the step, in any order; only the columns that are named are compared."""

    relation: str = Field(description="Which relation: ref('…').", examples=["ref('customer_snapshot')"])
    as_of: Instant | None = Field(
        None, description="Of a snapshot: not its versions, but what held at this time (UTC).", examples=["2026-01-02 12:00:00"]
    )
    rows: Rows = Field(description="Mappings of the same columns, or a CSV; other columns are not compared.", examples=_ROWS)


_GIVEN = [{"input": "source('raw_data', 'customers')", "rows": [{"customer_id": 1, "updated_at": "2026-01-01 10:00"}]}]
_EXPECT = [{"relation": "ref('customer_snapshot')", "rows": [{"customer_id": 1, "valid_from": "2026-01-01 10:00", "valid_to": None}]}]
_STEP = {"as_of": "2026-01-02", "given": _GIVEN, "expect": _EXPECT}


class Step(Spec):
    """What sources hold at a time, what is run then, and what that must give."""

    as_of: Instant = Field(description="The time of the runs (UTC); later in every step, and not in the future.", examples=["2026-01-02"])
    because: Text = ""
    given: tuple[Given, ...] = Field((), description="Source tables that change; the others stay as they are.", examples=[_GIVEN])
    run: str | None = Field(
        None,
        description="A selection of nodes; by default everything that the scenario's expectations need.",
        examples=["customer_snapshot"],
    )
    full_refresh: bool = Field(False, description="Whether incrementals are built anew.")
    fails: Names = Field((), description="Parts of the message with which the first run must fail, such as its code.", examples=["ZC001"])
    expect: tuple[Expected, ...] = Field((), description="What must be there afterwards.", examples=[_EXPECT])


class Scenario(Spec):
    """A test of nodes over time: executed by `c360gen test` on an empty database of its own."""

    name: str = Field(description="What reports call it.", examples=["a_customer_moves"])
    description: Text = ""
    steps: tuple[Step, ...] = Field(min_length=1, description="Days, in the order of time.", examples=[[_STEP]])

    @model_validator(mode="after")
    def _expects_something(self) -> Scenario:
        if not any(step.expect or step.fails for step in self.steps):
            raise ValueError("must expect something: no step has expect or fails")
        return self
