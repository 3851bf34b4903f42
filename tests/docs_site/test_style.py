"""The style sheet: letters that can be read in both schemes, and a colour for every kind."""

from __future__ import annotations

import re

import pytest

from c360gen.docs.material import KINDS

SCHEMES = ("light", "dark")


def colours(texts: dict[str, str], scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", texts["style.css"], re.S)
    assert len(blocks) == 2
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", blocks[SCHEMES.index(scheme)]))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """As WCAG counts it: 1 to 21."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_counted_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_letters_can_be_read(scheme: str, texts: dict[str, str]) -> None:
    found = colours(texts, scheme)
    assert {*KINDS, "text", "faint", "link", "project"} <= found.keys()
    for name in (*KINDS, "text", "faint", "link", "project"):
        for ground in ("ground", "soft"):
            assert contrast(found[name], found[ground]) >= 4.5, (name, ground)


def test_every_kind_has_its_class(texts: dict[str, str]) -> None:
    for kind in (*KINDS, "project"):
        assert f".{kind} {{ --kind: var(--{kind}); }}" in texts["style.css"]
