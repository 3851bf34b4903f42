"""A file of the output: its header says what it is, where it comes from, and the hash of what follows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class File:
    """Path below generated/<target>/, text, and the spec it comes from."""

    path: str
    text: str
    origin: str | None = None
    about: str | None = None
    """The one node, source or schedule that it is for: `ref:…`, `source:…`, `schedule:…`."""

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or parts[0] == "/" or ".." in parts:  # whatever a name was made of: nothing is written beside the output
            raise ValueError(f"{self.path} does not lie below the output")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def one_line(text: object) -> str:
    """As it stands in a comment: without what any engine or client could take for its end, or for the end of a quoted body."""
    return re.sub(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", str(text)).replace("$$", "$ $")


def edited(text: str) -> bool:
    """Whether what follows a header is not what its hash says; never where there is no header."""
    said = re.search(r"^\S+ Do not edit: .* sha256 of what follows: ([0-9a-f]{64})(?: -->)?\n\n", text, re.M)
    return said is not None and hashlib.sha256(text[said.end() :].encode()).hexdigest() != said[1]


def sql_file(
    path: str, body: str, *, dialect: str, title: str, origin: str | None, marker: str = "--", closing: str = "", before: str = "",
    about: str | None = None,
) -> File:  # fmt: skip
    """A file with its header; no time, host, path of a machine or version of a tool is in it.

    `marker` and `closing` are what begins and ends a comment of one line, `before` is what the format wants at the very top.
    """
    body = body.rstrip("\n") + "\n"
    digest = hashlib.sha256(body.encode()).hexdigest()
    source = f"from {origin}" if origin else "from the project's specs"
    if closing:  # a comment of XML ends at two dashes
        title, source = (text.replace("--", "- -") for text in (title, source))
    header = (
        f"{marker} c360gen | {dialect} | {one_line(title)} | {one_line(source)}{closing}\n"
        f"{marker} Do not edit: change the spec and run `c360gen build`. sha256 of what follows: {digest}{closing}\n\n"
    )
    return File(path, before + header + body, origin, about)
