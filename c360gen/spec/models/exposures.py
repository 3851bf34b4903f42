"""`exposures:`: who reads the nodes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from c360gen.spec.models.words import Formats, Meta, Spec, Tags


class Owner(Spec):
    """Whom to ask before something is changed."""

    name: str | None = Field(None, description="A person or a team.", examples=["Data Team"])
    email: str | None = Field(None, description="Where to write to.", examples=["data_team@example.com"])

    @model_validator(mode="after")
    def _someone(self) -> Owner:
        if not (self.name or self.email):
            raise ValueError("must name an owner: name, email or both")
        return self


class Exposure(Spec):
    """Who reads the nodes: a dashboard, a notebook, an application."""

    name: str = Field(description="What `--select exposure:…` calls it.", examples=["customer_360_dashboard"])
    label: str | None = Field(None, description="Its name for people.", examples=["Customer 360"])
    type: Literal["dashboard", "notebook", "analysis", "ml", "application"] = Field(description="What it is.")
    maturity: Literal["high", "medium", "low"] | None = Field(None, description="How much others rely on it.")
    url: str | None = Field(None, description="Where it is.", examples=["https://bi.example.com/dashboards/customer_360"])
    description: str = Field("", description="What it is for.", examples=["What the service team sees when a customer calls."])
    owner: Owner = Field(description="Whom to ask.", examples=[{"name": "Data Team"}])
    depends_on: tuple[str, ...] = Field((), description="What it reads.", examples=[["ref('mart_customer_360')"]])
    formats: Formats = Field(
        (), description="Files for its BI tool: LookML of Looker, data sources of Tableau; below generated/<target>/exposures/.",
        examples=[["lookml", "tableau"]],
    )  # fmt: skip
    tags: Tags = ()
    meta: Meta = {}
    enabled: bool = Field(True, description="false: as if it were not written.")
