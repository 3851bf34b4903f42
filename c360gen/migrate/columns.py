"""The columns of one node, released and wanted → one move per column of each of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from c360gen.diagnostics import Diagnostic, Span
from c360gen.dialects.base import Dialect
from c360gen.migrate.plan import Hazard, Problem, Step
from c360gen.migrate.state import NodeState, RetiredColumn, State, retired_of, with_retired
from c360gen.ops.change import AlterTable, How, Move, MustBeFilled, Stored
from c360gen.ops.schema import ColumnDef
from c360gen.project.nodes import Node
from c360gen.terms import types
from c360gen.terms.symbols import column, cut

ROW = "h"


@dataclass
class Columns:
    """What was found of one node's columns."""

    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    retired: list[RetiredColumn] = field(default_factory=list)
    restored: list[RetiredColumn] = field(default_factory=list)
    unfilled: list[MustBeFilled] = field(default_factory=list)


def _unmarked(flag: ColumnDef) -> exp.Expr:
    """is_deleted of a row that nobody has marked. What has a value keeps it: an interrupted script begins again among markers."""
    return exp.func("COALESCE", column(flag.name, ROW), exp.Literal.string("False") if flag.type == types.TEXT else exp.false())


class Differ:
    """Compares the tables of one node. `renamed` is what `renames.columns` found; `fills` are values for columns of its own table, and
    `unfills` those on the way back, by their new names."""

    def __init__(
        self, released: State, old: NodeState, new: NodeState, node: Node, dialect: Dialect, number: int, renamed: Mapping[str, str],
        fills: Mapping[str, exp.Expr], unfills: Mapping[str, exp.Expr],
    ):  # fmt: skip
        self.released, self.old, self.new, self.node, self.dialect, self.number = released, old, new, node, dialect, number
        self.renamed, self.fills, self.unfills = renamed, fills, unfills
        self.found = Columns()
        self._said: set[str] = set()

    def there(self, name: str) -> bool:
        """Whether the node's own table has a column, a retired one included."""
        table = self.old.table("ref")
        return table is not None and with_retired(self.released, table).has(name)

    def compare(self, before: Stored, after: Stored, approved: Mapping[str, object]) -> tuple[AlterTable, AlterTable]:
        """The way there and the way back; keep moves alone where nothing differs. `before` holds what is retired, too."""
        resting = {c.name: c for c in retired_of(self.released, before)}
        forth: list[Move] = []
        back: list[Move] = []
        used: set[str] = set()
        main = before.kind == "ref"
        for wanted in after.columns:
            name = self.renamed.get(wanted.name, wanted.name)
            if before.has(name):
                used.add(name)
                one, two = self._changed(before, before.column(name), wanted, main)
            else:
                one, two = self._new(before, wanted, main)
            forth.append(one)
            back.append(two)
        for gone in before.columns:
            if gone.name not in used and gone.name not in resting:
                retired = self._retired(before, after, gone)
                forth.append(Move("retire", gone, None, retired))
                fill = self._restored(before, gone) if main else None
                back.append(Move("restore", ColumnDef(retired, gone.type), gone, fill=fill))
                if gone.not_null and fill is None and self.dialect.changes.sets_not_null:
                    self._unfilled(after, gone, retired)
                self.found.retired.append(RetiredColumn(after.schema, after.name, retired, gone.type, gone.name, self.number))
                if main:
                    self._say_retired(gone, retired)
        for name, kept in resting.items():
            here = ColumnDef(name, kept.type)
            if name in used:
                self.found.restored.append(replace(kept, schema=after.schema, table=after.name))
            elif kept.path in approved:
                forth.append(Move("drop", here, None))
                back.append(Move("add", None, here))
            else:
                forth.append(Move("keep", here, here))
                back.append(Move("keep", here, here))
        kept_columns = tuple(m.after for m in forth if m.how == "keep" and m.after and not after.has(m.after.name))
        physical = (*after.columns, *kept_columns, *(ColumnDef(m.retired, m.before.type) for m in forth if m.retired and m.before))
        whole = replace(after, columns=physical)
        return AlterTable(before, whole, tuple(forth)), AlterTable(whole, before, tuple(back))

    def _retired(self, before: Stored, after: Stored, gone: ColumnDef) -> str:
        """The name under which a column stays; another column's would be taken for it."""
        name = cut(f"{gone.name}__retired_{self.number}")
        if before.has(name) or after.has(name):
            message = f"{self._object(gone.name)} cannot be retired as {name}: another column is called so"
            self._problem("C604", message, gone.name, f"give {name} another name in a release before this one")
        return name

    # --- one column --------------------------------------------------------------------------------------------------------

    def _changed(self, table: Stored, old: ColumnDef, new: ColumnDef, main: bool) -> tuple[Move, Move]:
        fill, unfill = (self.fills.get(new.name), self.unfills.get(new.name)) if main else (None, None)
        how = "keep" if old.name == new.name else "rename"
        at = self._object(new.name)
        if main and how == "rename" and new.name not in self._said:
            back = any(c.name == old.name for c in retired_of(self.released, table))
            breaks = Hazard("breaking", f"whoever reads {old.name} must read {new.name}")
            what = f"column brought back from {old.name}: NULL in rows that came since" if back else f"column renamed from {old.name}"
            self._step(Step(">", at, what, self._span(new.name), (breaks,)), new.name)
            self._clustered(table, old, "renamed")
        if old.type == new.type:
            return Move(how, old, new, fill=fill), Move(how, new, old, fill=unfill)  # type: ignore[arg-type]
        rung = self.dialect.changes.rung(old.type, new.type)
        marks = old.type == types.TEXT and new.name == self.new.interval.get("is_deleted")  # True and False as text
        lossless = marks or types.widens(old.type, new.type)
        if main:
            self._say_type(table, old, new, rung, lossless)
        if rung == "same":
            return Move(how, old, new, fill=fill), Move(how, new, old, fill=unfill)  # type: ignore[arg-type]
        if rung == "convert":
            undone: How = "convert" if self.dialect.changes.narrows(new.type, old.type) else "narrow"
            return Move("convert", old, new, fill=fill), Move(undone, new, old, lossless=False)
        retired = self._retired(table, self.new.table(table.kind) or table, old)
        self.found.retired.append(RetiredColumn(*self._place(table), retired, old.type, old.name, self.number, True))
        return Move("copy", old, new, retired, fill=fill, lossless=lossless), Move("swap_back", new, old, retired)

    def _place(self, table: Stored) -> tuple[str, str]:
        wanted = self.new.table(table.kind) or table
        return wanted.schema, wanted.name

    def _new(self, table: Stored, new: ColumnDef, main: bool) -> tuple[Move, Move]:
        fill = self.fills.get(new.name) if main else None
        if main:
            self.found.added.append(new.name)
        if new.not_null and fill is None:
            fill = self._must_have(table, new)
        return Move("add", None, new, fill=fill), Move("drop", new, None)

    def _must_have(self, table: Stored, new: ColumnDef) -> exp.Expr | None:
        """What a NOT NULL column has in rows that are there already."""
        if new.name == self.new.interval.get("is_deleted"):
            return _unmarked(new)
        if self.node.kind not in ("table", "seed") and table.kind == "ref":
            help = f"give the rows that are there a value: history: {{backfill: …}} for {new.name}"
            message = f"{self._object(new.name)} may not be NULL, and {self.old.label} has rows already"
            self._problem("C603", message, new.name, help)
        return None

    def _restored(self, table: Stored, gone: ColumnDef) -> exp.Expr | None:
        """On the way back: what rows that came since have in a column that may not be NULL."""
        interval = self.old.interval
        if gone.not_null and gone.name == interval.get("is_deleted"):
            return _unmarked(gone)
        begin = interval.get("from")
        if gone.not_null and begin and gone.name == self.old.facts.get("updated_at") and gone.type == table.column(begin).type:
            return exp.func("COALESCE", column(gone.name, ROW), column(begin, ROW))  # a version is dated by it
        return None

    def _unfilled(self, after: Stored, gone: ColumnDef, retired: str) -> None:
        label = f"{after.schema}.{after.name}"
        said = f"{label} has rows without {gone.name}, which may not be NULL, since it was retired: fill {retired}, then roll back"
        self.found.unfilled.append(MustBeFilled(after, retired, said))

    # --- words -------------------------------------------------------------------------------------------------------------

    def _step(self, step: Step, name: str) -> None:
        self._said.add(name)
        self.found.steps.append(step)

    def _problem(self, code: str, message: str, name: str, help: str) -> None:
        self.found.problems.append(Problem(self._object(name), Diagnostic(code, message, self._span(name), help)))

    def _object(self, name: str) -> str:
        return f"{self.new.label}.{name}"

    def _span(self, name: str) -> Span:
        past = self.node.past.columns.get(name)
        return past.span if past else self.node.span

    def _clustered(self, table: Stored, old: ColumnDef, what: str) -> None:
        if old.name in table.clustered:
            message = f"{self.old.label}.{old.name} cannot be {what}: {self.dialect.name} stores the rows by it"
            help = "add a new snapshot or model beside this one, and move its readers"
            self._problem("C604", message, old.name, help)

    def _say_type(self, table: Stored, old: ColumnDef, new: ColumnDef, rung: str, lossless: bool) -> None:
        at = self._object(new.name)
        what = f"type changed from {types.text(old.type)} to {types.text(new.type)}"
        hazards = [Hazard("breaking", f"{types.text(old.type)} becomes {types.text(new.type)} for whoever reads it")]
        undo = "the type is changed back"
        if not types.castable(old.type, new.type) and not lossless:
            help = "add a column of the new type beside it, and let this one go"
            message = f"{at}: {types.text(old.type)} cannot become {types.text(new.type)}"
            self._problem("C604", message, new.name, help)
        if rung == "same":
            what += f", which are the same on {self.dialect.name}"
            undo = "nothing to do"
        elif rung == "convert":
            what += ", where it stands"
        else:
            what += ": copied, checked and swapped in; the old column stays"
            hazards.append(Hazard("rewrites", "every value is written once more"))
            undo = "the old column comes back, with what came since, cast back"
            if not lossless:
                hazards.append(Hazard("breaking", "fails, before anything is changed, where a value would not survive"))
        if rung != "same":
            self._clustered(table, old, "given another type")
            if old.not_null and not self.dialect.changes.sets_not_null:
                what += "; it may be NULL from then on"
        self._step(Step("~", at, what, self._span(new.name), tuple(hazards), undo), new.name)

    def _say_retired(self, gone: ColumnDef, retired: str) -> None:
        at = f"{self.new.label}.{gone.name}"
        hazards = [Hazard("breaking", f"nobody finds it under this name; its values stay in {retired}")]
        self._clustered_retired(gone)
        self._step(Step("-", at, f"column retired as {retired}", self.node.span, tuple(hazards), "the name comes back"), gone.name)

    def _clustered_retired(self, gone: ColumnDef) -> None:
        table = self.old.table("ref")
        if table is not None:
            self._clustered(table, gone, "retired")
