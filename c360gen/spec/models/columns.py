"""`columns:` and their data tests, the same in every section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from c360gen.spec.models.words import Meta, Spec, Tags, Text


def _arguments(value: Any) -> Any:
    """dbt 1.10 writes a test's arguments one level deeper, under `arguments:`."""
    return value["arguments"] if isinstance(value, dict) and set(value) == {"arguments"} else value


class AcceptedValues(Spec):
    """Every value is one of a list; NULL passes."""

    values: tuple[str | int | float | bool, ...] = Field(min_length=1, description="The list.", examples=[["pending", "shipped"]])


class Relationships(Spec):
    """Every value is one of another relation's column; NULL passes."""

    to: str = Field(description="The other relation: ref('…') or source('…', '…').", examples=["ref('customers')"])
    field: str = Field(description="Its column.", examples=["customer_id"])


class DataTest(Spec):
    """One data test; exactly one key is set. Plain `unique` and `not_null` are written as words."""

    unique: Literal[True] | None = Field(None, description="No value twice.")
    not_null: Literal[True] | None = Field(None, description="No NULL.")
    accepted_values: Annotated[
        AcceptedValues | None,
        BeforeValidator(_arguments, json_schema_input_type=AcceptedValues | dict[Literal["arguments"], AcceptedValues]),
    ] = Field(None, description="Only values of a list.", examples=[{"values": ["pending", "shipped"]}])
    relationships: Annotated[
        Relationships | None, BeforeValidator(_arguments, json_schema_input_type=Relationships | dict[Literal["arguments"], Relationships])
    ] = Field(None, description="Only values that another relation has.", examples=[{"to": "ref('customers')", "field": "customer_id"}])

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Words and mappings, as YAML has them."""
        reference = handler(schema)
        written = handler.resolve_ref_schema(reference)
        mapping = {**written, "minProperties": 1, "maxProperties": 1}
        written.clear()
        mapping.pop("title", None)
        written["description"] = mapping.pop("description")
        written["anyOf"] = [{"enum": ["unique", "not_null"]}, mapping]
        written["examples"] = ["unique", {"accepted_values": {"values": ["pending", "shipped"]}}]
        return reference

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
    quote: bool = Field(False, description="Keep the spelling of the name instead of folding it to lower case.")
    data_tests: tuple[DataTest, ...] = Field((), description="What must hold for every row.", examples=[["unique", "not_null"]])
    tests: tuple[DataTest, ...] = Field((), description="dbt's older word for data_tests.", examples=[["unique"]])
    tags: Tags = ()
    meta: Meta = {}
