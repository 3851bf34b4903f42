"""Two states → the plan that leads from one to the other, or why there is none. A pure function."""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from c360gen import dialects
from c360gen.diagnostics import Diagnostic, Span, nearest_or_list
from c360gen.dialects.names import Names
from c360gen.migrate import around, history
from c360gen.migrate.columns import Differ
from c360gen.migrate.plan import Hazard, Measured, Plan, Step
from c360gen.migrate.state import NodeState, RetiredTable, State, with_retired
from c360gen.ops.change import (
    AlterTable,
    ChangeOp,
    DropScratch,
    DropTable,
    ForgetWindows,
    MustBeZero,
    Relabel,
    RestoreTable,
    RetireTable,
    Stored,
)
from c360gen.project.nodes import Node
from c360gen.terms import types
from c360gen.terms.symbols import column, cut, relation

STORED = ("snapshot", "incremental", "table", "seed")


def diff(released: State, wanted: State, names: Names) -> Plan:
    """From a released state to the specs."""
    plan = Plan(released, wanted, released.number + 1)
    return _Diff(plan, names).run()


class _Diff:
    def __init__(self, plan: Plan, names: Names):
        self.plan, self.names = plan, names
        self.released, self.wanted = plan.released, plan.wanted
        self.dialect = dialects.get(self.wanted.dialect)
        self.approved = {a.spec.drop: a.span for a in names.project.approvals}
        self.columns = list(self.released.retired_columns)
        self.tables = list(self.released.retired_tables)
        self.pairs: list[tuple[NodeState, NodeState]] = []
        self.forward: list[ChangeOp] = []
        self.backward: list[ChangeOp] = []

    def run(self) -> Plan:
        plan = self.plan
        self.pairs = self._matched()
        olds, news = {o.name for o, _ in self.pairs}, {n.name for _, n in self.pairs}
        gone = [o for o in self.released.nodes.values() if o.name not in olds]
        come = [n for n in self.wanted.nodes.values() if n.name not in news]
        self._ambiguous(gone, come)
        for old, new in self.pairs:
            self._pair(old, new)
        for old in gone:
            self._gone(old)
        for new in come:
            self._come(new)
        self._approvals()
        if not plan.steps and not plan.problems and self.released.shape != self.wanted.shape:
            self._say("~", self.names.project.project.name, "the shape is another, though no table is", None)
        self._exposures()
        plan.forward = [*self.forward, *plan.forward]
        plan.backward = [*self.backward, *plan.backward]
        plan.steps.sort(key=lambda s: (s.object, "+~>-".index(s.symbol), s.what))
        plan.wanted = dataclasses.replace(
            self.wanted, retired_columns=tuple(self.columns), retired_tables=tuple(self.tables), migrations=self.released.migrations
        )
        around.place(plan, self.names, self.dialect, self.pairs, gone, come)
        return plan

    # --- nodes -------------------------------------------------------------------------------------------------------------

    def _matched(self) -> list[tuple[NodeState, NodeState]]:
        """By name, or by what `was:` says."""
        found = []
        labels = {n.label: n for n in self.released.nodes.values()}
        for new in self.wanted.nodes.values():
            if new.name in self.released.nodes:
                found.append((self.released.nodes[new.name], new))
                continue
            node = self.names.project.nodes[new.name]
            if not node.past.was:
                continue
            old = self.released.nodes.get(node.past.was) or labels.get(node.past.was)
            if old is None:
                near = nearest_or_list(node.past.was, [*self.released.nodes, *labels], "released nodes")
                self._problem("C603", f"was: nothing released is called {node.past.was}", node.span, near)
            elif old.name in self.wanted.nodes:
                self._problem("C603", f"was: {node.past.was} is still there", node.span, "a node can only be renamed, not copied")
            else:
                found.append((old, new))
        return found

    def _ambiguous(self, gone: list[NodeState], come: list[NodeState]) -> None:
        """A table that goes and one like it that comes: a rename, or not? Nobody guesses."""
        for new in come:
            node = self.names.project.nodes[new.name]
            alike = [o.name for o in gone if o.kind == new.kind and o.kind in STORED and set(o.columns) == set(new.columns)]
            if alike and node.past.was is None:
                help = f"say was: {alike[0]} in {new.name}, which keeps its rows; or was: false, if it is another thing"
                self._problem("C601", f"{alike[0]} is gone, and {new.name} with the same columns is new", node.span, help)

    def _pair(self, old: NodeState, new: NodeState) -> None:
        node = self.names.project.nodes[new.name]
        if (old.kind == "snapshot") != (new.kind == "snapshot"):
            help = "give the other one a name of its own"
            self._problem("C604", f"{new.name} cannot change from {_a(old.kind)} to {_a(new.kind)}", node.span, help)
            return
        if new.kind in ("table", "seed") and old.kind in STORED and self._rebuilt(old, new, node):
            self._gone(old, "it is filled again by its next run", labels=False)
            self._come(new, labels=False)
        elif old.kind in STORED and new.kind in STORED:
            self._stored(old, new, node)
        elif old.kind in STORED:
            self._gone(old, f"becomes a view: its table is retired as {self._retired_name(old.identifier)}")
        elif new.kind in STORED:
            self._say("~", new.label, f"a view becomes {_a(new.kind)}", node.span)
            self._uncreate(new)
        else:
            self._view(old, new, node)

    def _rebuilt(self, old: NodeState, new: NodeState, node: Node) -> bool:
        """Whether a table is rather made anew: its rows are those of its last run, and cannot have what is asked now."""
        before, after = old.table("ref"), new.table("ref")
        if before is None or after is None:
            return False
        there = {self._was(node, old, c.name): c for c in after.columns}
        needs = any(c.not_null and not before.has(name) for name, c in there.items())
        key = tuple(self._was(node, old, k) for k in after.primary_key)
        retyped = any(
            before.has(name) and not types.widens(before.column(name).type, c.type) and before.column(name).type != c.type
            for name, c in there.items()
        )
        return needs or bool(key and key != before.primary_key) or retyped

    def _view(self, old: NodeState, new: NodeState, node: Node) -> None:
        if old.label != new.label:
            self._say(">", new.label, f"view moved from {old.label}", node.span, Hazard("breaking", f"{old.label} is gone"))
        if list(old.columns.items()) == list(new.columns.items()):
            return
        for name in old.columns:
            if name not in new.columns:
                self._say("-", f"{new.label}.{name}", "column of a view removed", node.span, Hazard("breaking", "its readers fail"),
                          undo="the view is as it was")  # fmt: skip
            elif old.columns[name] != new.columns[name]:
                told = Hazard("breaking", f"{old.columns[name]} becomes {new.columns[name]} for whoever reads it")
                self._say("~", f"{new.label}.{name}", f"type changed from {old.columns[name]} to {new.columns[name]}", node.span, told,
                          undo="the view is as it was")  # fmt: skip
        for name in new.columns:
            if name not in old.columns:
                self._say("+", f"{new.label}.{name}", f"column of a view: {new.columns[name]}", node.span, undo="the view is as it was")
        if set(old.columns) == set(new.columns) and list(old.columns) != list(new.columns):
            self._say("~", new.label, "columns in another order", node.span, undo="the view is as it was")

    def _stored(self, old: NodeState, new: NodeState, node: Node) -> None:
        plan = self.plan
        mark = len(plan.steps)
        differ = Differ(self.released, old, new, node, self.dialect, plan.number)
        if node.kind == "snapshot":
            plan.problems += history.refused(old, new, node, differ.found.renamed)
            history.facts(plan, old, new, node, differ)
        else:
            self._model(old, new, node)
        if old.facts.get("constraints") != new.facts.get("constraints"):
            told = Hazard("breaking", "rows that break one fail the migration, or the next run")
            self._say("~", new.label, "constraints changed", node.span, told, undo="they are as they were")
        for name, past in node.past.columns.items():
            if past.value is not None and not _there(self.released, old, differ.found.renamed.get(name, name)):
                differ.fills[name] = past.value
        if old.label != new.label or old.name != new.name:
            self._say(">", new.label, f"moved from {old.label}" if old.label != new.label else f"node renamed from {old.name}", node.span,
                      Hazard("breaking", "who reads it, or calls its procedures, must know the new name"))  # fmt: skip
            self.forward.append(Relabel(self._label(old), self._label(new)))
            self.backward.insert(0, Relabel(self._label(new), self._label(old)))
            # a lock table holds the label of its node, and is made again with the new one
            self.forward.append(DropScratch(old.name))
            self.backward.insert(0, DropScratch(new.name))
        for table in new.tables:
            before = old.table(table.kind)
            if before is not None:
                self._table(differ, before, table, node)
            else:
                self._say("+", f"{table.schema}.{table.name}", "table", node.span, undo="it is retired")
                self.backward.insert(0, RetireTable(table, self._undone_name(table.name)))
        for table in old.tables:
            if new.table(table.kind) is None:
                self._retire(table, node.span, "the node does not need it any more")
        self._added(differ, old, new, node)
        plan.problems += differ.found.problems
        plan.steps += differ.found.steps
        self.columns += [c for c in differ.found.retired if c not in self.columns]
        self.columns = [c for c in self.columns if c not in differ.found.restored]
        if len(plan.steps) > mark:
            plan.rewritten.add(new.name)
        if new.name in plan.kept:
            kept = plan.kept[new.name]
            self.tables.append(RetiredTable(kept.schema, kept.name, f"markers of {new.label}", plan.number))
            plan.backward += history.markers_back(kept, old, differ.found.renamed)

    def _label(self, node: NodeState) -> str:
        """As the control tables call it."""
        return f"{self.names.schema(node.schema)}.{cut(node.identifier)}"

    def _table(self, differ: Differ, before: Stored, after: Stored, node: Node) -> None:
        physical = with_retired(self.released, before)
        forth, back = differ.compare(physical, after, self.approved)
        self._moved_retired(before, after)
        same = all(m.how == "keep" and m.before == m.after and m.fill is None for m in forth.moves)
        rest = (before.schema, before.name, before.primary_key, before.indexes, before.ordered, before.constraints)
        if same and rest == (after.schema, after.name, after.primary_key, after.indexes, after.ordered, after.constraints):
            return
        if before.schema != after.schema and not self.dialect.changes.moves_schemas:
            help = "keep the schema, or make a new node in the other one and copy the rows"
            self._problem("C604", f"{self.dialect.name} cannot move {before.schema}.{before.name} to another schema", node.span, help)
        self.forward.append(forth)
        self.backward.insert(0, back)
        if before.kind == "ref":
            self.forward.append(DropScratch(node.name, False))
            self.backward.insert(0, DropScratch(before.node, False))
        columns = tuple(
            (m.before.name, m.retired or (m.after.name if m.after else "")) for m in forth.moves
            if m.before and (m.how in ("retire", "copy") or (m.how in ("keep", "rename") and m.fill is None))
        )  # fmt: skip
        flag = self.plan.marked.get(node.name) if before.kind == "ref" else None
        kept = self.plan.kept.get(node.name) if before.kind == "ref" else None
        if kept is not None:
            self.plan.kept[node.name] = dataclasses.replace(kept, columns=forth.after.columns)
            self.plan.forward += history.markers_out(kept, forth.after, node.name)
        self.plan.measured.append(Measured(physical, forth.after, columns, kept.name if kept else None, flag))
        self.plan.rewritten.add(node.name)
        self._physical(forth, node)

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
            self.columns = [
                dataclasses.replace(c, schema=after.schema, table=after.name) if (c.schema, c.table) == (before.schema, before.name) else c
                for c in self.columns
            ]

    def _model(self, old: NodeState, new: NodeState, node: Node) -> None:
        at = new.label
        if old.kind != new.kind:
            self._say("~", at, f"{_a(old.kind)} becomes {_a(new.kind)}", node.span,
                      Hazard("breaking", "its rows stay until its next run, which loads or replaces them by the new rule"))  # fmt: skip
        elif old.strategy != new.strategy:
            told = Hazard("breaking", "rows that are there stay; the next runs write by the new rule")
            self._say("~", at, f"strategy changed from {old.strategy} to {new.strategy}", node.span, told)
        if old.facts.get("key") != new.facts.get("key"):
            told = Hazard("breaking", "fails, before anything is changed, where rows share the new key or have none")
            one, two = (", ".join(s.facts.get("key", ())) or "nothing" for s in (old, new))
            if list(old.facts.get("key", ())) != [self._was(node, old, k) for k in new.facts.get("key", ())]:
                self._say("~", at, f"key changed from {one} to {two}", node.span, told)
                self.plan.forward += unique_key(node)
        if old.facts.get("cursor") != new.facts.get("cursor") and self._was(node, old, str(new.facts.get("cursor"))) != old.facts.get(
            "cursor"
        ):
            told = Hazard("refreshes", "the watermark of the old cursor says nothing of the new one: run it with --full-refresh")
            self._say("~", at, f"cursor changed from {old.facts.get('cursor')} to {new.facts.get('cursor')}", node.span, told)
        if old.facts.get("windows") and new.facts.get("windows") and old.facts["windows"] != new.facts["windows"]:
            self._say("~", at, "windows changed: every one is due again", node.span, Hazard("backfills", "the next run loads every window"))
            self.forward.append(ForgetWindows(self._label(new)))
            self.plan.lost.append(f"which windows of {at} were loaded: all of them are loaded again")

    def _was(self, node: Node, old: NodeState, name: str) -> str:
        past = node.past.columns.get(name)
        return past.was if past and past.was and past.was in old.columns else name

    # --- columns -----------------------------------------------------------------------------------------------------------

    def _added(self, differ: Differ, old: NodeState, new: NodeState, node: Node) -> None:
        table = new.table("ref")
        assert table is not None
        gone = [m for m in differ.found.retired if (m.schema, m.table) == (table.schema, table.name)]
        for name in differ.found.added:
            past = node.past.columns.get(name)
            type_ = table.column(name).type
            at = f"{new.label}.{name}"
            alike = [c.was for c in gone if c.type == type_ and not c.copied and c.was in old.columns]
            unsaid = past is None or (past.was is None and past.history is None)
            if past and past.was and not _there(self.released, old, past.was) and past.was != name:
                near = nearest_or_list(past.was, old.columns, "released columns")
                self._problem("C603", f"was: {old.label} has no column {past.was}", past.span, near)
            elif alike and unsaid and node.kind not in ("table", "seed") and name in new.columns:
                help = f"say was: {alike[0]} in the columns: of {node.name}, which keeps its values; or was: false, if it is another thing"
                self._problem(
                    "C601", f"{old.label}.{alike[0]} is gone, and {name} of the same type is new", past.span if past else node.span, help
                )
                self.plan.problems = [p for p in self.plan.problems if not (p.code == "C602" and f"{at} " in p.message)]
            self._say_added(at, name, node, new, table)

    def _say_added(self, at: str, name: str, node: Node, new: NodeState, table: Stored) -> None:
        past = node.past.columns.get(name)
        if node.kind == "incremental" and node.on_schema_change == "fail" and (past is None or past.history is None):
            help = f"say history: empty, full_refresh or {{backfill: …}} in the columns: of {node.name}, or append_new_columns"
            self._problem("C604", f"{at} is new, and on_schema_change is fail: what do old rows have?", node.span, help)
        said = {
            "backfill": "old rows are computed", "full_refresh": "NULL until the rows are loaded anew", "empty": "NULL in old rows",
            "new_version": "NULL in old rows",
        }.get(past.history or "" if past else "", "NULL in old rows")  # fmt: skip
        if name == node.is_deleted:
            said = "false in old rows"
        if node.kind in ("table", "seed"):
            said = "filled by its next run" if node.kind == "table" else "filled by the deploy"
        hazards = []
        if past and past.history == "backfill":
            hazards.append(Hazard("backfills", "every row"))
        if past and past.history == "full_refresh":
            hazards.append(Hazard("refreshes", "run it once with --full-refresh"))
        what = f"column {types.text(table.column(name).type)}: {said}"
        self._say("+", at, what, past.span if past else node.span, *hazards, undo="it is dropped, with what it holds")
        self.plan.lost.append(f"what {at} holds")

    # --- what goes, what comes -----------------------------------------------------------------------------------------------

    def _come(self, new: NodeState, labels: bool = True) -> None:
        node = self.names.project.nodes[new.name]
        self._say("+", new.label, new.kind, node.span, undo="it is retired" if new.kind in STORED else "it is dropped")
        self._uncreate(new, labels)
        self.plan.rewritten.add(new.name)

    def _uncreate(self, new: NodeState, labels: bool = True) -> None:
        """On the way back a new table keeps its rows, under a name that says so; so does its state."""
        for table in new.tables:
            self.backward.insert(0, RetireTable(table, self._undone_name(table.name)))
        if new.tables:
            self.backward.insert(0, DropScratch(new.name))
            if labels:
                self.backward.insert(0, Relabel(self._label(new), f"{self._label(new)}__rolled_back_{self.plan.number}"))

    def _gone(self, old: NodeState, said: str | None = None, labels: bool = True) -> None:
        span = self._file_of(old)
        if old.kind not in STORED:
            self._say("-", old.label, "view dropped", span, Hazard("breaking", "its readers fail"), undo="it is created again")
            return
        for table in old.tables:
            self._retire(table, span, said or "no run fills it any more")
        label = f"{self._label(old)}__retired_{self.plan.number}"
        self.forward.append(DropScratch(old.name))
        if labels:
            self.forward.append(Relabel(self._label(old), label))
            self.backward.insert(0, Relabel(label, self._label(old)))

    def _retire(self, table: Stored, span: Span | None, why: str) -> None:
        name = self._retired_name(table.name)
        self.forward.append(RetireTable(table, name))
        self.backward.insert(0, RestoreTable(table, name))
        self.tables.append(RetiredTable(table.schema, name, f"{table.schema}.{table.name}", self.plan.number))
        self.columns = [
            c if (c.schema, c.table) != (table.schema, table.name) else dataclasses.replace(c, table=name) for c in self.columns
        ]
        told = Hazard("breaking", f"nobody finds it under this name; its rows stay in {table.schema}.{name}")
        self._say("-", f"{table.schema}.{table.name}", f"table retired as {name}: {why}", span, told, undo="the name comes back")
        physical = with_retired(self.released, table)
        columns = tuple((c.name, c.name) for c in physical.columns)
        self.plan.measured.append(Measured(physical, dataclasses.replace(physical, name=name), columns))

    def _retired_name(self, name: str) -> str:
        return cut(f"{name}__retired_{self.plan.number}")

    def _undone_name(self, name: str) -> str:
        """What a rollback calls a table that came with the migration."""
        return cut(f"{name}__rolled_back_{self.plan.number}")

    def _approvals(self) -> None:
        """What may go for good: columns are dropped where their table is altered, tables here."""
        for table in list(self.tables):
            if table.path in self.approved and table in self.released.retired_tables:
                self.forward.append(DropTable(table.schema, table.name))
                self.tables.remove(table)
                self.columns = [c for c in self.columns if (c.schema, c.table) != (table.schema, table.name)]
                self._dropped(table.path, f"table dropped; it was {table.was}", table.migration)
        for retired in list(self.columns):
            if retired.path in self.approved and retired in self.released.retired_columns:
                self.columns.remove(retired)
                self._dropped(retired.path, f"column dropped; it was {retired.was}", retired.migration)

    def _dropped(self, path: str, what: str, migration: int) -> None:
        approval = next(a for a in self.names.project.approvals if a.spec.drop == path)
        told = Hazard("destructive", f"retired by migration {migration}, approved by {approval.spec.by} on {approval.spec.on_}")
        self._say("-", path, what, approval.span, told, undo="cannot be undone")
        self.plan.lost.append(f"{path} and what it held")

    def _exposures(self) -> None:
        """A step that breaks readers names the exposures that are among them."""
        nodes = {n.label: f"ref:{n.name}" for n in (*self.wanted.nodes.values(), *self.released.nodes.values())}
        readers: dict[str, list[str]] = {}
        for name, ids in {**self.released.exposures, **self.wanted.exposures}.items():
            for id_ in ids:
                readers.setdefault(id_, []).append(name)
        done = []
        for step in self.plan.steps:
            label = next((s for s in (step.object, step.object.rpartition(".")[0]) if s in nodes), None)
            broken = readers.get(nodes[label], []) if label and step.has("breaking") else []
            added = tuple(Hazard("breaking", f"exposure {name} reads it") for name in broken)
            done.append(dataclasses.replace(step, hazards=(*step.hazards, *added)))
        self.plan.steps = done

    # --- words -------------------------------------------------------------------------------------------------------------

    def _say(self, symbol: str, at: str, what: str, because: Span | None, *hazards: Hazard, undo: str = "the same, backwards") -> None:
        self.plan.steps.append(Step(symbol, at, what, because, hazards, undo))  # type: ignore[arg-type]

    def _problem(self, code: str, message: str, span: Span | None, help: str | None) -> None:
        self.plan.problems.append(Diagnostic(code, message, span, help))

    def _file_of(self, old: NodeState) -> Span | None:
        """What is gone has no line of its own: the project's first file stands for the specs."""
        for node in self.names.project.nodes.values():
            if node.schema == old.schema:
                return Span(node.span.path)
        return None


def unique_key(node: Node) -> list[ChangeOp]:
    """Rows that share a new key would be taken for one."""
    if not node.key or node.strategy != "merge":
        return []
    keys = [column(k, "t") for k in node.key]
    several = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    twice = exp.select(*keys).from_(relation("ref", node.name, "t")).group_by(*(k.copy() for k in keys)).having(several)
    query = exp.select(exp.alias_(exp.Count(this=exp.Star()), "found")).from_(twice.subquery("d"))
    return [MustBeZero("No two rows share the new key.", query, f"rows of {node.name} share {', '.join(node.key)}")]


def _there(released: State, old: NodeState, name: str) -> bool:
    table = old.table("ref")
    return table is not None and with_retired(released, table).has(name)


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
