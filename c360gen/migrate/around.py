"""What stands around the tables of a plan: the views and routines that go, and the sections of deploy.sql that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit.bundle import Section
from c360gen.migrate.plan import Around, Drops
from c360gen.migrate.state import NodeState, State
from c360gen.project import graph
from c360gen.terms.symbols import cut

Pair = tuple[NodeState, NodeState]


class Placed:
    """`rewritten` are the nodes whose sections are executed again, whatever their text; `sections` are those of the wanted deploy.sql."""

    def __init__(
        self, released: State, wanted: State, names: Names, dialect: Dialect, pairs: Sequence[Pair], rewritten: Set[str],
        sections: Sequence[Section],
    ):  # fmt: skip
        self.released, self.wanted, self.names, self.dialect, self.pairs = released, wanted, names, dialect, pairs
        self.rewritten, self.sections = rewritten, [s for s in sections if s.deployed]

    def around(self, gone: Sequence[NodeState], come: Sequence[NodeState]) -> Around:
        """What is dropped, on the way there and on the way back, and what is executed again."""
        drops = self._drops(gone)
        return Around(drops, self._undrops(come), self._sections(drops))

    def _drops(self, gone: Sequence[NodeState]) -> Drops:
        """Views that cannot stay while tables change, and routines that nobody has any more."""
        wanted = {(r.path, r.arguments) for r in self.wanted.routines}
        routines = [r.path for r in self.released.routines if (r.path, r.arguments) not in wanted]
        left = {o.name for o in gone} | {o.name for o, n in self.pairs if o.label != n.label or o.kind != n.kind}
        touched = left if self.dialect.changes.replaces_views else left | {o.name for o, n in self.pairs if self._touched(o, n)}
        views, functions = self._around(self.released.nodes, touched, {o.name for o, n in self.pairs if self._turned(o, n)})
        if not self.dialect.changes.replaces_views:
            routines += [f for f in functions if f not in routines and f in {r.path for r in self.released.routines}]
        return Drops(views, tuple(dict.fromkeys(routines)), self._moved())

    def _undrops(self, come: Sequence[NodeState]) -> Drops:
        released = {(r.path, r.arguments) for r in self.released.routines}
        routines = [r.path for r in self.wanted.routines if (r.path, r.arguments) not in released]
        left = {n.name for n in come} | {n.name for o, n in self.pairs if o.label != n.label or o.kind != n.kind}
        touched = left if self.dialect.changes.replaces_views else left | {n.name for o, n in self.pairs if self._touched(o, n)}
        views, functions = self._around(self.wanted.nodes, touched, {n.name for o, n in self.pairs if self._turned(n, o)})
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
        return new.name in self.rewritten or list(old.columns.items()) != list(new.columns.items())

    def _turned(self, one: NodeState, other: NodeState) -> bool:
        """Whether a view beside a snapshot has no place in the other state, or shows what the engine cannot put into it."""
        replaced = self.dialect.changes.replaces_views or one.shown_beside == other.shown_beside
        return bool(one.beside) and not (other.beside and replaced)

    def _around(
        self, nodes: Mapping[str, NodeState], touched: set[str], turned: Set[str]
    ) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Views of what is touched and of the views that read it, those that read others first; and table functions."""
        if not self.dialect.changes.replaces_views:
            touched = self._with_readers(nodes, touched)
        views: list[tuple[str, str]] = []
        beside: list[tuple[str, str]] = []
        functions: list[str] = []
        for node in (nodes[n] for n in graph.order({n.name: n.reads for n in nodes.values()})):
            reads = any(b in touched for b in node.facts.get("beside", ()))
            if node.name in touched or node.name in turned or (reads and not self.dialect.changes.replaces_views):
                beside += [(node.schema, v) for v in node.beside]
            if node.name in touched:
                views += [(node.schema, v) for v in node.views if v not in node.beside]
                at = [self.dialect.changes.place(node.schema, cut(f), self.names) for f in node.facts.get("functions", ())]
                functions += [self.dialect.path(a) for a in at]
        return (*beside, *reversed(views)), tuple(functions)

    def _with_readers(self, nodes: Mapping[str, NodeState], touched: Set[str]) -> set[str]:
        found = set(touched)
        grown = True
        while grown:
            grown = False
            for node in nodes.values():
                if node.kind == "view" and node.name not in found and found & set(node.reads):
                    found.add(node.name)
                    grown = True
        return found

    def _sections(self, drops: Drops) -> tuple[str, ...]:
        """Those whose text differs, those of what was dropped, and the tables that were altered; grants behind them."""
        dropped = set(drops.views)
        again = self._with_readers(self.wanted.nodes, {*self.rewritten, *(n.name for _, n in self.pairs if self._view_dropped(n, dropped))})
        beside = {n.name for n in self.wanted.nodes.values() if any(b in self.rewritten for b in n.facts.get("beside", ()))}
        found = [
            s for s in self.sections
            if self.released.sections.get(s.path) != self.wanted.sections[s.path]
            or (s.role in ("objects", "helpers", "beside") and s.node in again)
            or (s.role == "beside" and s.node in beside)
        ]  # fmt: skip
        grants = [s for s in self.sections if found and s.role == "grants" and s not in found]
        return tuple(s.path for s in (*found, *grants))

    @staticmethod
    def _view_dropped(node: NodeState, dropped: set[tuple[str, str]]) -> bool:
        return any((node.schema, v) in dropped for v in node.views)
