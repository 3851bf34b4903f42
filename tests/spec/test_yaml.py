"""Where things stand: spans of keys and values, and offsets of SQL back to the file."""

from __future__ import annotations

import pytest

from c360gen.diagnostics import Diagnostics
from c360gen.project.render import Words, render
from c360gen.spec.yaml import Tree, parse


def tree(text: str) -> Tree:
    diagnostics = Diagnostics()
    found = parse(text, "x.yml", diagnostics)
    assert found is not None and not diagnostics.failed, list(diagnostics)
    return found


def test_spans_of_keys_and_values() -> None:
    found = tree("models:\n  - name: abc\n    config: {materialized: table}\n")
    assert (found.span(("models", 0, "name")).line, found.span(("models", 0, "name")).column) == (2, 11)
    assert found.key_span(("models", 0, "config", "materialized")).column == 14
    assert found.span(("models", 0, "config", "nix")).line == 3


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  sql: |\n    select 1,\n      WORD\n",
        "a:\n      sql: |-\n          select 1,\n            WORD",
        "a:\n  sql: |2\n    select 1,\n      WORD\n",
        "a: {sql: select 1, \nx: WORD}".replace("{sql: select 1, \nx: ", "{sql: 'select 1 as x, ").replace("}", "'}"),
        'a:\n  sql: "select WORD"\n',
        "a:\n  sql: select WORD\n",
    ],
)
def test_offsets_in_sql_lead_back_to_the_file(text: str) -> None:
    sql = tree(text).sql(("a", "sql"))
    at = sql.text.index("WORD")
    span = sql.span(at, at + 4)
    assert text.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1] == "WORD"


def test_offsets_survive_templates() -> None:
    """What jinja removes, repeats or makes longer does not move what stands behind it."""
    template = "select {{ ref('a_very_long_name') }}.x,\n{% if is_incremental() %} gone\n{% endif %}\n{# note #} WORD from {{ this }}"
    words = Words(ref=lambda n: f'"ref"."{n}"', source=lambda s, t: "", this='"ref"."me"', variables={})
    for incremental in (False, True):
        rendered = render(template, words, incremental)
        at = rendered.sql.index("WORD")
        assert template[rendered.origin(at) :].startswith("WORD")


def test_numbers_and_words_of_yaml() -> None:
    found = tree("a: 0.10\nb: 2026-01-01\nc: yes\nd: null\ne: '1'\nf: 0x1F\n")
    assert found.data["b"] == "2026-01-01" and found.data["e"] == "1" and found.data["d"] is None


def test_merge_keys() -> None:
    assert tree("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n").data["y"] == {"a": 1, "b": 3}


def test_an_alias_of_itself_is_refused() -> None:
    diagnostics = Diagnostics()
    assert parse("a: &a [*a]\n", "x.yml", diagnostics) is None
    assert diagnostics.failed
