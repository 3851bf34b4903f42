"""What a page shows, as plain data: templates only go through it. Every link is a path from the site's root."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from c360gen.docs.graph import Drawing

_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""What Windows takes for a device, whatever follows the first dot."""
_OUTSIDE = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f]+", re.I)
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Part:
    """A text with a link, or without; `note` says what it is to the thing that the page is about."""

    text: str
    to: str = ""
    """A page of the site, and perhaps a place in it."""
    url: str = ""
    """A page of others; of a kind that only opens something."""
    note: str = ""
    code: bool = False


Cell = tuple[Part, ...]
Facts = tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Row:
    cells: tuple[Cell, ...]
    id: str = ""

    @property
    def head(self) -> Cell:
        """What names the row."""
        return self.cells[0]

    @property
    def others(self) -> tuple[Cell, ...]:
        return self.cells[1:]


@dataclass(frozen=True)
class Table:
    """Rows whose first cell names them; a column in which nothing stands is left out."""

    headers: tuple[str, ...]
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, headers: Sequence[str], rows: Iterable[Row]) -> Table:
        listed = list(rows)
        used = [n for n in range(len(headers)) if any(r.cells[n] for r in listed)]
        return cls(tuple(headers[n] for n in used), tuple(Row(tuple(r.cells[n] for n in used), r.id) for r in listed))


@dataclass(frozen=True)
class Code:
    title: str
    text: str


@dataclass(frozen=True)
class Group:
    """Texts that are shown when somebody asks for them."""

    title: str
    codes: tuple[Code, ...]


@dataclass(frozen=True)
class Picture:
    """A graph, what it shows, and the kinds of boxes in it: (class, name)."""

    drawing: Drawing
    title: str
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; what is empty is left out."""

    id: str
    title: str
    text: str = ""
    facts: Facts = ()
    items: Cell = ()
    picture: Picture | None = None
    table: Table | None = None
    codes: tuple[Code, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def filled(self) -> bool:
        if self.table is not None:
            return bool(self.table.rows)  # what its text says is said of them
        return bool(self.text or self.facts or self.items or self.picture or self.codes or self.groups)


@dataclass(frozen=True)
class Page:
    path: str
    title: str
    kind: str
    """The word that chooses a colour; as in the graph."""
    said: str
    """The same in words."""
    text: str
    facts: Facts
    sections: tuple[Section, ...]

    @property
    def plural(self) -> str:
        """What the index calls all of its kind."""
        return f"{self.said}s"

    @property
    def root(self) -> str:
        """The way back to the root of the site."""
        return "../" * self.path.count("/")


def facts(*entries: tuple[str, Iterable[Part]]) -> Facts:
    """Those that say something."""
    return tuple((name, found) for name, parts in entries if (found := tuple(parts)))


def sections(*entries: Section) -> tuple[Section, ...]:
    return tuple(s for s in entries if s.filled)


def words(*texts: str | None, code: bool = False) -> Cell:
    """Texts without links; those that say nothing are left out."""
    return tuple(Part(t, code=code) for t in texts if t)


def outside(url: str) -> str:
    """The address of a link to a page of others; empty where following it would do something else than open a page or a mail."""
    return url if _OUTSIDE.fullmatch(url) else ""


def mail(address: str) -> str:
    """The same of a mail address, which might bring headers along."""
    return f"mailto:{address}" if _EMAIL.fullmatch(address) else ""


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Each name as the name of a file or of a place in a page: of letters, digits, `_`, `.` and `-`; with a hash where that is another."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-.")
        if not plain or plain != name or len(plain) > 100 or _DEVICES.fullmatch(plain) or plain in found.values():
            digest = hashlib.sha256(name.encode()).hexdigest()
            plain = f"{plain[:80]}-{digest[:8]}"
        found[name] = plain
    return found
