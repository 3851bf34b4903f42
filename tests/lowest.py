"""Prints the lowest versions that pyproject.toml admits, as constraints for pip: what `make minimum` installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lowest() -> dict[str, str]:
    """{click: 8.2}: of everything that c360gen needs at run time, its own extra for Postgres too, where a lowest version is named."""
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["postgres"]]
    return {found[1]: found[2] for text in needed if (found := re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", text))}


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in lowest().items()))
