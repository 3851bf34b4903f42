"""Where SQL is quoted: strings and names, whose inside is data, and comments, in which an apostrophe opens nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Part = Literal["plain", "quoted", "comment"]

_OTHERS = r"""(?P<comment>--[^\n]*)|"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z)|"""
_DOUBLED = re.compile(_OTHERS + r"'[^']*(?:'|\Z)")
_ESCAPED = re.compile(_OTHERS + r"'(?:[^'\\]|\\.)*(?:'|\\?\Z)", re.DOTALL)


def parts(text: str, backslashes: bool) -> Iterator[tuple[Part, str]]:
    """SELECT 'a' -- b → (plain, SELECT ), (quoted, 'a'), (plain,  ), (comment, -- b); together they are the text.

    A doubled quote is the end of one string and the beginning of the next, which is as good. `backslashes`: in a string of this engine a
    backslash escapes what follows it. What is not closed goes on to the end.
    """
    at = 0
    for found in (_ESCAPED if backslashes else _DOUBLED).finditer(text):
        if found.start() > at:
            yield "plain", text[at : found.start()]
        yield "comment" if found["comment"] else "quoted", found[0]
        at = found.end()
    if at < len(text):
        yield "plain", text[at:]
