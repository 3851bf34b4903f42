"""Everything that a project may say is text: none of it becomes an element, an attribute, a link that runs, or an end of a page."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs_site.conftest import made, pages
from tests.docs_site.html import Page

TEXTS = {
    "script": "</title></pre></code></script><script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x=\'y\' `z`',
    "image": "<img src=x onerror=alert(1)><svg/onload=alert(2)>",
    "url": "javascript:alert(document.cookie)",
    "comment": "--> <!-- ]]> <![CDATA[ <?php &lt;b&gt; &amp;amp; &#60;",
    "template": "{{ 7*7 }} {% raw %} {# c #}",
    "right_to_left": "abc \u202egnirts\u202c \u2067\u05d0\u05d1 \u200f end",
    "unicode": "Größe 顧客 👩‍👩‍👧 e\u0301 \u2028 \ufeff",
    "long": "word" * 1500,
}


def specs(folder: Path, text: str) -> Path:
    """A project that says one text wherever it may say any; the name of a column takes as much of it as a name may have."""
    notes: dict[str, Any] = {"description": text, "tags": [text], "meta": {text: text, "owner": text, "list": [text, {text: text}]}}
    name = "".join(c for c in text if c.isprintable())[:40].strip()
    column = {"name": name, "data_type": "text", **notes}
    literal = "'" + text.replace("'", "''").replace("{", "") + "'"
    written = {
        "version": 2,
        "targets": {"duckdb": {"dialect": "duckdb"}},
        "sources": [{"name": "raw", "tables": [{"name": "plain", **notes, "columns": [
            {"name": "id", "data_type": "bigint"}, {"name": "at", "data_type": "timestamptz"},
            {**column, "data_tests": [{"accepted_values": {"values": [text]}}]},
        ]}]}],
        "seeds": [{"name": "words", **notes, "columns": [column]}],
        "snapshots": [{
            "name": "history", **notes, "relation": "source('raw', 'plain')",
            "config": {"unique_key": "id", "strategy": "timestamp", "updated_at": "at"},
        }],
        "models": [{
            "name": "seen", **notes, "sql": f"select id, {literal} as said from {{{{ source('raw', 'plain') }}}}",
            "data_tests": [{"expression_is_true": {"expression": f"said <> {literal}"}}],
        }],
        "exposures": [{
            "name": "board", **notes, "label": text, "type": "dashboard", "url": text, "owner": {"name": text, "email": text},
            "depends_on": ["ref('seen')", "ref('history')"],
        }],
        "schedules": [{"name": "daily", "description": text, "cron": "0 0 * * *", "select": "history"}],
    }  # fmt: skip
    (folder / "seeds").mkdir(parents=True)
    (folder / "p.yml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    with (folder / "seeds" / "words.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([[name], [text]])
    return folder


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    return pages(made(specs(tmp_path_factory.mktemp("harmless") / "specs", "harmless"), "duckdb"))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_text(text: str, harmless: dict[str, Page], tmp_path: Path) -> None:
    """The page has the elements that it has with a harmless text, and says the other one."""
    texts = made(specs(tmp_path / "specs", text), "duckdb")
    read = pages(texts)
    assert read.keys() == harmless.keys()
    for path, page in read.items():
        assert page.wrong == [], path
        assert page.shape == harmless[path].shape, path
        assert not [link for link in page.links if link.lower().startswith("javascript")]
    for path in ("index.html", "nodes/history.html", "nodes/words.html", "nodes/seen.html", "exposures/board.html", "schedules/daily.html",
                 "sources/raw.plain.html"):  # fmt: skip
        assert text in read[path].text, path


def test_what_cannot_be_seen_is_shown_as_that(tmp_path: Path) -> None:
    """Controls that no HTML may hold."""
    folder = specs(tmp_path / "specs", "harmless")
    written = (folder / "p.yml").read_text(encoding="utf-8")
    assert written.count("label: harmless") == 1
    (folder / "p.yml").write_text(written.replace("label: harmless", r'label: "a\0b\x07c\x85d"'), encoding="utf-8")
    text = made(folder, "duckdb")["exposures/board.html"]
    assert "<bdi>a�b�c�d</bdi>" in text
    assert all(c.isprintable() or c == "\n" for c in text)


def test_names_that_no_file_may_have(tmp_path: Path) -> None:
    """Names of sources are those of others. A file has one name in any case, and none of a device; a place in a page is there once."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "p.yml").write_text(
        """
version: 2
sources:
  - name: "Ä b"
    tables:
      - {name: "Weird <Table>", columns: [{name: id, data_type: bigint}]}
      - {name: "weird <table>", columns: [{name: id, data_type: bigint}]}
      - {name: "COM1", columns: [{name: "a", data_type: bigint}, {name: "A b", data_type: bigint}, {name: "a-b", data_type: bigint}]}
models:
  - {name: one, sql: select 1 as id, columns: [{name: id, data_type: bigint}]}
""",
        encoding="utf-8",
    )
    texts = made(tmp_path / "specs", "duckdb")
    read = pages(texts)
    assert [p.wrong for p in read.values() if p.wrong] == [] and len(read) == 5
    assert all(".." not in Path(path).parts and len(Path(path).parts) <= 2 for path in texts)
    assert len({path.lower() for path in texts}) == len(texts)
