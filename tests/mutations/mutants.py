"""A mutant is one defect of the generator: the same edit in the same step of every text that has it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from c360gen.emit.files import File
from tests.mutations.rules import NO_DEFECT, RULES, Edit, blank
from tests.mutations.units import Unit, cases, units, units_of

Key = tuple[str, str, str, str, int]
"""Rule, kind of text, step, the line with the change, and which of several that are alike in one step."""


@dataclass
class Mutant:
    dialect: str
    key: Key
    example: str
    """The same line in one of the texts."""
    places: list[tuple[str, str]] = field(default_factory=list)
    """(case, node) of the texts that have it; for a text that is no run, node is ""."""

    resources: set[str] = field(default_factory=set)
    """Whether these are snapshots, models, or both."""

    @property
    def rule(self) -> str:
        return self.key[0]

    @property
    def step(self) -> str:
        """The comment of the step that it is in."""
        return self.key[2]

    @property
    def shown(self) -> str:
        """The line as it would be written, the change between « and »."""
        return self.key[3]

    @property
    def which(self) -> int:
        """The first, second, … of several that are alike in one step."""
        return self.key[4]

    @property
    def cases(self) -> set[str]:
        return {case for case, _ in self.places}

    @property
    def name(self) -> str:
        """Stable as long as the text around it is."""
        return hashlib.sha256("|".join(map(str, (self.dialect, *self.key))).encode()).hexdigest()[:8]

    def seeded(self, made: Sequence[File]) -> Sequence[File]:
        """The files of any build with the defect wherever they have its place, in deploy.sql as well."""
        parts: dict[str, tuple[str, str]] = {}
        for unit in units_of(made):
            edits = [e for key, e in defects(unit, self.rule) if key == self.key]
            if edits:
                parts[unit.path] = (unit.text, edited(unit.text, edits[0]))
        if not parts:
            return made
        found = []
        for file in made:
            text = parts[file.path][1] if file.path in parts else file.text
            if file.path == "deploy.sql":
                for before, after in parts.values():
                    text = text.replace(before.split("\n\n", 1)[1], after.split("\n\n", 1)[1])
            found.append(File(file.path, text, file.origin))
        return found


def edited(text: str, edits: Sequence[Edit]) -> str:
    for start, end, other in sorted(edits, reverse=True):
        text = text[:start] + other + text[end:]
    return text


def defects(unit: Unit, rule: str) -> Iterator[tuple[Key, Sequence[Edit]]]:
    """What a rule finds in a text."""
    seen: dict[tuple[str, str], int] = {}
    for edits in {**RULES, NO_DEFECT: blank}[rule](unit):
        place = (unit.step(edits[0][0]), shown(unit, edits))
        seen[place] = seen.get(place, 0) + 1
        yield (rule, unit.kind, *place, seen[place]), edits


def mutants(dialect: str, only: Collection[str] = (), rules: Collection[str] = RULES) -> list[Mutant]:
    """Every defect of a dialect, or those in the texts of some cases; those that are the same in several cases once."""
    found: dict[Key, Mutant] = {}
    for unit in units(dialect, only or cases()):
        for rule in rules:
            for key, edits in defects(unit, rule):
                mutant = found.setdefault(key, Mutant(dialect, key, example(unit, edits)))
                mutant.places.append((unit.case, unit.node if unit.kind == "run" else ""))
                mutant.resources.add(unit.resource)
    return list(found.values())


def shown(unit: Unit, edits: Sequence[Edit]) -> str:
    """A line as it would be written, the change between « and »; of a table only what sort of constraint is gone."""
    start, end, _ = edits[0]
    if unit.kind == "table":
        return re.sub(r"\([^)]*\)|\w+_(?=pk|uq|ck)|(?<=ON )\S+", "…", unit.neutral(unit.text[start:end]))
    before, change, after = _line(unit.code, edits[0], unit.neutral)
    return f"{before[-50:]} {change} {after[:50]}".strip()


def example(unit: Unit, edits: Sequence[Edit]) -> str:
    return " ".join(_line(unit.text, edits[0], lambda text: " ".join(text.split()))).strip()


def _line(text: str, edit: Edit, words: Callable[[str], str]) -> tuple[str, str, str]:
    start, end, other = edit
    line, rest = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    gone = words(text[start:end])
    gone = gone if len(gone) < 100 else f"{gone[:60]} … {gone[-30:]}"
    return words(text[line:start]), f"«{gone} → {words(other)[:60]}»", words(text[end:rest])


def chosen(all_of_them: Sequence[Mutant], per_rule: int) -> list[Mutant]:
    """Some of each rule: chosen by hash, so that the choice is nobody's, and the same tomorrow."""
    by_rule: dict[str, list[Mutant]] = {}
    for mutant in all_of_them:
        by_rule.setdefault(mutant.rule, []).append(mutant)
    return [m for group in by_rule.values() for m in sorted(group, key=lambda m: m.name)[:per_rule]]


def by_rule(found: Sequence[Mutant]) -> Mapping[str, int]:
    counted: dict[str, int] = dict.fromkeys(RULES, 0)
    for mutant in found:
        counted[mutant.rule] += 1
    return counted
