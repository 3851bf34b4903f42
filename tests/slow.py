"""What the suite leaves out for its time, said where the cases stand: `make slow` runs it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def but_slow(cases: Iterable[ParameterSet], slow: Collection[str]) -> list[ParameterSet]:
    """Cases with ids, of which those that are named are slow. A name that no case has is an error: a rename would undo it in silence."""
    found = list(cases)
    missing = set(slow) - {str(case.id) for case in found}
    assert not missing, f"no such cases: {sorted(missing)}"
    return [pytest.param(*c.values, id=c.id, marks=[*c.marks, *([pytest.mark.slow] if c.id in slow else [])]) for c in found]


def but_fast(cases: Iterable[ParameterSet], fast: Collection[str]) -> list[ParameterSet]:
    """The same where those are named that are not slow."""
    found = list(cases)
    assert set(fast) <= {str(case.id) for case in found}, f"no such cases: {sorted(set(fast) - {str(case.id) for case in found})}"
    return but_slow(found, {str(case.id) for case in found} - set(fast))
