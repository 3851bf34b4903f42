"""Where things are in one target: symbols → addresses."""

from __future__ import annotations

from dataclasses import dataclass

from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.spec.models import Target
from c360gen.terms.symbols import cut


@dataclass(frozen=True)
class Address:
    """database.schema.name; the database is None where the engine has one per connection."""

    database: str | None
    schema: str
    name: str

    @property
    def place(self) -> Address:
        """The schema alone: an address without a name."""
        return Address(self.database, self.schema, "")


@dataclass(frozen=True)
class Names:
    """The addresses of a project's objects in one target."""

    project: Resolved
    target_name: str
    target: Target
    database: str | None = None
    """Snowflake's database or BigQuery's project; Postgres and DuckDB have the one they are connected to."""
    reads_databases: bool = True
    """Whether a query can read another database than the one that it is connected to."""
    environment: tuple[str, ...] = ()
    """Names of the variables of the environment that the target was read with."""
    left: tuple[str, ...] = ()
    """Schemas that no node is in any more, and in which something is retired; without the prefix."""

    @property
    def control(self) -> str:
        return self.target.schema_prefix + self.project.project.control_schema

    def place(self, schema: str) -> Address:
        """A schema of this target, which is called with its prefix."""
        return Address(self.database, schema, "")

    def schema(self, name: str) -> str:
        return self.target.schema_prefix + name

    @property
    def schemas(self) -> list[str]:
        """Every schema that is ours, control first."""
        there = {n.schema for n in self.project.nodes.values() if n.exists} | {*self.left}
        own = sorted({self.schema(s) for s in there} - {self.control})
        return [self.control, *own]

    @property
    def seeds(self) -> bool:
        return any(n.kind == "seed" for n in self.project.nodes.values())

    @property
    def readers(self) -> dict[str, list[Node]]:
        """Roles, as this target calls them, and the nodes that each may read besides the target's own reader."""
        found: dict[str, list[Node]] = {}
        for node in self.project.nodes.values():
            for role in node.readers if node.exists else ():
                found.setdefault(self.target.roles.get(role, role), []).append(node)
        return dict(sorted(found.items()))

    @property
    def watched(self) -> bool:
        """Whether any source says how fresh it should be."""
        return any(s.freshness for s in self.project.sources.values())

    def node(self, name: str, identifier: str | None = None) -> Address:
        node = self.project.nodes[name]
        return Address(self.database, self.schema(node.schema), cut(identifier or node.identifier))

    def own(self, name: str) -> Address:
        """An object of the control schema; its name is cut to 63 bytes, with a hash where cut."""
        return Address(self.database, self.control, cut(name))

    def symbol(self, kind: str, name: str) -> Address:
        if kind == "ref":
            return self.node(name)
        if kind == "source":
            source = self.project.sources[name]
            database = (source.database or self.database) if self.reads_databases else None
            return Address(database, source.schema, source.identifier)
        if kind == "control":
            return self.own(name)
        if kind in ("quarantine", "observations"):
            return self.node(name, f"{self.project.nodes[name].identifier}_{kind}")
        return self.own(f"{kind}_{name}")
