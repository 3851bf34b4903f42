"""`columns:` and their data tests, the same in every section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from c360gen.spec.models.words import Names, Spec


def _arguments(value: Any) -> Any:
    """dbt 1.10 writes a test's arguments one level deeper, under `arguments:`."""
    return value["arguments"] if isinstance(value, dict) and set(value) == {"arguments"} else value


class AcceptedValues(Spec):
    values: tuple[str | int | float | bool, ...] = Field(min_length=1)


class Relationships(Spec):
    to: str
    field: str


class DataTest(Spec):
    """One data test; exactly one key is set. Plain `unique` and `not_null` are written as words."""

    unique: Literal[True] | None = None
    not_null: Literal[True] | None = None
    accepted_values: Annotated[AcceptedValues | None, BeforeValidator(_arguments)] = None
    relationships: Annotated[Relationships | None, BeforeValidator(_arguments)] = None

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        if value in ("unique", "not_null"):
            return {value: True}
        if isinstance(value, str):
            raise ValueError(f"must hold unique, not_null, accepted_values or relationships, not '{value}'")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> DataTest:
        if len(self.model_fields_set) != 1:
            raise ValueError("must be one test: unique, not_null, accepted_values or relationships")
        return self


class Column(Spec):
    name: str
    description: str = ""
    data_type: str | None = None
    on_change: Literal["new_version", "overwrite", "ignore"] | None = Field(
        None,
        description="Columns of snapshots: a change makes a new version (the default), overwrites the open version (SCD type 1), "
        "or waits for the next version.",
    )
    quote: bool = Field(False, description="Keep the spelling of the name instead of folding it to lower case.")
    data_tests: tuple[DataTest, ...] = ()
    tests: tuple[DataTest, ...] = Field((), description="dbt's older word for data_tests.")
    tags: Names = ()
    meta: dict[str, Any] = {}
