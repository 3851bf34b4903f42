"""Cron in the words of each scheduler, or a refusal that says why."""

from __future__ import annotations

import re
import typing

import pytest

from c360gen import dialects
from c360gen.emit.shell import text_of
from c360gen.schedules import CannotSay, NodeCall, Timed, bigquery_scheduled, chosen, schedulers, snowflake_tasks
from c360gen.schedules.bigquery_scheduled import to_english
from c360gen.spec.models import Schedule, Target, check_cron
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
        ("*/15 * * * *", "every 15 minutes synchronized"),
        ("15 6 * * 1,3", "every mon,wed 06:15"),
        ("15 6 * * 5-7", "every sun,fri,sat 06:15"),
        ("0 6 * 1-3 1", "every mon of jan,feb,mar 06:00"),
        ("0 6 * 12 *", "every sun,mon,tue,wed,thu,fri,sat of dec 06:00"),
        ("0 6 1,15 * *", "1,15 of month 06:00"),
        ("0 6 1 */3 *", "1 of jan,apr,jul,oct 06:00"),
        ("0 6 */10 * *", "1,11,21,31 of month 06:00"),
    ],
)
def test_english(cron: str, english: str) -> None:
    assert to_english(cron) == english


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("*/10 * * * *", "every 15 minutes at most"),
        ("* * * * *", "every 15 minutes at most"),
        ("*/25 * * * *", "equal intervals"),
        ("0 */5 * * *", "equal intervals"),
        ("0 0-6 * * *", "one time of day"),
        ("0,30 6 * * *", "one time of day"),
        ("0 */2 * * 1", "one time of day"),
        ("0 0 1 * 1", "has both"),
        ("0 0 */2 * 1", "has both"),
    ],
)
def test_what_bigquery_cannot_say(cron: str, why: str) -> None:
    with pytest.raises(CannotSay, match=why) as refused:
        to_english(cron)
    assert refused.value.key == "cron" and "Cloud Scheduler" in str(refused.value.help)


def timed(*nodes: NodeCall, cron: str = "0 0 * * *", target: str = "prod", **settings: object) -> Timed:
    schedule = Schedule(name="nightly", cron=cron, select="x")
    found = Target.model_validate({"dialect": "snowflake", **settings})
    return Timed(schedule, "shop", "C360.control", "CALL C360.control.run_job_nightly();", nodes, target, found)


def node(name: str, *parents: str) -> NodeCall:
    return NodeCall(name, f"CALL C360.control.run_{name}();", parents)


def test_the_limits_of_a_task_graph() -> None:
    """A thousand tasks with the root, a hundred edges to either side of one: just below is said, just above is refused."""

    def chain(count: int) -> list[NodeCall]:
        return [node(f"n{i}", *([f"n{i - 1}"] if i else [])) for i in range(count)]

    def fan(count: int) -> list[NodeCall]:
        return [node("first"), *(node(f"n{i}", "first") for i in range(count))]

    def collected(count: int) -> list[NodeCall]:
        starts = [node("a"), node("b")]
        middle = [node(f"n{i}", "ab"[i % 2]) for i in range(count)]
        return [*starts, *middle, node("last", *(n.node for n in middle))]

    for good in (chain(999), fan(100), collected(100), [node(f"n{i}") for i in range(100)]):
        snowflake_tasks.plan(timed(*good))
    for bad, why in (
        (chain(1000), "1000 tasks at most; this one would have 1001"),
        (fan(101), "100 others directly after it at most; first would have 101"),
        (collected(101), "100 others directly before it at most; last would have 101"),
        ([node(f"n{i}") for i in range(101)], "100 others directly after it at most; the root would have 101"),
    ):
        with pytest.raises(CannotSay, match=why):
            snowflake_tasks.plan(timed(*bad))


@pytest.mark.parametrize(
    ("cron", "said"),
    [("0 0 * * 7", "0 0 * * 0"), ("0 0 * * 5-7", "0 0 * * 0,5,6"), ("7 7 * 7 */7", "7 7 * 7 */7"), ("0 0 * * 1-5", "0 0 * * 1-5")],
)
def test_snowflake_counts_weekdays_from_0_to_6(cron: str, said: str) -> None:
    assert snowflake_tasks.plan(timed(node("a"), cron=cron)).shell.values["cron"] == f"USING CRON {said} UTC"


def test_every_task_is_suspended_before_it_is_replaced_and_commits_by_itself() -> None:
    """None is awake while others are replaced, and AUTOCOMMIT may be off for a user or an account."""
    made = text_of(snowflake_tasks.plan(timed(node("a"), node("b", "a"))).shell, dialects.get("snowflake"))
    suspended = re.findall(r"^ALTER TASK IF EXISTS (\S+) SUSPEND;$", made, re.M)
    replaced = re.findall(r"^CREATE OR REPLACE TASK (\S+)$", made, re.M)
    assert suspended == replaced == [f"C360.control.task_nightly{n}" for n in ("", "__a", "__b")]
    assert made.rindex(" SUSPEND;") < made.index("CREATE OR REPLACE TASK C360")
    assert made.count("\n  LOCK_TIMEOUT = 600, TIMEZONE = 'UTC', AUTOCOMMIT = TRUE\n") == 2  # parameters of the session stand behind commas
    assert "takes away what was granted on the task" in made


def test_bq_is_told_to_pause_or_the_schedule_never_both() -> None:
    """It refuses them together, and a schedule that is paused is none: whoever wakes it says it again."""
    made = text_of(bigquery_scheduled.plan(timed(dialect="bigquery", cron="30 4 * * *")).shell, dialects.get("bigquery"))
    commands = [c for c in re.split(r"bq (?=mk|update)", made.replace("\\\n--", "")) if c.startswith(("mk", "update"))]
    create, wake = (c.partition("\n")[0] for c in commands)
    assert "--no_auto_scheduling" in create and "--schedule" not in create
    assert wake == "update --transfer_config --schedule='every day 04:30' RESOURCE_NAME"
    (pause,) = [said for said in dialects.get("bigquery").changes.before_and_after if "--no_auto_scheduling" in said]
    assert "waking gives each its own again" in pause and "schedules/" in pause


def test_a_target_of_another_name_says_which_it_is() -> None:
    """Jobs of pg_cron are one list for a server: those of a second target must not replace those of the first."""
    assert timed(target="snowflake").display_name == "shop nightly"
    assert timed(target="snowflake_dev").display_name == "shop snowflake_dev nightly"


@pytest.mark.parametrize("cron", ["0 0 * * *", "*/15 0-6 1,15 * 1-5", "59 23 31 12 7"])
def test_good_cron(cron: str) -> None:
    check_cron(cron)


BAD = (
    "", "0 0 * *", "0 0 0 * * *", "60 0 * * *", "0 24 * * *", "0 0 0 * *", "a b c d e", "5-1 0 * * *", "*/0 * * * *", "5/15 * * * *",
    "0 0 L * *", "0 0 $ * *", "0 0 * * MON", "@daily",
)  # fmt: skip


@pytest.mark.parametrize("cron", BAD)
def test_bad_cron(cron: str) -> None:
    with pytest.raises(ValueError, match=r"field|step"):
        check_cron(cron)
