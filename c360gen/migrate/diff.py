"""Two states → the plan that leads from one to the other, or why there is none. A pure function."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from sqlglot import exp

from c360gen import dialects
from c360gen.diagnostics import Diagnostic, Span
from c360gen.dialects.names import Names
from c360gen.emit import identity
from c360gen.emit.bundle import Section
from c360gen.migrate import added, approved, around, history, memory, models, renames
from c360gen.migrate.columns import Differ
from c360gen.migrate.plan import Found, Hazard, Kept, Measured, Plan, Problem, Step, Symbol, together
from c360gen.migrate.state import STORED, NodeState, RetiredColumn, RetiredTable, State, with_retired
from c360gen.ops.change import (
    AlterTable,
    ChangeOp,
    DropLock,
    ForgetSeed,
    Relabel,
    RestoreTable,
    RetireTable,
    Stored,
)
from c360gen.ops.schema import ColumnDef
from c360gen.project.nodes import Node, Snapshot
from c360gen.terms.symbols import cut


def diff(released: State, wanted: State, names: Names, sections: Sequence[Section]) -> Plan:
    """From a released state to the specs; `sections` are those of the wanted deploy.sql."""
    return _Diff(released, wanted, names).plan(sections)


class _Diff:
    """Adds up what its parts find; what is retired after the migration changes under way."""

    def __init__(self, released: State, wanted: State, names: Names):
        self.released, self.wanted, self.names = released, wanted, names
        self.number = released.number + 1
        self.dialect = dialects.get(self.wanted.dialect)
        self.approved = {a.spec.drop: a for a in names.project.approvals}
        self.moved: dict[tuple[str, str], tuple[str, str]] = {}
        self.columns = list(self.released.retired_columns)
        self.tables = list(self.released.retired_tables)
        self.pairs: list[tuple[NodeState, NodeState]] = []
        self.parts: list[Found] = []

    def plan(self, sections: Sequence[Section]) -> Plan:
        specs = self.names.project.nodes
        matched = renames.nodes(self.released, self.wanted, specs)
        self.pairs = matched.pairs
        olds, news = ({pair[i].name for pair in self.pairs} | matched.unclear for i in (0, 1))
        gone = [o for o in self.released.nodes.values() if o.name not in olds]
        come = [n for n in self.wanted.nodes.values() if n.name not in news]
        handed = renames.handed(self.released, self.pairs, specs)
        self.parts.append(Found(problems=(*matched.problems, *handed, *renames.alike(gone, come, specs))))
        for old, new in self.pairs:
            self._pair(old, new)
        for old in gone:
            self._gone(old)
        for new in come:
            self._come(new)
        self._approvals()
        if not any(p.steps or p.problems for p in self.parts) and self.released.shape != self.wanted.shape:
            self._say("~", self.names.project.project.name, "the shape is another, though no table is", None)
        found = together(self.parts)
        rewritten = frozenset(found.rewritten)
        wanted = dataclasses.replace(
            self.wanted, retired_columns=tuple(self.columns), retired_tables=tuple(self.tables), migrations=self.released.migrations
        )
        placed = around.Placed(self.released, wanted, self.names, self.dialect, self.pairs, rewritten, sections)
        return Plan(
            self.released, wanted, self.number, tuple(sorted(self._read(found), key=lambda s: (s.object, "+~>-".index(s.symbol), s.what))),
            _said(found.problems), found.checks, (*found.forward, *found.rows), (*found.backward, *found.rows_back),
            found.taken_out, found.measured, found.checks_back,
            tuple(dict.fromkeys(found.lost)), tuple(dict.fromkeys(found.unerased)), found.versioned, rewritten, placed.around(gone, come),
        )  # fmt: skip

    # --- nodes -------------------------------------------------------------------------------------------------------------

    def _pair(self, old: NodeState, new: NodeState) -> None:
        node = self.names.project.nodes[new.name]
        if (old.kind == "snapshot") != (new.kind == "snapshot"):
            help = "give the other one a name of its own"
            message = f"{new.name} cannot change from {models.a(old.kind)} to {models.a(new.kind)}"
            self._problem(new.label, "C604", message, node.span, help)
            return
        if new.kind in ("table", "seed") and old.kind in STORED and models.rebuilt(old, new, node):
            self._gone(old, "it is filled again by its next run", labels=False)
            self._come(new, labels=False)
        elif old.kind in STORED and new.kind in STORED:
            self._stored(old, new, node)
        elif old.kind in STORED:
            self._gone(old, f"becomes a view: its table is retired as {self._retired_name(old.identifier)}")
        elif new.kind in STORED:
            self._say("~", new.label, f"a view becomes {models.a(new.kind)}", node.span)
            self._create(new)
        else:
            self.parts.append(models.view(old, new, node))
        self.parts.append(models.beside(old, new, node))

    def _stored(self, old: NodeState, new: NodeState, node: Node) -> None:
        begun = len(self.parts)
        main = old.table("ref")
        assert main is not None
        physical = with_retired(self.released, main)
        columns = renames.columns(physical, old, new, node)
        self.parts.append(Found(problems=tuple(columns.problems)))
        renamed = columns.renamed
        fills: dict[str, exp.Expr] = {}
        unfills: dict[str, exp.Expr] = {}
        kept: Kept | None = None
        if isinstance(node, Snapshot):
            self.parts.append(history.refused(old, new, node, renamed))
            self.parts.append(history.facts(old, new, node, renamed, self.released, self.wanted))
            self.parts.append(memory.of_snapshot(old, new, node, renamed, self._label(old), self._label(new)))
            fills, unfills = history.ends(old, new, node)
            kept = history.unmarked(old, new, self.number)
        else:
            labels = self._label(old), self._label(new)
            remembered = memory.of_model(old, new, node, *labels) + memory.windows(old, new, node, *labels)
            self.parts.append(models.facts(old, new, node) + models.key_back(old, new, node) + remembered)
        if old.facts.get("constraints") != new.facts.get("constraints"):
            told = Hazard("breaking", "rows that break one fail the migration, or the next run")
            self._say("~", new.label, "constraints changed", node.span, told, undo="they are as they were")
        for name, past in node.past.columns.items():
            if past.value is not None and not physical.has(renamed.get(name, name)):
                fills[name] = past.value
        differ = Differ(self.released, old, new, node, self.dialect, self.number, renamed, fills, unfills)
        if old.label != new.label or old.name != new.name:
            self._say(">", new.label, f"moved from {old.label}" if old.label != new.label else f"node renamed from {old.name}", node.span,
                      Hazard("breaking", "who reads it, or calls its procedures, must know the new name"))  # fmt: skip
            self._do(Relabel(self._label(old), self._label(new)), Relabel(self._label(new), self._label(old)))
            self._do(DropLock(old.name), DropLock(new.name))  # a lock table holds the label of its node, and is made again with the new one
        if (old.kind, old.label) != (new.kind, new.label):
            self._unseeded(old, new)
        for table in new.tables:
            if (was := old.table(table.kind)) is None:
                self._say("+", f"{table.schema}.{table.name}", "table", node.span, undo=_kept_as(self._undone_name(table.name, new)))
                self._made(table, new)
            elif table.kind != "ref":
                self._table(differ, was, table, node)
            else:
                flag = node.is_deleted if isinstance(node, Snapshot) and history.marked(old, new) else None
                altered = self._table(differ, was, table, node, kept, flag)
                if isinstance(node, Snapshot) and kept is not None and altered is not None:
                    kept = dataclasses.replace(kept, columns=altered.after.columns)
                    back = tuple(history.markers_back(kept, old, node, altered))
                    self.parts.append(Found(rows=tuple(history.markers_out(kept, altered.after, node.name)), rows_back=back))
        for table in old.tables:
            if new.table(table.kind) is None:
                self._retire(table, node.span, "the node does not need it any more")
        unfilled = tuple(differ.found.unfilled)
        self.parts.append(added.say(differ) + Found(tuple(differ.found.steps), tuple(differ.found.problems), checks_back=unfilled))
        self.columns += [c for c in differ.found.retired if c not in self.columns]
        self.columns = [c for c in self.columns if c not in differ.found.restored]
        if any(p.steps for p in self.parts[begun:]):
            self.parts.append(Found(rewritten=(new.name,)))
        self._unerased(old, new, differ.found.retired, kept)
        if kept is not None:
            plain = tuple(ColumnDef(c.name, c.type) for c in kept.columns)
            self.tables.append(RetiredTable(kept.schema, kept.name, f"markers of {new.label}", self.number, plain))

    def _unerased(self, old: NodeState, new: NodeState, retired: Iterable[RetiredColumn], kept: Kept | None) -> None:
        """Rows beside the table are beyond erase_, and so is a column that it made NULL, under its new name."""
        said = old.facts.get("erasure", ())
        rows = {(t.schema, t.name) for t in new.tables if t.kind == "quarantine"}  # there rows go
        found = [c.path for c in retired if c.was in said[1:] and (c.schema, c.table) not in rows]
        found += [f"{kept.schema}.{kept.name}"] if said and kept is not None else []
        self.parts.append(Found(unerased=tuple((new.name, path) for path in found)))

    def _label(self, node: NodeState) -> str:
        """As the control tables call it."""
        return f"{self.names.schema(node.schema)}.{cut(node.identifier)}"

    def _table(
        self, differ: Differ, before: Stored, after: Stored, node: Node, kept: Kept | None = None, flag: str | None = None
    ) -> AlterTable | None:
        """What alters it, if anything does; `kept` takes rows from it, and `flag` is a column that is true in rows that are new."""
        physical = with_retired(self.released, before)
        forth, back = differ.compare(physical, after, self.approved)
        self._moved_retired(before, after)
        same = all(m.how == "keep" and m.before == m.after and m.fill is None for m in forth.moves)
        rest = (before.schema, before.name, before.primary_key, before.indexes, before.ordered, before.constraints)
        if same and rest == (after.schema, after.name, after.primary_key, after.indexes, after.ordered, after.constraints):
            return None
        if before.schema != after.schema and not self.dialect.changes.moves_schemas:
            help = "keep the schema, or make a new node in the other one and copy the rows"
            message = f"{self.dialect.name} cannot move {before.schema}.{before.name} to another schema"
            self._problem(f"{after.schema}.{after.name}", "C604", message, node.span, help)
        self._do(forth, back)
        columns = tuple(
            (m.before.name, m.retired or (m.after.name if m.after else "")) for m in forth.moves
            if m.before and (kept is None or m.before.name != kept.flag)
            and (m.how in ("retire", "copy") or (m.how in ("keep", "rename") and m.fill is None))
            and not (before.kind == "ref" and m.how == "rename" and m.after and _taken(node, m.after.name))
        )  # fmt: skip
        copied = {m.before.name: m.after.name for m in forth.moves if m.how == "copy" and m.before and m.after}
        labels = tuple({self._label(self.released.nodes[before.node]): 0, self._label(self.wanted.nodes[node.name]): 0})
        filled = tuple(m.after.name for m in back.moves if m.how == "restore" and m.fill is not None and m.after)
        measured = Measured(
            physical, forth.after, columns, kept.name if kept else None, flag, kept.flag if kept else None, copied, filled, labels
        )
        self.parts.append(Found(measured=(measured,), rewritten=(node.name,)))
        self._physical(forth, node)
        return forth

    def _physical(self, op: AlterTable, node: Node) -> None:
        """Steps for what no column says: keys, indexes, NOT NULL; and the locks of it all on the first of the table's steps."""
        label = f"{op.after.schema}.{op.after.name}"
        if op.before.primary_key != op.after.primary_key and {*op.before.primary_key} != {*op.after.primary_key}:
            self._say("~", label, f"primary key ({', '.join(op.after.primary_key) or 'none'})", node.span)
        for name, _ in op.before.indexes:
            if name not in dict(op.after.indexes):
                self._say("-", f"{op.after.schema}.{name}", "index", node.span, undo="it is built again")
        for name, said in op.after.indexes:
            if dict(op.before.indexes).get(name) != said:
                self._say("+" if name not in dict(op.before.indexes) else "~", f"{op.after.schema}.{name}", f"index {said}", node.span,
                          undo="it is dropped")  # fmt: skip
        for move in op.moves:
            if move.before and move.after and move.how in ("keep", "rename") and move.before.not_null != move.after.not_null:
                said = "may not be NULL any more" if move.after.not_null else "may be NULL"
                self._say("~", f"{label}.{move.after.name}", said, node.span)
        if locks := self.dialect.changes.locks(op):
            kind = "rewrites" if self.dialect.changes.rewrites(op) else "locks"
            self._say("~", label, "table altered", node.span, Hazard(kind, locks))  # type: ignore[arg-type]

    def _moved_retired(self, before: Stored, after: Stored) -> None:
        """What is retired goes where its table goes."""
        if (before.schema, before.name) != (after.schema, after.name):
            self.moved[before.schema, before.name] = after.schema, after.name
            self.columns = [
                dataclasses.replace(c, schema=after.schema, table=after.name) if (c.schema, c.table) == (before.schema, before.name) else c
                for c in self.columns
            ]

    # --- what goes, what comes -----------------------------------------------------------------------------------------------

    def _come(self, new: NodeState, labels: bool = True) -> None:
        node = self.names.project.nodes[new.name]
        undo = _kept_as(self._undone_name(new.identifier, new)) if new.kind in STORED else "it is dropped"
        kept = [t.path for t in self.released.retired_tables if t.was == new.label]
        self._say("+", new.label, new.kind + (f", without the rows of {kept[-1]}" if kept else ""), node.span, undo=undo)
        self._create(new, labels)
        self.parts.append(Found(rewritten=(new.name,)))

    def _made(self, table: Stored, node: NodeState) -> None:
        """On the way back a new table keeps its rows, under a name that says so. Applied again, it comes back."""
        kept = self._undone_name(table.name, node)
        self._do(RestoreTable(table, kept, if_kept=True), RetireTable(table, kept))

    def _create(self, new: NodeState, labels: bool = True) -> None:
        """The tables of a node, its log and its watermark; there is nothing of a lock to keep."""
        for table in new.tables:
            self._made(table, new)
        self._unseeded(None, new)
        if new.tables:
            self._undo(DropLock(new.name))
            if labels:
                label, kept = self._label(new), self._undone_name(self._label(new), new)
                self._do(Relabel(kept, label), Relabel(label, kept))

    def _gone(self, old: NodeState, said: str | None = None, labels: bool = True) -> None:
        span = self._of_target()
        if old.kind not in STORED:
            self._say("-", old.label, "view dropped", span, Hazard("breaking", "its readers fail"), undo="it is created again")
            return
        for table in old.tables:
            self._retire(table, span, said or "no run fills it any more")
        self._unseeded(old, None)
        label = f"{self._label(old)}__retired_{self.number}"
        self._do(DropLock(old.name))
        if labels:
            self._do(Relabel(self._label(old), label), Relabel(label, self._label(old)))

    def _unseeded(self, old: NodeState | None, new: NodeState | None) -> None:
        """Where a table is none of a seed any more, there or on the way back, its digest would say that rows of it are there."""
        if old is not None and old.kind == "seed":
            self._do(ForgetSeed(self._label(old)))
        if new is not None and new.kind == "seed":
            self._undo(ForgetSeed(self._label(new)))

    def _retire(self, table: Stored, span: Span | None, why: str) -> None:
        name = self._retired_name(table.name)
        if name in {n.identifier for s in (self.released, self.wanted) for n in s.nodes.values() if n.schema == table.schema}:
            message = f"{table.schema}.{table.name} cannot be retired as {name}: a node is called so"
            self._problem(f"{table.schema}.{table.name}", "C604", message, span, f"give {name} another name in a release before this one")
        self._do(RetireTable(table, name), RestoreTable(table, name))
        was = f"{table.schema}.{table.name}"
        self.tables.append(RetiredTable(table.schema, name, was, self.number, table.columns, table.primary_key, table.ordered))
        self.moved[table.schema, table.name] = table.schema, name
        self.columns = [
            c if (c.schema, c.table) != (table.schema, table.name) else dataclasses.replace(c, table=name) for c in self.columns
        ]
        if self.released.nodes[table.node].facts.get("erasure"):
            self.parts.append(Found(unerased=((table.node, f"{table.schema}.{name}"),)))
        told = Hazard("breaking", f"nobody finds it under this name; its rows stay in {table.schema}.{name}")
        self._say("-", f"{table.schema}.{table.name}", f"table retired as {name}: {why}", span, told, undo="the name comes back")
        physical = with_retired(self.released, table)
        columns = tuple((c.name, c.name) for c in physical.columns)
        label = self._label(self.released.nodes[table.node])
        labels = (label, f"{label}__retired_{self.number}")
        self.parts.append(Found(measured=(Measured(physical, dataclasses.replace(physical, name=name), columns, labels=labels),)))

    def _retired_name(self, name: str) -> str:
        return cut(f"{name}__retired_{self.number}")

    def _undone_name(self, name: str, node: NodeState) -> str:
        """What a rollback calls a table that came with the migration: by what its node means, for only that goes on with its rows."""
        meaning = identity.meaning(self.names.project.nodes[node.name], self.names.project, self.wanted.dialect)
        return cut(f"{name}__rolled_back_{self.number}_{meaning[:8]}")

    def _approvals(self) -> None:
        """What may go for good: columns are dropped where their table is altered."""
        left = approved.drops(self.released, self.approved, self.moved, self.columns, self.tables)
        self.columns, self.tables = left.columns, left.tables
        self.parts.append(left.found)

    def _read(self, found: Found) -> Iterable[Step]:
        """The steps; one that breaks readers names the exposures that are among them."""
        nodes = {n.label: f"ref:{n.name}" for n in (*self.wanted.nodes.values(), *self.released.nodes.values())}
        readers: dict[str, list[str]] = {}
        for name, ids in {**self.released.exposures, **self.wanted.exposures}.items():
            for id_ in ids:
                readers.setdefault(id_, []).append(name)
        for step in found.steps:
            label = next((s for s in (step.object, step.object.rpartition(".")[0]) if s in nodes), None)
            broken = readers.get(nodes[label], []) if label and step.has("breaking") else []
            added = tuple(Hazard("breaking", f"exposure {name} reads it") for name in broken)
            yield dataclasses.replace(step, hazards=(*step.hazards, *added))

    # --- words -------------------------------------------------------------------------------------------------------------

    def _do(self, op: ChangeOp, undo: ChangeOp | None = None) -> None:
        self.parts.append(Found(forward=(op,), backward=(undo,) if undo is not None else ()))

    def _undo(self, op: ChangeOp) -> None:
        self.parts.append(Found(backward=(op,)))

    def _say(self, symbol: Symbol, at: str, what: str, because: Span | None, *hazards: Hazard, undo: str = "the same, backwards") -> None:
        self.parts.append(Found((Step(symbol, at, what, because, hazards, undo),)))

    def _problem(self, subject: str, code: str, message: str, span: Span | None, help: str | None) -> None:
        self.parts.append(Found(problems=(Problem(subject, Diagnostic(code, message, span, help)),)))

    def _of_target(self) -> Span:
        """What is gone has no line of its own: the file that declares the target stands for the specs, or else the first one."""
        located = self.names.project.targets_at.get(self.wanted.target)
        file = located.span() if located and located.path else min(n.span for n in self.names.project.nodes.values())
        return Span(file.path, named=file.named)


def _taken(node: Node, name: str) -> bool:
    """Whether a column that is brought back takes values from the source: it is counted by nobody."""
    past = node.past.columns.get(name)
    return isinstance(node, Snapshot) and past is not None and past.history == "empty"


def _kept_as(name: str) -> str:
    return f"it is kept as {name}, and comes back where this is applied again"


def _said(problems: Sequence[Problem]) -> tuple[Diagnostic, ...]:
    """Of a column that may be another one's new name nobody asks what old versions have in it."""
    unknown = {p.subject for p in problems if p.said.code in ("C601", "C603")}
    return tuple(p.said for p in problems if not (p.said.code == "C602" and p.subject in unknown))
