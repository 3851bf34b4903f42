"""A model as written → a node: its SQL analysed, its settings checked."""

from __future__ import annotations

import dataclasses

from c360gen.diagnostics import Diagnostics
from c360gen.project import incrementals, partitions, texts
from c360gen.project.columns import declared_columns, named
from c360gen.project.config import comments, readers
from c360gen.project.erasure import erasure
from c360gen.project.nodes import Node
from c360gen.project.query import Catalog
from c360gen.project.references import Known
from c360gen.spec import models as spec
from c360gen.spec.load import Located


def resolve(located: Located[spec.Model], ids: tuple[str, ...], catalog: Catalog, known: Known, diagnostics: Diagnostics) -> Node | None:
    model, config = located.spec, located.spec.config
    before = len(diagnostics.found)
    declared = {c.name: c for c in declared_columns(located, model.columns, ("columns",), diagnostics, need_types=False)}
    queries, columns = texts.resolve(located, declared, catalog, known, diagnostics)
    if len(diagnostics.found) > before or (config.materialized not in ("view", "ephemeral") and any(c.told for c in columns)):
        return None
    outputs = {c.name for c in columns}

    def folded(name: str | None) -> str | None:
        return name and named(name, outputs)

    def several(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(named(n, outputs) for n in names))

    partition_by, size = partitions.of(config, outputs)
    node = Node(
        name=model.name, kind=config.materialized, schema=config.schema_ or known.specs.project.spec.schema_,
        identifier=config.alias or model.name, columns=columns, depends_on=ids, span=located.span("name"),
        description=model.description.strip(), key=several(config.unique_key),
        strategy=texts.strategy(config), queries=queries, cursor=folded(config.cursor),
        lookback=incrementals.seconds(config), batches=incrementals.batches(config, outputs),
        version_column=folded(config.version_column), keeps_rows=config.full_refresh is False,
        on_schema_change=config.on_schema_change, updated=incrementals.updated(config, columns),
        partition_by=partition_by, partition_size=size, cluster_by=several(config.cluster_by),
        indexes=tuple((several(i.columns), i.unique) for i in config.indexes),
        readers=readers(config, known.specs.project.spec), comments=comments(config), tags=(*model.tags, *config.tags),
    )  # fmt: skip
    incrementals.check(located, node, diagnostics)
    if not node.exists:
        _nowhere(located, diagnostics)
    if config.erasure is not None:
        if not node.runs:
            message = f"erasure: {node.name} is {'a view' if node.kind == 'view' else 'ephemeral'} and stores nothing"
            diagnostics.error("C401", message, located.key_span("config", "erasure"), "declare it where the rows are stored")
        times = (node.cursor, node.version_column, node.batches.event_time if node.batches else None)
        needed = {n for n in (*node.key, *times) if n}
        node = dataclasses.replace(node, erasure=erasure(located, node.columns, needed, diagnostics))
    return node if len(diagnostics.found) == before else None


def _nowhere(located: Located[spec.Model], diagnostics: Diagnostics) -> None:
    """An ephemeral model has no settings of what the database holds."""
    given = [("config", key) for key in ("schema", "alias", "partition_by", "cluster_by", "indexes")]
    for loc in [*given, ("point_in_time",)]:
        if located.says(*loc):
            message = f"{loc[-1]} means nothing for {located.spec.name}: the database has nothing of an ephemeral model"
            diagnostics.error("C401", message, located.key_span(*loc), "remove it, or materialize it as a view or a table")
