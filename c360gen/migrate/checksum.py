"""What a migration's file says, whatever its line endings, indentation and place: the checksum of its canonical form."""

from __future__ import annotations

import hashlib

ALGORITHM = "1"
"""Stands before every checksum: another canonical form is another algorithm, and not another migration."""
PLACEHOLDER = "c360gen:checksum"


def checksum(text: str) -> str:
    """Of a text in which its own checksum stands as PLACEHOLDER."""
    return f"{ALGORITHM}:{hashlib.sha256(canonical(text).encode()).hexdigest()}"


def holds(text: str, recorded: str) -> bool | None:
    """Whether a file is what was recorded; None when it was recorded by an algorithm that is not known here."""
    if recorded.partition(":")[0] != ALGORITHM:
        return None
    return checksum(text.replace(recorded, PLACEHOLDER)) == recorded


def canonical(text: str) -> str:
    """One space for all white space outside of quotes; the two lines of a header left out, with the hash that they hold."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "\n".join(line for line in lines if not line.startswith(("-- c360gen | ", "-- Do not edit: ")))
    out: list[str] = []
    quote = ""
    at = 0
    while at < len(body):
        char = body[at]
        if quote:
            quote = "" if char == quote else quote
            out.append(char)
        elif body.startswith("--", at):  # an apostrophe in a comment opens no string
            end = body.find("\n", at)
            end = len(body) if end < 0 else end
            out += [" ".join(body[at:end].split()), "\n"]
            at = end
        elif char.isspace():
            if out and not out[-1].isspace():
                out.append(" ")
        else:
            quote = char if char in "'\"`" else ""
            out.append(char)
        at += 1
    return "".join(out).strip()
