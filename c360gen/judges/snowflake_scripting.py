"""Names in Snowflake Scripting, which no parser looks at: a forgotten colon makes a column of a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NOISE = re.compile(r"'(?:[^'\\]|''|\\.)*'|--[^\n]*", re.S)
_SQL = ("INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "CREATE", "WITH")
_OURS = re.compile(r"(?<![\w:.\"])([vpc]_\w+)\b(?!\s*\()", re.I)


def names(before: str, body: str) -> Iterator[tuple[int, str]]:
    """(line of the body, message): unbound and undeclared names, undeclared exceptions. `before` is the CREATE above the body."""
    plain = _NOISE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), body)
    header = before.rpartition("CREATE OR REPLACE PROCEDURE")[2].partition("RETURNS")[0] if "PROCEDURE" in before else ""
    begin = re.search(r"^\s*BEGIN\b", plain, re.M)
    if begin is None:
        return  # a function's body is one query, and its parameters stand without colons
    declared = {m.lower() for m in re.findall(r"^\s*([vcp]_\w+)\s", plain[: begin.start()], re.M)} | {
        m.lower() for m in re.findall(r"\b(p_\w+)", header)
    }
    declared |= {m.lower() for m in re.findall(r"\bLET\s+(\w+)", plain)}
    exceptions = {m.lower() for m in re.findall(r"(\w+)\s+EXCEPTION\b", plain)}
    for at, statement in _statements(plain):
        word = statement.split(None, 1)[0].upper() if statement.split() else ""
        line = plain.count("\n", 0, at) + 1
        if word in _SQL:
            for found in _OURS.finditer(statement):
                yield line + statement.count("\n", 0, found.start()), f"{found[1]} stands in SQL without its colon: it would be a column"
        for found in re.finditer(r":([vpc]_\w+)", statement):
            if found[1].lower() not in declared:
                yield line + statement.count("\n", 0, found.start()), f":{found[1]} is not declared"
        for found in re.finditer(r"(?<![\w:])([vpc]_\w+)\s*:=", statement):
            if found[1].lower() not in declared:
                yield line + statement.count("\n", 0, found.start()), f"{found[1]} is not declared"
        for found in re.finditer(r"\bRAISE\s+(\w+)", statement):
            if found[1].lower() not in exceptions:
                yield line + statement.count("\n", 0, found.start()), f"exception {found[1]} is not declared"


def client_traps(text: str) -> Iterator[tuple[int, str]]:
    """What the `snow` client would substitute before Snowflake sees it."""
    for found in re.finditer(r"<%|&\{?\w", text):
        yield text.count("\n", 0, found.start()) + 1, f"the snow client would substitute {found[0]}"


def _statements(plain: str) -> Iterator[tuple[int, str]]:
    """(offset, text) of statements; THEN, ELSE, BEGIN and LOOP end one as a semicolon does."""
    at = 0
    for end in re.finditer(r";|\bTHEN\b(?=\s*\n)|\bELSE\b(?=\s*\n)|\bBEGIN\b(?=\s*\n)|\bLOOP\b(?=\s*\n)", plain):
        text = plain[at : end.start()]
        yield at + len(text) - len(text.lstrip()), text.strip()
        at = end.end()
