"""dbt's manifest.json and catalog.json, as far as an import reads them.

Rules: https://schemas.getdbt.com/dbt/manifest/v12.json, /dbt/catalog/v1.json. dbt 1.8 and later write this version of the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

MANIFEST = 12
_Shape = TypeVar("_Shape", bound="_Part")


class BadArtifact(Exception):
    """A file is missing, or is not what its name says: the message, and the line of help."""

    def __init__(self, message: str, help: str):
        super().__init__(message)
        self.message, self.help = message, help


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _said(cls, value: Any) -> Any:
        """null is what dbt writes where nothing is said."""
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class Metadata(_Part):
    dbt_schema_version: str = ""
    adapter_type: str | None = None
    project_name: str | None = None


class Column(_Part):
    name: str
    description: str = ""
    data_type: str | None = None
    constraints: Sequence[Mapping[str, Any]] = ()
    quote: bool | None = None
    meta: Mapping[str, Any] = {}
    tags: Sequence[str] = ()


def _slashes(value: str) -> str:
    """dbt on Windows writes backslashes."""
    return value.replace("\\", "/")


FilePath = Annotated[str, AfterValidator(_slashes)]


class Named(_Part):
    """What everything in a manifest has."""

    unique_id: str
    name: str
    package_name: str = ""
    original_file_path: FilePath = ""
    description: str = ""
    config: Mapping[str, Any] = {}
    unrendered_config: Mapping[str, Any] = {}
    tags: Sequence[str] = ()
    meta: Mapping[str, Any] = {}


class DependsOn(_Part):
    nodes: Sequence[str] = ()
    macros: Sequence[str] = ()


class ExtraCte(_Part):
    id: str
    sql: str = ""


class TestMetadata(_Part):
    name: str
    namespace: str | None = None
    arguments: Mapping[str, Any] = Field({}, alias="kwargs")


class Node(Named):
    """A model, a snapshot, a seed or a test."""

    resource_type: str
    database: str | None = None
    schema_: str = Field("", alias="schema")
    alias: str = ""
    patch_path: FilePath | None = None
    language: str = "sql"
    raw_code: str = ""
    compiled_code: str | None = None
    extra_ctes: Sequence[ExtraCte] = ()
    relation_name: str | None = None
    depends_on: DependsOn = DependsOn()
    columns: Mapping[str, Column] = {}
    constraints: Sequence[Mapping[str, Any]] = ()
    version: str | int | float | None = None
    latest_version: str | int | float | None = None
    deprecation_date: str | None = None
    root_path: str | None = None
    test_metadata: TestMetadata | None = None
    attached_node: str | None = None
    column_name: str | None = None


class Source(Named):
    source_name: str
    source_description: str = ""
    database: str | None = None
    schema_: str = Field("", alias="schema")
    identifier: str = ""
    relation_name: str | None = None
    quoting: Mapping[str, Any] = {}
    loaded_at_field: str | None = None
    freshness: Mapping[str, Any] | None = None
    columns: Mapping[str, Column] = {}
    loader: str | None = ""
    external: Mapping[str, Any] | None = None


class Macro(_Part):
    package_name: str = ""
    macro_sql: str = ""
    depends_on: DependsOn = DependsOn()


class Exposure(Named):
    type: str
    owner: Mapping[str, Any] = {}
    label: str | None = None
    maturity: str | None = None
    url: str | None = None
    depends_on: DependsOn = DependsOn()


class Manifest(_Part):
    metadata: Metadata
    nodes: Mapping[str, Node]
    sources: Mapping[str, Source] = {}
    exposures: Mapping[str, Exposure] = {}
    disabled: Mapping[str, Sequence[Named] | None] = {}
    metrics: Mapping[str, Named] = {}
    semantic_models: Mapping[str, Named] = {}
    saved_queries: Mapping[str, Named] = {}
    unit_tests: Mapping[str, Named] = {}
    groups: Mapping[str, Named] = {}
    functions: Mapping[str, Named] = {}
    macros: Mapping[str, Macro] = {}


class CatalogColumn(_Part):
    name: str
    type: str
    index: int


class CatalogTable(_Part):
    columns: Mapping[str, CatalogColumn]


class Catalog(_Part):
    nodes: Mapping[str, CatalogTable] = {}
    sources: Mapping[str, CatalogTable] = {}

    def columns(self, id_: str) -> tuple[CatalogColumn, ...]:
        """In the table's order; none of a table that dbt has not found."""
        table = self.nodes.get(id_) or self.sources.get(id_)
        return tuple(sorted(table.columns.values(), key=lambda c: c.index)) if table else ()


def read_manifest(path: Path) -> Manifest:
    """Raise BadArtifact where it is none, or of a dbt that is too old."""
    found = _read(path, Manifest, "dbt parse (or better dbt compile, which says what macros become) writes it")
    version = found.metadata.dbt_schema_version.rpartition("/v")[2].removesuffix(".json")
    if version != str(MANIFEST):
        message = f"{path.as_posix()} is a manifest of version {version or 'unknown'}, not {MANIFEST}"
        raise BadArtifact(message, "dbt 1.8 and later write that version")
    return found


def read_catalog(path: Path) -> Catalog:
    return _read(path, Catalog, "dbt docs generate writes it")


def _read(path: Path, shape: type[_Shape], help: str) -> _Shape:
    try:
        return shape.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadArtifact(f"{path.as_posix()}: {(error.strerror or str(error)).lower()}", help) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadArtifact(f"{path.as_posix()} is no {path.stem} of dbt: {place}: {first['msg'].lower()}", help) from None
