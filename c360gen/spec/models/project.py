"""`project:` and `targets:`: where things live, and for whom."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from c360gen.spec.models.nodes import Grants
from c360gen.spec.models.words import (
    ConnectionName,
    DialectName,
    Duration,
    EnvName,
    Names,
    PlainName,
    Schedulers,
    Setting,
    SettingName,
    Spec,
    plain_or_env,
)

Vars = dict[str, str | int | float | bool | list[str | int | float | bool] | None]


def _versions(value: tuple[str, ...]) -> tuple[str, ...]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(",".join(value))
    except InvalidSpecifier:
        raise ValueError("must be conditions on a version such as '>=0.1,<0.2'") from None
    return value


class Project(Spec):
    """The project as a whole: its name, the dialect in which its SQL is written, where its control objects live."""

    name: PlainName = Field("customer_360", description="Name of the project, in headers and in the manifest.", examples=["customer_360"])
    required_version: Annotated[Names, AfterValidator(_versions)] = Field(
        (), description="Versions of c360gen that may build this project: another one may print other text.",
        examples=[">=0.1,<0.2", [">=0.1", "<0.2"]],
    )  # fmt: skip
    sql_dialect: DialectName = Field("postgres", description="The dialect in which the SQL of the models is written.")
    control_schema: str = Field("c360_control", description="Schema of procedures, run log and state.", examples=["c360_control"])
    schema_: str = Field("analytics", alias="schema", description="Schema of nodes that name none.", examples=["analytics"])
    vars: Vars = Field({}, description="Values that SQL reads with {{ var('name') }}.", examples=[{"gold_from": 500}])
    run_log_retention: Duration = Field(
        400 * 86400, description="How long prune_run_log keeps the rows of the run log; by default 400 days."
    )
    grants: Grants = Field(Grants(), description="Who may read nodes that name nobody.", examples=[{"select": ["analyst"]}])
    functions: Names = Field((), description="Functions of your own that exist on every target under this name.", examples=[["mask_email"]])


class Target(Spec):
    """An environment: a dialect, where it lives, and who owns, runs and reads it. Its output is generated/<target>/.

    Names may come from variables of the environment, {{ env_var('NAME') }}, but not those of targets that are built by default.
    """

    dialect: DialectName | None = Field(None, description="The engine; may come from `extends`.")
    extends: str | None = Field(
        None, description="Another target, whose settings hold where this one says nothing, but for default:; null takes one away.",
        examples=["snowflake"],
    )  # fmt: skip
    default: bool = Field(False, description="Built when the command line names no target.")
    database: EnvName | None = Field(None, description="Snowflake: the database. BigQuery: the project.", examples=["C360"])
    schema_prefix: Annotated[str, AfterValidator(lambda value: value and plain_or_env(value))] = Field(
        "", description="What the name of every schema of this target begins with.", examples=["dev_", "dev_{{ env_var('USER') }}_"]
    )
    min_version: int | None = Field(None, description="Postgres: the oldest version that the SQL must run on.", examples=[15])
    location: EnvName | None = Field(None, description="BigQuery: where data sets lie.", examples=["EU"])
    warehouse: EnvName | None = Field(None, description="Snowflake: the warehouse of tasks.", examples=["ETL"])
    owner: EnvName | None = Field(None, description="Postgres and Snowflake: the role that owns what is created.", examples=["c360_owner"])
    runner: EnvName | None = Field(None, description="Role that may call the procedures.", examples=["c360_job"])
    reader: EnvName | None = Field(None, description="Role that may read the nodes.", examples=["c360_read"])
    settings: dict[SettingName, Setting] = Field(
        {}, description="Postgres: what runs set for themselves, instead of work_mem: 64MB, lock_timeout: 10s, row_security: 'off'.",
        examples=[{"work_mem": "256MB", "max_parallel_workers_per_gather": 0}],
    )  # fmt: skip
    roles: dict[str, EnvName] = Field(
        {}, description="What roles that `grants:` name are called here, where that is not the same.",
        examples=[{"analyst": "group:analysts@example.com"}],
    )  # fmt: skip
    layout: Literal["flyway", "schemachange"] | None = Field(
        None, description="Released targets: also write the migrations as this tool's V files, and deploy.sql as its R file.",
        examples=["flyway"],
    )  # fmt: skip
    form: Literal["procedures", "scripts"] | None = Field(
        None, description="Procedures in the database, or scripts that somebody else calls; scripts on DuckDB, else procedures."
    )
    schedulers: Schedulers | None = Field(
        None, description="Who runs the schedules; by default what comes with the engine. An empty list: nobody that c360gen knows.",
        examples=[["airflow"]],
    )  # fmt: skip
    airflow_conn_id: ConnectionName | None = Field(
        None, description="Airflow: the connection of the tasks; by default <project>_<target>.", examples=["c360"]
    )
    looker_connection: ConnectionName | None = Field(
        None, description="Looker: the connection of the models; by default <project>_<target>.", examples=["c360"]
    )
    tableau_server: PlainName | None = Field(
        None, description="Tableau: the host that data sources connect to; without it Tableau asks.", examples=["db.example.com"]
    )  # fmt: skip
