"""The spec language as pydantic models, one module per section: dbt's words where dbt has them, unknown keys refused."""

from __future__ import annotations

from typing import Literal

from c360gen.spec.models.columns import AcceptedValues, Column, DataTest, Relationships
from c360gen.spec.models.exposures import Exposure, Owner
from c360gen.spec.models.lint import Lint, LintPath
from c360gen.spec.models.models import Model, ModelConfig, PointInTime
from c360gen.spec.models.nodes import Erasure, Index, NodeConfig, Partition
from c360gen.spec.models.project import Project, Target
from c360gen.spec.models.refused import NOT_CARRIED, VALUES_NOT_CARRIED, WHY_NOT_CARRIED
from c360gen.spec.models.schedules import Schedule, check_cron
from c360gen.spec.models.snapshots import AllExcept, MetaColumns, Snapshot, SnapshotConfig, SourceDelta
from c360gen.spec.models.sources import Source, SourceTable
from c360gen.spec.models.words import DIALECTS, DialectName, Duration, Instant, Names, PlainName, Size, Spec, Values

__all__ = [
    "DIALECTS", "NOT_CARRIED", "VALUES_NOT_CARRIED", "WHY_NOT_CARRIED", "AcceptedValues", "AllExcept", "Column", "DataTest",
    "DialectName", "Duration", "Erasure", "Exposure", "Index", "Instant", "Lint", "LintPath", "MetaColumns", "Model", "ModelConfig",
    "Names", "NodeConfig", "Owner", "Partition", "PlainName", "PointInTime", "Project", "Relationships", "Schedule", "Size", "Snapshot",
    "SnapshotConfig", "Source", "SourceDelta", "SourceTable", "Spec", "SpecFile", "Target", "Values", "check_cron",
]  # fmt: skip


class SpecFile(Spec):
    """One YAML file: any sections, in any order."""

    version: Literal[2] = 2
    project: Project | None = None
    lint: Lint | None = None
    targets: dict[str, Target] = {}
    sources: tuple[Source, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    models: tuple[Model, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    schedules: tuple[Schedule, ...] = ()
