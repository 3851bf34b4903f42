"""Every word of dbt that is refused is refused with a reason, and tests/cases/bad/dbt_refused writes each of them once."""

from __future__ import annotations

from c360gen.spec.models import NOT_CARRIED, VALUES_NOT_CARRIED
from tests.conftest import CASES


def test_every_refusal_is_shown() -> None:
    said = (CASES / "bad" / "dbt_refused" / "diagnostics.txt").read_text(encoding="utf-8")
    for section, keys in NOT_CARRIED.items():
        for key, reason in keys.items():
            assert f"error[C106]: `{key}` is a dbt key that c360gen does not carry" in said, (section, key)
            assert f"help: {reason}\n" in said, (section, key)
    for (key, value), reason in VALUES_NOT_CARRIED.items():
        assert f"`{key}: {value}` is a dbt setting" in said and f"help: {reason}\n" in said


def test_a_reason_is_one_line_without_a_stop() -> None:
    for reason in (*(r for keys in NOT_CARRIED.values() for r in keys.values()), *VALUES_NOT_CARRIED.values()):
        assert 10 < len(reason) <= 140 and not reason.endswith(".") and reason.isprintable(), reason
