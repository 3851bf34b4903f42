"""The site of the small project beside it: every kind of node, of test and of what stands beside a node."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.docs import site
from c360gen.pipeline import Build, LoadedProject, build, load_project
from tests.docs_site.html import Page

SPECS = Path(__file__).parent / "specs"


def made(specs: Path, *targets: str) -> dict[str, str]:
    """{path: text} of the site of a project."""
    loaded = load_project(specs)
    return site_of(loaded, [build(loaded, t) for t in targets or loaded.default_targets])


def site_of(loaded: LoadedProject, builds: list[Build]) -> dict[str, str]:
    return {f.path: f.text for f in site.files(loaded, builds)}


def pages(texts: dict[str, str]) -> dict[str, Page]:
    return {path: Page(text) for path, text in texts.items() if path.endswith(".html")}


@pytest.fixture(scope="session")
def shop() -> tuple[LoadedProject, list[Build]]:
    loaded = load_project(SPECS)
    return loaded, [build(loaded, t) for t in loaded.default_targets]


@pytest.fixture(scope="session")
def texts(shop: tuple[LoadedProject, list[Build]]) -> dict[str, str]:
    return site_of(*shop)


@pytest.fixture(scope="session")
def read(texts: dict[str, str]) -> dict[str, Page]:
    return pages(texts)


@pytest.fixture
def short(shop: tuple[LoadedProject, list[Build]]) -> Callable[[], dict[str, str]]:
    """The site with the path of each generated file in place of its text, so that a change of the SQL is none of the pages."""
    loaded, builds = shop
    others = [
        dataclasses.replace(b, files=[f if f.path == "manifest.json" else dataclasses.replace(f, text=f"-- {f.path}\n") for f in b.files])
        for b in builds
    ]  # fmt: skip
    return lambda: site_of(loaded, others)
