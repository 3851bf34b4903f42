"""Cron in the words of each scheduler, or a refusal that says why."""

from __future__ import annotations

import typing

import pytest

from c360gen.schedules import CannotSay, chosen, schedulers
from c360gen.schedules.bigquery_scheduled import to_english
from c360gen.spec.models import Target, check_cron
from c360gen.spec.models.words import DIALECTS, SchedulerName


def test_every_scheduler_is_a_word_of_the_specs() -> None:
    assert set(schedulers()) == set(typing.get_args(SchedulerName))


def names(scripted: bool = False, **settings: object) -> list[str]:
    found = chosen(Target.model_validate(settings), scripted=scripted)
    return [module.__name__.rpartition(".")[2] for module in found]


def test_without_a_word_each_engine_has_its_own() -> None:
    assert {d: names(dialect=d) for d in DIALECTS} == {
        "duckdb": [], "postgres": ["pg_cron"], "snowflake": ["snowflake_tasks"], "bigquery": ["bigquery_scheduled"],
    }  # fmt: skip
    assert names(scripted=True, dialect="postgres") == []


def test_a_word_takes_the_place_of_the_default() -> None:
    assert names(dialect="postgres", schedulers="airflow") == ["airflow"]
    assert names(dialect="bigquery", schedulers=["bigquery_scheduled", "airflow", "airflow"]) == ["bigquery_scheduled", "airflow"]
    assert names(dialect="snowflake", schedulers=[]) == []


@pytest.mark.parametrize(
    ("cron", "english"),
    [
        ("0 0 * * *", "every day 00:00"),
        ("30 4 * * *", "every day 04:30"),
        ("0 */3 * * *", "every 3 hours synchronized"),
        ("0 * * * *", "every 1 hours synchronized"),
        ("15 6 * * 1,3", "every mon,wed 06:15"),
        ("0 6 1,15 * *", "1,15 of month 06:00"),
    ],
)
def test_english(cron: str, english: str) -> None:
    assert to_english(cron) == english


@pytest.mark.parametrize("cron", ["*/5 * * * *", "0 */5 * * *", "0 0 1 1 *", "0 0-6 * * *"])
def test_what_bigquery_cannot_say(cron: str) -> None:
    with pytest.raises(CannotSay, match="Cloud Scheduler"):
        to_english(cron)


@pytest.mark.parametrize("cron", ["0 0 * * *", "*/15 0-6 1,15 * 1-5", "59 23 31 12 7"])
def test_good_cron(cron: str) -> None:
    check_cron(cron)


@pytest.mark.parametrize(
    "cron", ["", "0 0 * *", "0 0 0 * * *", "60 0 * * *", "0 24 * * *", "0 0 0 * *", "a b c d e", "5-1 0 * * *", "*/0 * * * *"]
)
def test_bad_cron(cron: str) -> None:
    with pytest.raises(ValueError, match=r"field"):
        check_cron(cron)
