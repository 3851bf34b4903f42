"""The difference between two tables, as people read it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from c360gen.testing.tables import MOST, difference, shown

COLUMNS = ("id", "email")


def test_equal_tables_differ_in_nothing_whatever_their_order() -> None:
    assert difference(COLUMNS, [(1, "a"), (2, None)], [(2, None), (1, "a")]) == ""


def test_rows_count_as_often_as_they_are_there() -> None:
    assert difference(COLUMNS, [(1, "a")], [(1, "a"), (1, "a")]) == "  id  email\n+ 1   a"


def test_rows_of_one_key_stand_together() -> None:
    expected, found = [(1, "a"), (2, "b"), (3, "c")], [(1, "x"), (2, "b"), (4, "d")]
    assert difference(COLUMNS, expected, found) == "  id  email\n- 1   a\n+ 1   x\n- 3   c\n+ 4   d"


def test_the_word_null_is_no_null() -> None:
    assert difference(COLUMNS, [(1, None)], [(1, "null")]) == "  id  email\n- 1   null\n+ 1   'null'"


def test_a_large_difference_is_cut() -> None:
    lines = difference(COLUMNS, [(i, "a") for i in range(MOST + 3)], []).splitlines()
    assert len(lines) == 1 + MOST + 1 and lines[-1].strip() == "… and 3 more"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (Decimal("1.50"), "1.5"), (Decimal("100"), "100"), (1.0, "1"), (float("nan"), "nan"), ("a\nb", "a\\nb"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"), (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.timezone(dt.timedelta(hours=1))), "2026-01-02 02:04:05.000006"),
    ],
)  # fmt: skip
def test_values(value: object, text: str) -> None:
    assert shown(value) == text
