"""`exposures:`: who reads the nodes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from c360gen.spec.models.words import Names, Spec


class Owner(Spec):
    name: str | None = None
    email: str | None = None

    @model_validator(mode="after")
    def _someone(self) -> Owner:
        if not (self.name or self.email):
            raise ValueError("must name an owner: name, email or both")
        return self


class Exposure(Spec):
    """Who reads the nodes: a dashboard, a notebook, an application."""

    name: str
    label: str | None = None
    type: Literal["dashboard", "notebook", "analysis", "ml", "application"]
    maturity: Literal["high", "medium", "low"] | None = None
    url: str | None = None
    description: str = ""
    owner: Owner
    depends_on: tuple[str, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}
    enabled: bool = True
