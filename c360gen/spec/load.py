"""PLACEHOLDER until the real loader lands (written by the loader's author): same API, no diagnostics."""
from __future__ import annotations
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
import yaml
from c360gen.diagnostics import Diagnostics, Span
from c360gen.spec import models as m
T = TypeVar("T")
@dataclass(frozen=True)
class SqlText:
    text: str
    path: str = "x.sql"
    def span(self, start: int, end: int) -> Span:
        line = self.text[:start].count("\n") + 1
        col = start - (self.text[:start].rfind("\n") + 1) + 1
        return Span(self.path, line, col, col + end - start)
@dataclass(frozen=True)
class Located(Generic[T]):
    spec: T
    path: str
    sql: Mapping[str, SqlText] = field(default_factory=dict)
    def span(self, *loc: str | int) -> Span: return Span(self.path, 1, 1)
    def key_span(self, *loc: str | int) -> Span: return Span(self.path, 1, 1)
@dataclass(frozen=True)
class Specs:
    project: Any; targets: Any; sources: Any; snapshots: Any; models: Any; exposures: Any; schedules: Any; texts: Any
def load(root: Path, diagnostics: Diagnostics) -> Specs:
    out: dict[str, list[Any]] = {k: [] for k in ("sources", "snapshots", "models", "exposures", "schedules")}
    project = Located(m.Project(), "specs"); targets: dict[str, Any] = {}; texts = {}
    for p in sorted(root.rglob("*.yml")):
        texts[str(p)] = p.read_text()
        f = m.SpecFile.model_validate(yaml.safe_load(p.read_text()))
        if f.project: project = Located(f.project, str(p))
        for n, t in f.targets.items():
            d = t.model_dump(exclude_unset=True)
            if t.extends: d = {**f.targets[t.extends].model_dump(exclude_unset=True), **d}; d.pop("extends")
            targets[n] = Located(m.Target(**d), str(p))
        for k in out:
            for s in getattr(f, k):
                sql = {}
                if k == "models":
                    v = s.sql or {n: (p.parent / q).read_text() for n, q in ({"": s.sql_file} if isinstance(s.sql_file, str) else s.sql_file).items()}
                    sql = {("" if n in ("", project.spec.sql_dialect) else n): SqlText(t, str(p)) for n, t in ({"": v} if isinstance(v, str) else v).items()}
                out[k].append(Located(s, str(p), sql))
    return Specs(project, targets, *(tuple(out[k]) for k in out), texts)
