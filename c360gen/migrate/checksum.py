"""What a migration's file says, whatever its line endings, indentation and place: the checksum of its canonical form."""

from __future__ import annotations

import hashlib
import re

from c360gen.terms.quotes import parts

DOUBLED, ESCAPED = "1", "2"
"""Stands before every checksum: another canonical form is another algorithm, and not another migration. The second knows strings in
which a backslash escapes; it is used where one does, so that the first stays true of everything else."""
PLACEHOLDER = "c360gen:checksum"


def checksum(text: str, backslashes: bool = False) -> str:
    """Of a text in which its own checksum stands as PLACEHOLDER; `backslashes` as in `terms.quotes.parts`."""
    return _checksum(text, ESCAPED if backslashes and "\\" in text else DOUBLED)


def _checksum(text: str, algorithm: str) -> str:
    return f"{algorithm}:{hashlib.sha256(canonical(text, algorithm == ESCAPED).encode()).hexdigest()}"


def holds(text: str, recorded: str) -> bool | None:
    """Whether a file is what was recorded; None when it was recorded by an algorithm that is not known here."""
    algorithm = recorded.partition(":")[0]
    if algorithm not in (DOUBLED, ESCAPED):
        return None
    return _checksum(text.replace(recorded, PLACEHOLDER), algorithm) == recorded


def canonical(text: str, backslashes: bool) -> str:
    """One space for all white space outside of quotes; the two lines of a header left out, with the hash that they hold."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "\n".join(line for line in lines if not line.startswith(("-- c360gen | ", "-- Do not edit: ")))
    done = ""
    for kind, part in parts(body, backslashes):
        if kind == "comment":
            done += " ".join(part.split()) + "\n"
        elif kind == "quoted":
            done += part
        else:
            said = re.sub(r"\s+", " ", part)
            done += said.lstrip() if not done or done[-1].isspace() else said
    return done.strip()
