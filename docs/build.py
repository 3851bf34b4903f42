"""Writes docs/reference/*.md from the code itself: keys from the models, commands from click, codes from their explanations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from c360gen import explanations
from c360gen.cli.main import COMMANDS, cli
from c360gen.spec import schema

ROOT = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by `make docs` from the code: do not edit. -->\n"
KINDS = {
    "codes": ("C", "Codes", "What is said of specs and of generated files."),
    "rules": ("L", "Rules of the linter", "What `c360gen lint` says; `lint: rules:` decides how severe each is."),
    "plans": ("P", "Steps of a plan", "What `c360gen plan --format github` and `sarif` say of a change, by its risk."),
    "guards": (
        "ZC", "Guards",
        "Failures that generated procedures raise themselves: the SQLSTATE on Postgres, the first word of the message elsewhere.",
    ),
}  # fmt: skip
SCALARS = {"text", "whole number", "number", "true or false"}


def pages() -> dict[str, str]:
    """{file below docs/reference: its text}"""
    made = {"README.md": _index(), "keys.md": _keys(), "commands.md": _commands()}
    return made | {f"{name}.md": _explained(*kind) for name, kind in KINDS.items()}


def _index() -> str:
    listed = [f"- [{title}]({name}.md): {about}" for name, (_, title, about) in KINDS.items()]
    own = ["- [Keys](keys.md): every key of spec files.", "- [Commands](commands.md): every command with its options."]
    return "\n".join([NOTE, "# Reference", "", "Written from the code by `make docs`.", "", *own, *listed, ""])


# --- keys ---------------------------------------------------------------------------------------------------------------


def _keys() -> str:
    whole = json.loads(schema.text())
    definitions: dict[str, Any] = whole["$defs"]
    names = {name: _anchor(name) for name in definitions}
    out = [NOTE, "# Keys of spec files", "", "`c360gen schema` prints the same as a JSON Schema, which editors read.", ""]
    for name, section in {"A spec file": whole, **{n: definitions[n] for n in _in_order(whole, definitions)}}.items():
        written = next((arm for arm in section.get("anyOf", ()) if "properties" in arm), section)
        out += [f"## {name}", "", _escaped(section["description"]), ""]
        out += ["| key | value | default | meaning |", "|---|---|---|---|"]
        for key, value in written.get("properties", {}).items():
            needed = key in written.get("required", ())
            default = "needed" if needed else f"`{_plain(value['default'])}`" if "default" in value else ""
            example = f" Example: `{_plain(value['examples'][0])}`" if value.get("examples") and "$ref" not in json.dumps(value) else ""
            out.append(f"| `{key}` | {_type(value, names)} | {default} | {_cell(_escaped(value['description']) + example)} |")
        out.append("")
    return "\n".join(out)


def _in_order(whole: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    """Sections as they are met when a file is read from the top."""
    found: dict[str, None] = {}

    def meet(value: Any) -> None:
        for name in _references(value):
            if name not in found:
                found[name] = None
                meet(definitions[name])

    meet(whole["properties"])
    return list(found)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _type(value: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{names[name]})"
    if arms := value.get("anyOf"):
        kinds = list(dict.fromkeys(_type(a, names) for a in arms if a.get("type") != "null"))
        return " or ".join(["value", *(k for k in kinds if k not in SCALARS)] if {*kinds, "number"} >= SCALARS else kinds)
    if "enum" in value:
        return ", ".join(f"`{_plain(v)}`" for v in value["enum"])
    if "const" in value:
        return f"`{_plain(value['const'])}`"
    kind = value.get("type")
    if kind == "array":
        return f"list of {_type(value['items'], names)}" if value.get("items") else "list"
    if kind == "object":
        inside = value.get("additionalProperties")
        return f"mapping to {_type(inside, names)}" if isinstance(inside, dict) and inside else "mapping"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return "duration" if "pattern" in value else words.get(str(kind), "any")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _escaped(text: str) -> str:
    """`<target>` of prose would be taken for a tag."""
    return "".join(part if i % 2 else part.replace("<", "&lt;") for i, part in enumerate(re.split(r"(`[^`]*`)", text)))


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


# --- commands -----------------------------------------------------------------------------------------------------------


def _commands() -> str:
    context = click.Context(cli, info_name="c360gen")
    out = [NOTE, "# Commands", "", str(cli.help).strip().replace("\n    ", "\n"), ""]
    for name in sorted(COMMANDS):
        command = cli.get_command(context, name)
        assert command is not None
        out += [f"## c360gen {name}", "", *_command(command, click.Context(command, info_name=name, parent=context))]
    return "\n".join(out)


def _command(command: click.Command, inner: click.Context) -> list[str]:
    """Its call, what it does and its options; of a group, those of each command in it."""
    if isinstance(command, click.Group):
        out = [_prose(str(command.help)), ""]
        for name in command.list_commands(inner):
            member = command.get_command(inner, name)
            assert member is not None
            out += [f"### {inner.command_path} {name}", "", *_command(member, click.Context(member, info_name=name, parent=inner))]
        return out
    parameters = [p for p in command.get_params(inner) if "--help" not in p.opts]
    options = [p for p in parameters if isinstance(p, click.Option)]
    usage = ["[OPTIONS]"] if options else []
    usage += [_asked(p) if p.required else f"[{_asked(p)}]" for p in parameters if isinstance(p, click.Argument)]
    out = [f"`{' '.join([inner.command_path, *usage])}`", "", _prose(str(command.help)), ""]
    return [*out, "| option | meaning |", "|---|---|", *map(_option, options), ""] if options else out


def _asked(parameter: click.Parameter) -> str:
    """What stands in the place of a value, the same with every version of click."""
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    return parameter.metavar or ("PATH" if isinstance(parameter.type, click.Path) else str(parameter.name).upper())


def _option(option: click.Option) -> str:
    said = ", ".join(option.opts) + ("" if option.is_flag else f" {_asked(option)}")
    needed = " Needed." if option.required else ""
    default = f" By default `{option.default}`." if isinstance(option.default, str | Path) and option.default else ""
    return f"| `{_cell(said)}` | {_cell(' '.join(str(option.help).split()))}{needed}{default} |"


def _prose(text: str) -> str:
    """click's `\\b` keeps lines as they are: a block of code here."""
    before, mark, lines = text.partition("\b\n")
    return before.strip() + (f"\n\n```text\n{lines.rstrip()}\n```" if mark else "")


# --- codes --------------------------------------------------------------------------------------------------------------


def _explained(prefix: str, title: str, intro: str) -> str:
    codes = [c for c in explanations.codes() if c.rstrip("0123456789") == prefix]
    out = [NOTE, f"# {title}", "", f"{intro} `c360gen explain CODE` shows the same.", "", "| code | meaning |", "|---|---|"]
    out += [f"| [{c}](#{c.lower()}) | {_cell(explanations.page(c).title)} |" for c in codes]
    for code in codes:
        page = explanations.page(code)
        out += ["", f'<a id="{code.lower()}"></a>', "", f"## {code}: {page.title}"]
        for heading, body in page.sections.items():
            out += ["", f"### {heading}", "", body]
    return "\n".join(out) + "\n"


def main() -> None:
    ROOT.mkdir(exist_ok=True)
    for name, text in pages().items():
        (ROOT / name).write_text(text, encoding="utf-8")
    print(f"{len(pages())} pages in {ROOT}")


if __name__ == "__main__":
    main()
