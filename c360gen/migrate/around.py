"""What stands around the tables of a plan: the views and routines that go, and the sections of deploy.sql that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.migrate.plan import Drops, Plan
from c360gen.migrate.state import NodeState
from c360gen.terms.symbols import cut

Pair = tuple[NodeState, NodeState]


def place(plan: Plan, names: Names, dialect: Dialect, pairs: Sequence[Pair], gone: Sequence[NodeState], come: Sequence[NodeState]) -> None:
    """Sets what a plan drops, on the way there and on the way back, and what it executes again."""
    around = _Around(plan, names, dialect, pairs)
    plan.drops, plan.undrops = around._drops(gone), around._undrops(come)
    plan.sections = around._sections()


class _Around:
    def __init__(self, plan: Plan, names: Names, dialect: Dialect, pairs: Sequence[Pair]):
        self.plan, self.names, self.dialect, self.pairs = plan, names, dialect, pairs
        self.released, self.wanted = plan.released, plan.wanted

    def _drops(self, gone: Sequence[NodeState]) -> Drops:
        """Views that cannot stay while tables change, and routines that nobody has any more."""
        wanted = {(r.path, r.arguments) for r in self.wanted.routines}
        routines = [r.path for r in self.released.routines if (r.path, r.arguments) not in wanted]
        left = {o.name for o in gone} | {o.name for o, n in self.pairs if o.label != n.label or o.kind != n.kind}
        touched = left if self.dialect.changes.replaces_views else left | {o.name for o, n in self.pairs if self._touched(o, n)}
        views, functions = self._around(self.released.nodes, touched)
        if not self.dialect.changes.replaces_views:
            routines += [f for f in functions if f not in routines and f in {r.path for r in self.released.routines}]
        return Drops(views, tuple(dict.fromkeys(routines)), self._moved())

    def _undrops(self, come: Sequence[NodeState]) -> Drops:
        released = {(r.path, r.arguments) for r in self.released.routines}
        routines = [r.path for r in self.wanted.routines if (r.path, r.arguments) not in released]
        left = {n.name for n in come} | {n.name for o, n in self.pairs if o.label != n.label or o.kind != n.kind}
        touched = left if self.dialect.changes.replaces_views else left | {n.name for o, n in self.pairs if self._touched(o, n)}
        views, functions = self._around(self.wanted.nodes, touched)
        if not self.dialect.changes.replaces_views:
            routines += [f for f in functions if f not in routines]
        return Drops(views, tuple(dict.fromkeys(routines)), {new: old for old, new in self._moved().items()})

    def _moved(self) -> dict[str, str]:
        """What belongs to a node that has another name now: its views, its functions, the procedures of its runs."""
        found: dict[str, str] = {}
        for old, new in self.pairs:
            if old.label != new.label:
                for fact in ("views", "functions"):
                    there = new.facts.get(fact, ())
                    for name in old.facts.get(fact, ()):
                        called = f"{new.identifier}{name.removeprefix(old.identifier)}"
                        if name.startswith(old.identifier) and called in there:
                            found[self._path(old.schema, name)] = self._path(new.schema, called)
            if old.name != new.name:
                ran, runs = ([p for p, _ in self.dialect.procedures_of(n.name)] for n in (old, new))
                paths = ([self.dialect.path(self.names.own(p)) for p in some] for some in (ran, runs))
                found |= dict(zip(*paths, strict=True))
        return found

    def _path(self, schema: str, name: str) -> str:
        return self.dialect.path(self.dialect.changes.place(schema, cut(name), self.names))

    def _touched(self, old: NodeState, new: NodeState) -> bool:
        return new.name in self.plan.rewritten or list(old.columns.items()) != list(new.columns.items())

    def _around(self, nodes: Mapping[str, NodeState], touched: set[str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Views of what is touched and of the views that read it, those that read others first; and table functions."""
        if not self.dialect.changes.replaces_views:
            touched = self._with_readers(nodes, touched)
        views: list[tuple[str, str]] = []
        functions: list[str] = []
        for node in nodes.values():
            besides = any(b in touched for b in node.facts.get("beside", ()))
            if node.name in touched:
                views += [(node.schema, v) for v in node.facts.get("views", ())]
                at = [self.dialect.changes.place(node.schema, cut(f), self.names) for f in node.facts.get("functions", ())]
                functions += [self.dialect.path(a) for a in at]
            elif besides and not self.dialect.changes.replaces_views:
                views += [(node.schema, v) for v in node.facts.get("views", ()) if v.endswith("_point_in_time")]
        beside = [v for v in views if v[1].endswith("_point_in_time")]
        return (*beside, *(v for v in reversed(views) if v not in beside)), tuple(functions)

    def _with_readers(self, nodes: Mapping[str, NodeState], touched: set[str]) -> set[str]:
        found = set(touched)
        grown = True
        while grown:
            grown = False
            for node in nodes.values():
                reads = {r.removeprefix("ref:") for r in node.facts.get("reads", ())}
                if node.kind == "view" and node.name not in found and reads & found:
                    found.add(node.name)
                    grown = True
        return found

    def _sections(self) -> tuple[str, ...]:
        """Those whose text differs, those of what was dropped, and the tables that were altered; grants behind them."""
        again = {p for p, sha in self.wanted.sections.items() if self.released.sections.get(p) != sha}
        dropped = set(self.plan.drops.views)
        for name in self._with_readers(
            self.wanted.nodes, set(self.plan.rewritten) | {n.name for _, n in self.pairs if self._view_dropped(n, dropped)}
        ):
            again |= {f"tables/{name}.sql", f"views/{name}.sql", f"views/{name}_point_in_time.sql"}
        for node in self.wanted.nodes.values():
            if any(b in self.plan.rewritten for b in node.facts.get("beside", ())):
                again.add(f"views/{node.name}_point_in_time.sql")
        found = [p for p in self.wanted.sections if p in again]
        if found and "grants.sql" in self.wanted.sections and "grants.sql" not in found:
            found.append("grants.sql")
        return tuple(found)

    @staticmethod
    def _view_dropped(node: NodeState, dropped: set[tuple[str, str]]) -> bool:
        return any((node.schema, v) in dropped for v in node.facts.get("views", ()))
