"""`data_tests:` of columns and of whole relations: queries whose rows are failures."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from c360gen.spec.models.words import Meta, Names, Spec, Tags, Text

KINDS = ("unique", "not_null", "accepted_values", "relationships", "expression_is_true", "unique_combination_of_columns")
_PACKAGE = "dbt_utils."
_LISTED = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"


class TestConfig(Spec):
    """Which rows a test looks at, and how bad a failure is."""

    severity: Literal["error", "warn"] = Field("error", description="warn: `c360gen test` shows the failure, and passes.")
    where: str | None = Field(
        None, description="A condition in the project's sql_dialect: only rows for which it is true are tested.",
        examples=["status <> 'draft'"],
    )  # fmt: skip
    enabled: bool = Field(True, description="false: the test is left out.")
    tags: Tags = ()
    meta: Meta = {}


class TestSettings(Spec):
    """What every test may say besides its arguments."""

    name: str | None = Field(
        None, description="What reports call it; by default made of its kind, relation and column.", examples=["one_row_per_order"]
    )
    description: Text = ""
    config: TestConfig = Field(TestConfig(), description="Severity, and which rows.", examples=[{"severity": "warn"}])

    @model_validator(mode="before")
    @classmethod
    def _arguments(cls, value: Any) -> Any:
        """dbt 1.10 writes a test's arguments one level deeper, under `arguments:`."""
        if isinstance(value, dict) and isinstance(value.get("arguments"), dict):
            return {**{k: v for k, v in value.items() if k != "arguments"}, **value["arguments"]}
        return {} if value is True or value is None else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The same, with `arguments:` as another place for what is the test's own."""
        reference = handler(schema)
        written = handler.resolve_ref_schema(reference)
        own = {k: v for k, v in written["properties"].items() if k not in TestSettings.model_fields}
        if own and "arguments" not in written["properties"]:
            needed = written.pop("required", [])
            written["properties"]["arguments"] = {
                "type": "object", "properties": own, "required": needed, "additionalProperties": False,
                "description": "The same keys one level deeper, as dbt 1.10 writes them.",
                "examples": [{k: v["examples"][0] for k, v in own.items()}],
            }  # fmt: skip
            written["anyOf"] = [{"required": needed}, {"required": ["arguments"]}]
        return reference


class Unique(TestSettings):
    """No value twice; NULL passes."""


class NotNull(TestSettings):
    """No NULL."""


class AcceptedValues(TestSettings):
    """Every value is one of a list; NULL passes."""

    values: tuple[str | int | float | bool, ...] = Field(min_length=1, description="The list.", examples=[["pending", "shipped"]])


class Relationships(TestSettings):
    """Every value is one of another relation's column; NULL passes."""

    to: str = Field(description="The other relation: ref('…') or source('…', '…').", examples=["ref('customers')"])
    field: str = Field(description="Its column.", examples=["customer_id"])


class ExpressionIsTrue(TestSettings):
    """A condition that no row breaks; where it is NULL, the row passes."""

    expression: str = Field(
        description="A condition in the project's sql_dialect. Of a column it begins with an operator, and the column stands before it.",
        examples=["valid_to > valid_from", ">= 0"],
    )


class UniqueCombinationOfColumns(TestSettings):
    """No combination of values twice; NULL is a value like any other."""

    combination_of_columns: Names = Field(min_length=2, description="The columns.", examples=[["order_id", "line"]])


class DataTest(Spec):
    """One data test; exactly one key is set. Plain `unique` and `not_null` are written as words."""

    unique: Unique | None = Field(None, description="No value twice.", examples=[{"config": {"severity": "warn"}}])
    not_null: NotNull | None = Field(None, description="No NULL.", examples=[{"config": {"where": "status <> 'draft'"}}])
    accepted_values: AcceptedValues | None = Field(
        None, description="Only values of a list.", examples=[{"values": ["pending", "shipped"]}]
    )
    relationships: Relationships | None = Field(
        None, description="Only values that another relation has.", examples=[{"to": "ref('customers')", "field": "customer_id"}]
    )
    expression_is_true: ExpressionIsTrue | None = Field(
        None, description="A condition that no row breaks; dbt_utils.expression_is_true.", examples=[{"expression": ">= 0"}]
    )
    unique_combination_of_columns: UniqueCombinationOfColumns | None = Field(
        None, description="Of whole relations: no combination twice; dbt_utils.unique_combination_of_columns.",
        examples=[{"combination_of_columns": ["order_id", "line"]}],
    )  # fmt: skip

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Words and mappings, as YAML has them, and dbt's longer names of two."""
        reference = handler(schema)
        written = handler.resolve_ref_schema(reference)
        mapping = {**written, "minProperties": 1, "maxProperties": 1}
        packaged = {f"{_PACKAGE}{k}": mapping["properties"][k] for k in KINDS[-2:]}
        mapping["properties"] = {**mapping["properties"], **packaged}
        written.clear()
        mapping.pop("title", None)
        written["description"] = mapping.pop("description")
        written["anyOf"] = [{"enum": ["unique", "not_null"]}, mapping]
        written["examples"] = ["unique", {"accepted_values": {"values": ["pending", "shipped"]}}]
        return reference

    @property
    def kind(self) -> str:
        return next(iter(self.model_fields_set))

    @property
    def settings(self) -> TestSettings:
        found: TestSettings = getattr(self, self.kind)
        return found

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        if value in ("unique", "not_null"):
            return {value: {}}
        if isinstance(value, str):
            raise ValueError(f"must hold {_LISTED}, not '{value}'")
        if isinstance(value, dict):
            return {plain if (plain := str(k).removeprefix(_PACKAGE)) in KINDS else k: v for k, v in value.items()}
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> DataTest:
        if len(self.model_fields_set) != 1 or self.settings is None:
            raise ValueError(f"must be one test: {_LISTED}")
        return self
