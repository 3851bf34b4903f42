"""What a reader of YAML stumbled over: what the user did, at the place to mend, and what to type instead.

A reader gives up where the text makes no sense any more, which is often a line or more behind the slip:

    strategy timestamp
    updated_at: updated_at     # "could not find expected ':'" is said of this line, and the colon is missing in the one before
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from c360gen.spec import models
from c360gen.spec.rows import HEADER, Page, Row, row

_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})(?: |$)")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_INDENTED = "this line is not indented as the lines that it belongs to"
_QUOTES = "put quotes around the value, or write it below the key, after |"
_TEXT = "a text of several lines stands below its key, after |, deeper than the key"


@dataclass(frozen=True)
class Slip:
    """Line and column from 0."""

    what: str
    line: int
    column: int
    help: str | None = None
    width: int = 1


def of(error: Any, text: str) -> Slip:
    """What was done, rather than what the reader says of it where nothing better is known."""
    page = Page(text, error)
    looks = (_conflict, _control, _blank, _token, _quote, _flow, _text_beside_its_sign, _without_colon, _colon, _depth)
    found = next((slip for look in looks if (slip := look(page))), None)
    return found or Slip(page.problem, page.line, page.column)


def _conflict(page: Page) -> Slip | None:
    for number, line in enumerate(page.lines):
        if found := _CONFLICT.match(line):
            help = "keep one of the two sides, and remove the lines <<<<<<<, ======= and >>>>>>>"
            return Slip("a conflict of a merge is not resolved", number, 0, help, len(found[1]))
    return None


def _control(page: Page) -> Slip | None:
    for number, line in enumerate(page.lines):
        if found := _CONTROL.search(line):
            return Slip(f"a character that no text has, U+{ord(found[0]):04X}", number, found.start(), "remove it")
    return None


def _blank(page: Page) -> Slip | None:
    """A tab, or a space that is none, where lines are indented."""
    before = page.previous(page.line)
    for number in dict.fromkeys([page.line, *([before.line] if before else []), *([page.begun[0]] if page.begun else [])]):
        indent = re.match(r"[\s-]*", page.at(number))
        assert indent is not None, "it may be empty"
        if number == page.line and (at := indent[0].find("\t")) >= 0:
            return Slip("a tab in the indentation", number, at, "indent with spaces")
        if (at := indent[0].find("\u00a0")) >= 0:
            return Slip("a no-break space in the indentation", number, at, "indent with the space bar's own spaces: type them anew")
    return None


def _token(page: Page) -> Slip | None:
    """A sign that YAML keeps for itself at the beginning of a value."""
    quotes = "put quotes around the value"
    if "cannot start any token" in page.problem:
        sign, column = page.rest[:1], page.column
        if page.before.endswith("{") and sign == "%":
            sign, column = "{%", column - 1
        return Slip(f"a value cannot begin with {sign}", page.line, column, quotes, len(sign))
    if "undefined alias" in page.problem:
        name = page.rest.split()[0].rstrip(",}]")
        what = f"{name} would be an alias, and nothing has this name"
        return Slip(what, page.line, page.column, "put quotes around a value that begins with *")
    if page.context.endswith(("an alias", "an anchor")) and page.begun:
        line, column = page.begun
        return Slip(f"a value cannot begin with {page.at(line)[column]}", line, column, quotes)
    if "mapping keys are not allowed" in page.problem:
        return Slip("a value cannot begin with ?", page.line, page.column, quotes)
    if "entries are not allowed" in page.problem:
        return Slip("a list begins on a line of its own", page.line, page.column, "write its - in the next line, deeper than the key")
    return None


def _quote(page: Page) -> Slip | None:
    if "end of stream" in page.problem and "quoted scalar" in page.context and page.begun:
        return Slip("this quote is never closed", *page.begun, f"add {page.at(page.begun[0])[page.begun[1]]} where the text ends")
    if "escape character" in page.problem:
        at = page.before.rfind("\\") if page.before.endswith("\\") else page.column
        sign = page.at(page.line)[at : at + 2]
        return Slip(f'{sign} means nothing inside "…"', page.line, at, "write \\\\ for a backslash, or put '…' around the text", 2)
    said = page.before.rstrip()
    if "block" not in page.context or said[-1:] not in ("'", '"') or page.rest[:1] in ("", "-", "}", "]"):
        return None
    sign, end = said[-1], len(said) - 1
    begun = _opened(page, sign, end)
    if begun and begun[0] < page.line:
        what = f"this quote is closed by that in line {page.line + 1}, and more follows there"
        return Slip(what, *begun, f"add {sign} where the text ends")
    help = "put quotes around the whole value, and write it after | where it has both kinds"
    if sign == "'" and page.rest[:1].isalnum() and end + 1 == page.column:
        help = "an apostrophe inside '…' is written twice: ''"
    return Slip("the value ends with this quote, and more follows", page.line, end, help)


def _opened(page: Page, sign: str, end: int) -> tuple[int, int] | None:
    """Where the text begins that ends with a quote in the line of the page."""
    for number in range(page.line, -1, -1):
        part = page.at(number)[:end] if number == page.line else page.at(number)
        if found := re.search(rf"(?:^|[:,\[{{-]\s+|[\[{{]){sign}(?=[^{sign}]*$)", part):
            return number, found.end() - 1
    return None


def _flow(page: Page) -> Slip | None:
    """Inside {…} and […] a comma, a brace or a quote ends a value."""
    begun = _bracket(page) if "flow" in page.context else None
    if begun is None:
        return None
    line, column = begun
    opener = page.at(line)[column]
    closer = {"{": "}", "[": "]"}[opener]
    if page.at(line)[max(0, column - 1) : column + 2].count("{") > 1:
        at = column - (page.at(line)[column - 1 : column] == "{")
        return Slip("a value cannot begin with {{", line, at, _QUOTES, 2)
    if line < page.line and len(page.at(page.line)) - len(page.at(page.line).lstrip()) <= row(line, page.at(line)).first:
        return Slip(f"this {opener} is never closed", line, column, f"add {closer} where it ends")
    if "{{" in page.before[-1:] + page.rest[:2] or page.rest.startswith("{{"):
        help = "put quotes around the value, or give the key a line of its own"
        return Slip("inside {…} a value ends where {{ begins", page.line, page.column, help)
    if page.rest[:1] in ("}", "]"):
        return Slip(f"{page.rest[0]} closes what {opener} opened", page.line, page.column, f"write {closer}")
    if page.rest.startswith(":") and (word := re.search(r"[\w.-]+$", page.before)):
        if page.before[: word.start()].rstrip().endswith(":"):
            return Slip("a colon inside a value", page.line, page.column, "put quotes around the value")
        return Slip(f"a comma is missing before {word[0]}", page.line, word.start(), None, len(word[0]))
    if page.rest[:1] in ("'", '"', "{", "[") and page.before.rstrip()[-1:] in ("'", '"', "}", "]"):
        return Slip("a comma is missing before this", page.line, page.column)
    if page.rest.startswith(("'", '"', "(")) or page.before.rstrip().endswith(("'", '"')):
        help = "put quotes around the whole value: \"source('…', '…')\""
        return Slip("inside {…} a value ends with its quote or comma", page.line, page.column, help)
    return Slip(page.problem, page.line, page.column, "is a comma, a quote or a bracket missing before this?")


def _bracket(page: Page) -> tuple[int, int] | None:
    """The { or [ that is open where the reader stands."""
    if page.begun and page.at(page.begun[0])[page.begun[1] :][:1] in ("{", "["):
        return page.begun
    text = "\n".join([*page.lines[: page.line], page.before])
    at = max(text.rfind("{"), text.rfind("["))
    return (text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1) if at >= 0 else None


def _text_beside_its_sign(page: Page) -> Slip | None:
    if "block scalar" not in page.context:
        return None
    help = "write it below the key, deeper than the key, or put quotes around the value"
    return Slip("after | and > a text begins in the next line", page.line, page.column, help)


def _without_colon(page: Page) -> Slip | None:
    """A line that should be a key with a value: the reader has gone on to the next colon."""
    if "simple key" not in page.context or not page.begun:
        return None
    at = row(page.begun[0], page.at(page.begun[0]))
    above = page.previous(at.line)
    if above and above.key and HEADER.search(page.at(above.line)):
        deep = next((len(t) - len(t.lstrip()) for t in page.lines[above.line + 1 : at.line] if t.strip()), above.column + 2)
        what = f"this line is neither deeper than `{above.key}`, as its text is, nor a key with a colon"
        return Slip(what, at.line, at.first, f"if it belongs to the text, {_spaces(deep)} before it")
    return _misspelled(at) or Slip(
        "this line is neither a key with a colon nor deeper than the text it goes on with", at.line, at.first, _TEXT
    )


def _misspelled(at: Row) -> Slip | None:
    """A dash or a colon that is missing, or written in another way."""
    if found := re.match(r"--+ *(?=\w)|-(?=[^\s\W])", at.text):
        item = f"- {at.text[found.end() :]}"
        what = "a space is missing after the -" if found[0] == "-" else "an entry of a list begins with one -"
        return Slip(what, at.line, at.column, f"write {item}", len(found[0].rstrip()))
    if at.text.startswith(("//", "/*")):
        return Slip("a comment begins with #", at.line, at.column, None, 2)
    if found := re.match(r"(\w+):(?=[^\s/])(.*)", at.text):
        return Slip("a space is missing after the colon", at.line, at.column + found.end(1), f"write {found[1]}: {found[2]}")
    if found := re.match(r"(\w+)\s*[：﹕꞉]\s*(.*)", at.text):
        return Slip("this colon is another sign than :", at.line, at.column + found.end(1), f"write {found[1]}: {found[2]}")
    found = re.match(r"(\w+)(?:\s*=\s*|\s+|$)(.*)", at.text)
    if found and found[1] in _keys():
        return Slip(f"a colon is missing after `{found[1]}`", at.line, at.column, f"write {found[1]}: {found[2]}".rstrip(), len(found[1]))
    return None


@cache
def _keys() -> frozenset[str]:
    """Every word that is a key somewhere."""
    known: list[type[BaseModel]] = [m for m in vars(models).values() if isinstance(m, type) and issubclass(m, BaseModel)]
    return frozenset(f.alias or name for m in known for name, f in m.model_fields.items())


def _colon(page: Page) -> Slip | None:
    """`key: value: more`, or a key below one that has a value, or below a line that is none."""
    if "mapping values are not allowed" not in page.problem:
        return None
    here = row(page.line, page.at(page.line))
    if page.column > here.column and not re.fullmatch(r"\"[^\"]*\"|'[^']*'|[\w.-]+", page.before[here.column :].rstrip()):
        return Slip("a colon inside a value", page.line, page.column, _QUOTES)
    above = page.previous(page.line)
    if above is None:
        return None
    if slip := _misspelled(above) if not above.key else None:
        return slip
    if (slip := _early(page, above, here)) or not above.key:
        return slip or _odd(page, here)
    what = f"`{above.key}` in line {above.line + 1} has a value, so that nothing can stand below it"
    return Slip(what, here.line, here.first, f"{_spaces(above.column)} before it, as before `{above.key}`; {_TEXT}")


def _depth(page: Page) -> Slip | None:
    """A line that begins where no other does."""
    if "block" not in page.context:
        return None
    if page.rest[:1] in ("}", "]") and page.before.strip():
        return Slip(f"this {page.rest[0]} closes nothing", page.line, page.column, "remove it, or put quotes around the value")
    here, above = row(page.line, page.at(page.line)), page.previous(page.line)
    if above is None or page.column != here.first:
        return None
    return _early(page, above, here) or _odd(page, here)


def _early(page: Page, above: Row, here: Row) -> Slip | None:
    """The line above, where it has ended what `here` would go on with."""
    before = page.previous(above.line)
    if above.first >= here.first or before is None or (above.key in models.SpecFile.model_fields and not above.first):
        return None
    fits = any(column == here.first and dash == bool(here.dashes) for column, dash, _ in page.open(above.line))
    if fits or (_below(before, here) and not _below(before, above)):
        return Slip(_NOT_INDENTED, above.line, above.first, f"{_spaces(here.first)} before it, as before the line below")
    return None


def _below(parent: Row, here: Row) -> bool:
    """Whether a line can be what a key, or a dash, above it waits for."""
    return parent.pending and (here.first > parent.column or (bool(here.dashes) and here.first == parent.column))


def _odd(page: Page, here: Row) -> Slip:
    """A line that begins where no other does, with the depth that it should have."""
    places = page.open(here.line)
    if here.dashes:
        return _odd_entry(page, here, places)
    if here.key in models.SpecFile.model_fields and here.first:
        return Slip(f"`{here.key}` begins a section, and its line is indented", here.line, here.first, "nothing stands before it")
    keys = [(column, r) for column, dash, r in places if not dash]
    if entry := next((r for column, dash, r in places if dash and column == here.first), None):
        what = f"entries of a list begin here with -, in line {entry.line + 1}, and this is a key"
        of = f", as before `{entry.key}` in line {entry.line + 1}" if entry.key else ""
        return Slip(what, here.line, here.first, f"{_spaces(entry.column)} before it{of}")
    if not keys:
        return Slip(_NOT_INDENTED, here.line, here.first)
    column, other = min(keys, key=lambda p: (abs(p[0] - here.first), p[0]))
    return Slip(_NOT_INDENTED, here.line, here.first, f"{_spaces(column)} before it, as before `{other.key}` in line {other.line + 1}")


def _odd_entry(page: Page, here: Row, places: list[tuple[int, bool, Row]]) -> Slip:
    """An entry of a list beside its list, or below a first one that has no dash."""
    above = [r for column, dash, r in places if not dash and r.pending and column < here.first]
    child = next((r for r in page.rows if above and r.line > above[0].line), here)
    if not child.dashes and (child.column == here.column or (child.first == here.first and child.pending)):
        word = f"name: {child.key}" if child.key and child.pending else child.text
        return Slip(f"the first entry of `{above[0].key}` has no -", child.line, child.first, f"begin it so: - {word}")
    lists = [(column, r) for column, dash, r in places if dash]
    if not lists:
        return Slip(_NOT_INDENTED, here.line, here.first)
    column, other = min(lists, key=lambda p: (abs(p[0] - here.first), p[0]))
    help = f"{_spaces(column)} before it, as in line {other.line + 1}"
    return Slip("this - does not stand below that of another entry", here.line, here.first, help)


def _spaces(count: int) -> str:
    return "no space" if count == 0 else "1 space" if count == 1 else f"{count} spaces"
