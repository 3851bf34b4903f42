"""A strict reader of our pages: what html.parser forgives is a mistake here."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input"}
PHRASES = {"span", "a", "bdi", "code", "label", "input", "title", "rect", "text"}
"""What a paragraph, a heading, a term or a label may hold."""
ONLY_PHRASES = {"p", "h1", "h2", "h3", "dt", "dd", "li", "td", "th", "summary", "figcaption", "span", "a", "bdi", "code", "pre", "label"}
INSIDE = {
    "html": {"head", "body"}, "head": {"meta", "title", "link"}, "ul": {"li"}, "dl": {"div"}, "table": {"thead", "tbody"},
    "thead": {"tr"}, "tbody": {"tr"}, "tr": {"td", "th"}, "svg": {"g", "a"}, "g": {"path"},
    "body": {"a", "header", "main", "footer", "script"}, "main": {"p", "h1", "dl", "nav", "section"},
    "section": {"h2", "h3", "p", "dl", "figure", "ul", "div", "details"}, "details": {"summary", "pre"},
    "figure": {"div", "figcaption", "pre"}, "header": {"nav"}, "nav": {"a", "ul"}, "footer": {"p"}, "div": {"table", "svg", "dt", "dd"},
}  # fmt: skip
"""What an element may hold besides text; every other holds text alone."""
ATTRIBUTES = {
    "id", "class", "href", "lang", "charset", "name", "content", "http-equiv", "rel", "role", "aria-label", "tabindex", "scope", "hidden",
    "for", "type", "autocomplete", "spellcheck", "xmlns", "width", "height", "viewbox", "d", "x", "y", "rx",
}  # fmt: skip
"""Every attribute that a template writes; none of them runs anything but href."""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """The elements of a page in their order, and what is wrong with it."""

    source: str
    elements: list[Element] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[Element] = []
        self.feed(self.source)
        self.close()
        self.wrong += [f"{e.tag} is not closed" for e in self.open]
        ids = self.ids
        self.wrong += [f"id {i} is there twice" for i in {i for i in ids if ids.count(i) > 1}]
        levels = [int(e.tag[1]) for e in self.elements if e.tag in ("h1", "h2", "h3")]
        self.wrong += [f"h{b} below h{a}" for a, b in zip([0, *levels], levels, strict=False) if b > a + 1]
        if levels.count(1) != 1:
            self.wrong.append("there is not one h1")

    @property
    def ids(self) -> list[str]:
        return [e.attributes["id"] for e in self.elements if "id" in e.attributes]

    @property
    def links(self) -> list[str]:
        return [e.attributes["href"] for e in self.elements if "href" in e.attributes]

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements with the names of their attributes: what a text must not change."""
        return [(e.tag, tuple(e.attributes)) for e in self.elements]

    @property
    def text(self) -> str:
        return "\n".join(e.text for e in self.elements if e.tag not in ("script", "style"))

    def all(self, tag: str) -> list[Element]:
        return [e for e in self.elements if e.tag == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        parent = self.open[-1].tag if self.open else ""
        allowed = {"html"} if not parent else PHRASES if parent in ONLY_PHRASES else INSIDE.get(parent, set())
        if tag not in allowed:
            self.wrong.append(f"{tag} in {parent or 'nothing'}, line {self.getpos()[0]}")
        if tag == "a" and any(e.tag == "a" for e in self.open):
            self.wrong.append(f"a link in a link, line {self.getpos()[0]}")
        self.wrong += [f"attribute {name} of {tag}" for name, _ in attrs if name not in ATTRIBUTES]
        self.elements.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in ("path", "rect"):
            self.open.pop()
        else:
            self.wrong.append(f"<{tag}/> is no HTML")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop().tag != tag:
            self.wrong.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data
        if data.strip() and self.open and self.open[-1].tag in INSIDE:
            self.wrong.append(f"text in {self.open[-1].tag}: {data.strip()[:40]}")

    def handle_pi(self, data: str) -> None:
        self.wrong.append(f"<?{data[:40]}")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(f"<![{data[:40]}")
