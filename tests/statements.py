"""Where the statements of a generated text begin and end: PL/pgSQL, Snowflake Scripting, BigQuery's procedural language, plain scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(r"--[^\n]*|'(?:[^'\\]|''|\\.)*'|\"[^\"]*\"|`[^`]*`|\w+|\S", re.S)
CONTINUES = {"END", "EXCEPTION", "WHEN", "ELSE", "ELSIF", "ELSEIF", "DECLARE"}
"""Words that stand where a statement could begin, and begin none."""


@dataclass(frozen=True)
class Statement:
    """A simple statement with its semicolon, or an IF with everything down to its END IF."""

    start: int
    end: int
    text: str

    @property
    def flat(self) -> str:
        """On one line, without comments."""
        return " ".join(re.sub(r"--[^\n]*", "", self.text).split())


def statements(text: str) -> list[Statement]:
    """Every statement, the outer before the inner."""
    tokens = [(m.start(), m[0]) for m in TOKEN.finditer(text) if not m[0].startswith("--")]
    found: list[tuple[int, int]] = []
    ifs: list[int] = []
    begins, current, parens, cases, closing = True, None, 0, 0, False
    for place, (at, token) in enumerate(tokens):
        word = token.upper()
        following = tokens[place + 1][1].upper() if place + 1 < len(tokens) else ""
        if begins:
            if word == "BEGIN" and following not in ("TRANSACTION", ";"):
                continue
            begins = False
            closing = word == "END" and following == "IF"
            if word == "IF":
                ifs.append(at)
            elif word not in CONTINUES:
                current = at
        parens += {"(": 1, ")": -1}.get(token, 0)
        if word == "CASE":
            cases += 1
        elif word == "END" and cases:
            cases -= 1
        elif not parens and not cases:
            if token == ";":
                if current is not None:
                    found.append((current, at + 1))
                elif closing:
                    found.append((ifs.pop(), at + 1))
                current, begins, closing = None, True, False
            elif word in ("THEN", "ELSE", "LOOP") and current is None:
                begins = True
            elif word == "DECLARE" or token.startswith("$"):  # AS $$ DECLARE … BEGIN
                current, begins = None, True
    return [Statement(start, end, text[start:end]) for start, end in sorted(found, key=lambda f: (f[0], -f[1]))]
