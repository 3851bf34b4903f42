"""`schedules:`: when nodes run."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from c360gen.spec.models.words import Spec, Text

_CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


class Schedule(Spec):
    """When the nodes of a selection run, in dependency order, through one procedure."""

    name: str = Field(description="Its procedure is run_job_<name>.", examples=["daily"])
    description: Text = ""
    cron: str = Field(description="Minute, hour, day, month, weekday; numbers, lists, ranges and steps.", examples=["0 */3 * * *"])
    timezone: str = Field("UTC", description="A zone of the tz database.", examples=["UTC", "Europe/Berlin"])
    select: str = Field(description="Which nodes run, as in --select.", examples=["customer_snapshot+", "tag:nightly"])
    exclude: str | None = Field(None, description="Which of them do not.", examples=["mart_*"])

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        check_cron(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        import zoneinfo

        if value not in zoneinfo.available_timezones():
            raise ValueError("must be a time zone of the tz database such as 'UTC' or 'Europe/Berlin'")
        return value


def check_cron(text: str) -> None:
    """Raise ValueError unless `text` is a five-field cron expression that every scheduler reads alike: numbers, lists, ranges, steps."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"must have five fields (minute hour day month weekday), not {len(fields)}")
    for field, (low, high) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
            numbers = [int(n) for n in found.groups()[:2] if n] if found else [-1]
            step = int(found[3]) if found and found[3] else 1
            if not all(low <= n <= high for n in numbers) or numbers != sorted(numbers) or not 1 <= step <= high:
                raise ValueError(f"has a field that cron does not know: {field}")
            if found and found[1] and found[3] and not found[2]:
                raise ValueError(f"has a step without a range, which schedulers read differently: write {found[1]}-{high}/{step}")
