"""The spec language as pydantic models, one module per section: dbt's words where dbt has them, unknown keys refused."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from c360gen.spec.models.approvals import Approval
from c360gen.spec.models.columns import Backfill, Column
from c360gen.spec.models.constraints import Constraint, Contract
from c360gen.spec.models.exposures import Exposure, Owner
from c360gen.spec.models.lint import Lint, LintPath
from c360gen.spec.models.models import Model, ModelConfig, PointInTime
from c360gen.spec.models.nodes import Erasure, Grants, Index, NodeConfig, Partition, PersistDocs
from c360gen.spec.models.project import Project, Target, Vars
from c360gen.spec.models.refused import NOT_CARRIED, VALUES_NOT_CARRIED
from c360gen.spec.models.scenarios import Cell, Expected, Given, Row, Rows, Scenario, Step
from c360gen.spec.models.schedules import Schedule, check_cron
from c360gen.spec.models.seeds import Seed, SeedConfig
from c360gen.spec.models.snapshots import Adopt, AllExcept, MetaColumns, Snapshot, SnapshotConfig, SourceDelta
from c360gen.spec.models.sources import Age, Freshness, Source, SourceConfig, SourceTable
from c360gen.spec.models.tests import (
    AcceptedValues,
    DataTest,
    ExpressionIsTrue,
    Relationships,
    TestConfig,
    TestSettings,
    UniqueCombinationOfColumns,
)
from c360gen.spec.models.words import DIALECTS, DialectName, Duration, Instant, Names, PlainName, Size, Spec, Values

__all__ = [
    "DIALECTS", "NOT_CARRIED", "VALUES_NOT_CARRIED", "AcceptedValues", "Adopt", "Age", "AllExcept", "Approval", "Backfill", "Cell",
    "Column", "Constraint",
    "Contract", "DataTest", "DialectName", "Duration", "Erasure", "Expected", "Exposure", "ExpressionIsTrue", "Freshness",
    "Given", "Grants", "Index", "Instant", "Lint", "LintPath", "MetaColumns", "Model", "ModelConfig", "Names", "NodeConfig",
    "Owner", "Partition", "PersistDocs", "PlainName", "PointInTime", "Project", "Relationships", "Row", "Rows", "Scenario", "Schedule",
    "Seed", "SeedConfig", "Size", "Snapshot", "SnapshotConfig", "Source", "SourceConfig", "SourceDelta", "SourceTable", "Spec",
    "SpecFile", "Step", "Target", "TestConfig", "TestSettings", "UniqueCombinationOfColumns", "Values", "Vars", "check_cron",
]  # fmt: skip


class SpecFile(Spec):
    """One YAML file: any sections, in any order."""

    version: Literal[2] = Field(2, description="dbt's version of the file format.")
    project: Project | None = Field(None, description="The project as a whole; in one file only.", examples=[{"name": "customer_360"}])
    lint: Lint | None = Field(None, description="How severe the linter's rules are, and where.", examples=[{"rules": {"L101": "error"}}])
    targets: dict[str, Target] = Field({}, description="Environments by name.", examples=[{"postgres": {"dialect": "postgres"}}])
    sources: tuple[Source, ...] = Field((), description="Tables of others.", examples=[[{"name": "raw_data", "tables": []}]])
    seeds: tuple[Seed, ...] = Field(
        (), description="Small tables that come with the specs, as CSV.",
        examples=[[{"name": "countries", "columns": [{"name": "code", "data_type": "text"}]}]],
    )  # fmt: skip
    snapshots: tuple[Snapshot, ...] = Field(
        (), description="Histories (SCD type 2).",
        examples=[[{"name": "customer_snapshot", "relation": "source('raw_data', 'customers')"}]],
    )  # fmt: skip
    models: tuple[Model, ...] = Field((), description="SELECTs.", examples=[[{"name": "one", "sql": "select 1 as x"}]])
    exposures: tuple[Exposure, ...] = Field(
        (), description="Who reads the nodes.", examples=[[{"name": "report", "type": "dashboard", "owner": {"name": "Data Team"}}]]
    )
    schedules: tuple[Schedule, ...] = Field(
        (), description="When nodes run.", examples=[[{"name": "daily", "cron": "0 0 * * *", "select": "resource_type:snapshot"}]]
    )
    approvals: tuple[Approval, ...] = Field(
        (), description="What migrations may destroy.",
        examples=[[{"drop": "mart.orders.city__retired_2", "by": "Olga", "on": "2026-06-01"}]],
    )  # fmt: skip
    scenarios: tuple[Scenario, ...] = Field(
        (), description="Tests of nodes over time, for `c360gen test`.",
        examples=[[{"name": "nothing_comes", "steps": [{"as_of": "2026-01-02", "run": "customer_snapshot", "fails": "ZC004"}]}]],
    )  # fmt: skip
