"""`# noqa: L101 until 2027-01-31: the shop has no other time` in YAML, or `-- noqa: …` in SQL, at the line of a finding."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from c360gen.diagnostics import Diagnostic, Span

_NOQA = re.compile(
    r"(?:#|--)\s*noqa\b(?::\s*(?P<codes>L\d{3}(?:\s*,\s*L\d{3})*))?(?:\s+until\s+(?P<until>\S+?))?(?:\s*:\s*(?P<reason>.*?))?\s*$",
    re.I,
)
_FORM = "write `# noqa: L101: reason`, or `# noqa: L101 until 2027-01-31: reason`"


@dataclass(frozen=True)
class Noqa:
    """One exception; it covers the findings of its codes on its own line."""

    codes: tuple[str, ...]
    until: dt.date | None
    span: Span


@dataclass(frozen=True)
class Kept:
    """What is left when exceptions are taken into account, and what is wrong with the exceptions themselves."""

    findings: tuple[Diagnostic, ...]
    of_exceptions: tuple[Diagnostic, ...]


def apply(raised: Iterable[Diagnostic], texts: Mapping[str, str], today: dt.date, known: frozenset[str]) -> Kept:
    wrong: list[Diagnostic] = []
    written = {(n.span.path, n.span.line): n for n in _written(texts, wrong, known)}
    used: set[tuple[str, int, str]] = set()
    kept = []
    for finding in raised:
        at = finding.span
        exception = written.get((at.path, at.line)) if at else None
        if at is None or exception is None or finding.code not in exception.codes:
            kept.append(finding)
            continue
        used.add((at.path, at.line, finding.code))
        if exception.until is not None and exception.until < today:
            kept.append(finding)
            message = f"the exception from {finding.code} ended on {exception.until}"
            wrong.append(Diagnostic("L002", message, exception.span, "mend the cause, or say again until when and why"))
    for (path, line), exception in written.items():
        for code in exception.codes:
            if (path, line, code) not in used and code in known:
                help = "remove it; a finding is excused on the line at which it is reported"
                wrong.append(Diagnostic("L003", f"nothing here needs an exception from {code}", exception.span, help))
    return Kept(tuple(kept), tuple(dict.fromkeys(wrong)))


def _written(texts: Mapping[str, str], wrong: list[Diagnostic], known: frozenset[str]) -> Iterator[Noqa]:
    for path, text in texts.items():
        if "noqa" not in text.lower():
            continue
        for number, line in enumerate(text.split("\n"), 1):
            found = _NOQA.search(line)
            if not found:
                continue
            at = Span(path, number, found.start() + 1, found.end() + 1)
            codes = tuple(c.strip().upper() for c in (found["codes"] or "").split(",") if c.strip())
            until = _date(found["until"])
            if not codes or not (found["reason"] or "").strip() or (found["until"] and until is None):
                what = "names no rule" if not codes else "gives no reason" if not found["reason"] else f"ends on {found['until']}, no date"
                wrong.append(Diagnostic("L001", f"this exception {what}, so it excuses nothing", at, _FORM))
                continue
            wrong += [Diagnostic("L004", f"no rule has the code {c}", at, _FORM) for c in codes if c not in known]
            yield Noqa(codes, until, at)


def _date(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None
