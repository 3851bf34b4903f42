"""Model SQL is a template with dbt's few words; this renders it and remembers where every character came from."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2
import jinja2.sandbox

_MARK = re.compile("\ue000(\\d+)\ue001")
SEPARATOR = "/"
"""Between source and table in rendered SQL: a dot within quotes would be taken apart by BigQuery's rules."""
RENDERED = "/"
"""In front of what `ref()` and `source()` become: nobody's own FROM ref.customers passes for it, and the names stand where they were."""
VARIABLES = {"c360_as_of": "as_of", "c360_batch_start": "window_start", "c360_batch_end": "window_end"}
"""The functions that stand for `{{ as_of() }}` and the like until the SQL is parsed, and the variables that they become."""


class BadReference(Exception):
    """`ref()` or `source()` names nothing: the message, and the line of help."""

    def __init__(self, code: str, message: str, help: str | None):
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


@dataclass(frozen=True)
class Rendered:
    """SQL, and the way back from an offset in it to an offset in the template."""

    sql: str
    starts: tuple[int, ...]
    origins: tuple[int, ...]

    def origin(self, offset: int) -> int:
        at = bisect.bisect_right(self.starts, offset) - 1
        return self.origins[at] + offset - self.starts[at] if at >= 0 else offset


@dataclass
class Words:
    """What a template may say, and what it said."""

    ref: Callable[[str], str]
    source: Callable[[str, str], str]
    this: str
    variables: Mapping[str, Any]
    no_run: str = ""
    """Why there is no as_of(), where there is none."""
    windowed: bool = False
    """Whether it is a microbatch, which has windows and no is_incremental()."""
    used: set[str] = field(default_factory=set)

    def scope(self, incremental: bool) -> dict[str, Any]:
        def is_incremental() -> bool:
            if self.windowed:
                help = "remove it: every run of a microbatch reads the rows of one window"
                raise BadReference("C401", "is_incremental() means nothing in a microbatch", help)
            self.used.add("is_incremental")
            return incremental

        def as_of() -> str:
            if self.no_run:
                raise BadReference("C401", f"{self.no_run}, so as_of() means nothing in it", "materialize it as a table")
            self.used.add("as_of")
            return "c360_as_of()"

        def window(word: str) -> Callable[[], str]:
            def said() -> str:
                if not self.windowed:
                    help = "say incremental_strategy: microbatch, or use cursor"
                    raise BadReference("C401", f"{word}() means nothing outside of a microbatch", help)
                self.used.add("window")
                return f"c360_{word}()"

            return said

        def var(name: str, default: Any = None) -> Any:
            if name in self.variables:
                return self.variables[name]
            if default is None:
                known = ", ".join(sorted(self.variables)) or "none"
                raise BadReference("C303", f"var '{name}' is not set", f"set it under project: vars: (set now: {known})")
            return default

        def ref(*names: Any, **settings: Any) -> str:
            if len(names) != 1 or settings:
                help = f"there are no packages and no versions here: write ref('{names[-1]}')" if names else "write ref('customers')"
                raise BadReference("C303", "ref() takes one name, that of a snapshot, a model or a seed", help)
            return self.ref(*_words("ref", names))

        def source(*names: Any) -> str:
            if len(names) != 2:
                parts = str(names[0]).rpartition(".") if names else ("", "", "")
                example = f"source('{parts[0]}', '{parts[2]}')" if parts[0] else "source('raw_data', 'customers')"
                raise BadReference("C303", "source() takes two names, that of the source and that of its table", f"write {example}")
            return self.source(*_words("source", names))

        def config(*arguments: Any, **settings: Any) -> str:
            raise BadReference("C303", "config() is not said in the SQL", "write its settings under config: of the node")

        def env_var(name: str = "", default: Any = None) -> str:
            help = "say it under vars: of the project, and --vars for one build; names in targets: may come from the environment"
            raise BadReference("C303", f"env_var('{name}'): SQL must not depend on the machine that builds it", help)

        return {
            "ref": ref, "source": source, "config": config, "env_var": env_var, "this": self.this, "var": var, "as_of": as_of,
            "is_incremental": is_incremental, "batch_start": window("batch_start"), "batch_end": window("batch_end"),
        }  # fmt: skip


def _words(function: str, names: Sequence[Any]) -> list[str]:
    """The names as text; a bare word, which jinja takes for a variable, lacks its quotes."""
    for name in names:
        if isinstance(name, jinja2.Undefined):
            word = name._undefined_name
            raise BadReference("C303", f"{function}({word}) needs quotes around the name", f"write '{word}'")
    return [str(name) for name in names]


@cache
def environment() -> jinja2.Environment:
    """Templates without a way out, and without jinja's own functions."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.globals.clear()
    return environment


def render(template: str, words: Words, incremental: bool) -> Rendered:
    """Raise jinja2.TemplateError or BadReference; loops over large ranges are impossible: there is no range()."""
    try:
        text = environment().from_string(_marked(template)).render(words.scope(incremental))
    except (jinja2.TemplateError, BadReference):
        raise
    except Exception as error:  # whatever a sandboxed template raises is a mistake in it
        raise jinja2.TemplateRuntimeError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    out: list[str] = []
    starts, origins = [], []
    length = last = 0
    for mark in _MARK.finditer(text):
        piece = text[last : mark.start()]
        out.append(piece)
        length += len(piece)
        starts.append(length)
        origins.append(int(mark[1]))
        last = mark.end()
    out.append(text[last:])
    return Rendered("".join(out), tuple(starts), tuple(origins))


def _marked(template: str) -> str:
    """Put the offset of every piece of plain text, and of every `{{`, in front of it."""
    out: list[str] = []
    offset = 0
    for _, kind, value in environment().lex(template):
        at = template.find(value, offset) if kind in ("data", "variable_begin") else offset
        if kind in ("data", "variable_begin"):
            out.append(f"\ue000{at}\ue001")
        out.append(value)
        offset = at + len(value)
    return "".join(out)
