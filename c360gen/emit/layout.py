"""The same scripts where other tools look for them: Flyway's and schemachange's V and R files."""

from __future__ import annotations

from c360gen.emit.files import File

JINJA = ("{{", "{%", "{#")


def folder(layout: str) -> str:
    return f"{layout}/"


def versioned(layout: str, number: int, name: str, text: str) -> list[File]:
    """V2__customer_city.sql, applied once; it never changes."""
    return _files(layout, f"V{number}__{name}.sql", text)


def repeatable(layout: str, text: str) -> list[File]:
    """R__deploy.sql, applied after every V file, and again whenever it changes."""
    return _files(layout, "R__deploy.sql", text)


def _files(layout: str, name: str, text: str) -> list[File]:
    if layout == "flyway":  # the scripts begin and commit by themselves, and `${` in them is no placeholder
        settings = "executeInTransaction=false\nplaceholderReplacement=false\n"
        return [File(f"{folder(layout)}{name}", text), File(f"{folder(layout)}{name}.conf", settings)]
    return [File(f"{folder(layout)}{name}", raw(text))]


def raw(text: str) -> str:
    """schemachange renders jinja: what looks like it is none."""
    return f"{{% raw %}}\n{text}{{% endraw %}}\n" if any(mark in text for mark in JINJA) else text
