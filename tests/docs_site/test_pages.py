"""The pages of a small project: byte for byte, sound as HTML, and without a link that leads nowhere."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from c360gen.docs import site
from c360gen.docs.columns import duration, value
from c360gen.docs.pages import file_names, mail, outside
from c360gen.pipeline import Build, LoadedProject
from tests.conftest import CASES
from tests.docs_site.conftest import SPECS, made, pages
from tests.docs_site.html import Page
from tests.slow import but_fast

EXPECTED = Path(__file__).parent / "expected"
TEMPLATES = Path(site.__file__).parent / "templates"
ROOT = Path(__file__).parents[2]


def test_every_page_is_as_expected(short: Callable[[], dict[str, str]], update: bool) -> None:
    texts = short()
    if update:
        shutil.rmtree(EXPECTED, ignore_errors=True)
        for path, text in texts.items():
            (EXPECTED / path).parent.mkdir(parents=True, exist_ok=True)
            (EXPECTED / path).write_bytes(text.encode())
    there = {p.relative_to(EXPECTED).as_posix(): p.read_bytes().decode() for p in EXPECTED.rglob("*") if p.is_file()}
    assert texts.keys() == there.keys()
    for path, text in texts.items():
        assert text == there[path], path


def test_a_hash_seed_does_not_matter(texts: dict[str, str]) -> None:
    """Another process, other orders of every set: the same bytes."""
    code = (
        "import hashlib\nfrom pathlib import Path\nfrom c360gen.docs import site\nfrom c360gen.pipeline import *\n"
        f"p = load_project(Path({str(SPECS)!r}))\n"
        "files = site.files(p, [build(p, t) for t in p.default_targets])\n"
        "print(hashlib.sha256(''.join(f.path + f.text for f in files).encode()).hexdigest())"
    )
    for seed in ("0", "4242"):
        said = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONHASHSEED": seed}
        )
        assert said.stdout.strip() == hashlib.sha256("".join(p + t for p, t in texts.items()).encode()).hexdigest()


def test_no_page_tells_when_or_where_it_was_made(tmp_path: Path, texts: dict[str, str]) -> None:
    shutil.copytree(SPECS, tmp_path / "elsewhere" / "specs")
    assert made(tmp_path / "elsewhere" / "specs") == texts


def test_every_page_is_sound(read: dict[str, Page], texts: dict[str, str]) -> None:
    for path, page in read.items():
        assert page.wrong == [], path
        assert texts[path].startswith(f'<!doctype html>\n<!-- {site.MARK} -->\n<html lang="en">\n')


@pytest.mark.parametrize(
    "wrong",
    ["<p><div></div></p>", "<section><h3>a</h3></section>", "<p onclick='x'></p>", "<p>", "</p>", "<main>text</main>", "<p><img></p>"],
)
def test_what_the_reader_of_pages_would_find(wrong: str) -> None:
    whole = "<html><body><main><h1>a</h1>{}</main></body></html>"
    assert Page(whole.format("<p>a</p>")).wrong == []
    assert Page(whole.format(wrong)).wrong != []


def strays(read: dict[str, Page], texts: dict[str, str]) -> list[str]:
    """The links that lead to no page, or to no place in one."""
    found = []
    for path, page in read.items():
        for link in page.links:
            if link.startswith(("http://", "https://", "mailto:", "data:,")):
                continue
            to, _, place = link.partition("#")
            at = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(to))) if to else path
            if at not in texts or (place and place not in read[at].ids):
                found.append(f"{path}: {link}")
    return found


def test_every_link_leads_somewhere(read: dict[str, Page], texts: dict[str, str]) -> None:
    assert strays(read, texts) == []


EVERY = [pytest.param(p.parent.name, id=p.parent.name) for p in sorted(CASES.glob("*/specs")) if p.parent.name != "bad"]
SOME = ("adoption", "data_tests", "ephemeral", "feeds", "hostile_names", "hostile_texts", "language", "microbatch", "readers", "seeds")


@pytest.mark.parametrize("case", but_fast(EVERY, SOME))
def test_every_case_has_a_sound_site(case: str, project: Callable[[Path], LoadedProject]) -> None:
    """Every strategy, feed, policy and name that any test knows."""
    from tests.conftest import built
    from tests.docs_site.conftest import site_of

    loaded = project(CASES / case / "specs")
    texts = site_of(loaded, [built(loaded, "duckdb")])
    read = pages(texts)
    assert {path: page.wrong for path, page in read.items() if page.wrong} == {}
    assert strays(read, texts) == []
    assert len(read) == 1 + sum(
        map(len, (loaded.resolved.sources, loaded.resolved.nodes, loaded.resolved.exposures, loaded.resolved.schedules))
    )


def test_nothing_is_fetched_from_elsewhere(texts: dict[str, str], read: dict[str, Page]) -> None:
    assert "url(" not in texts["style.css"] and "@import" not in texts["style.css"]
    for page in read.values():
        assert [e for e in page.elements if "src" in e.attributes] == []
        assert {e.attributes["href"].removeprefix("../") for e in page.all("link")} == {"data:,", "style.css"}


def test_generated_files_are_shown_as_they_are(shop: tuple[LoadedProject, list[Build]], read: dict[str, Page]) -> None:
    """Of each target those that are about one thing, each on its page."""
    shown = {(path, e.text) for path, page in read.items() for e in page.all("details")}
    folders = {"ref": "nodes", "source": "sources", "schedule": "schedules"}
    listed = [f for b in shop[1] for f in b.files if f.about]
    for file in listed:
        kind, _, name = str(file.about).partition(":")
        assert any(path == f"{folders[kind]}/{name}.html" and text.endswith(file.path + file.text) for path, text in shown), file.path
    assert len(listed) == sum(len(p.all("details")) for p in read.values())
    told = {f.path for f in listed}
    for path in ("tables/orders.sql", "views/orders_point_in_time.sql", "procedures/erase_customers_history.sql", "tests/raw.orders.sql",
                 "jobs/run_job_nightly.sql", "schedules/pg_cron_nightly.sql"):  # fmt: skip
        assert path in told


def test_only_the_index_runs_a_script_and_only_ours(read: dict[str, Page]) -> None:
    for path, page in read.items():
        (policy,) = [e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes]
        scripts = [e.text for e in page.all("script")]
        if path != "index.html":
            assert scripts == [] and policy.startswith("script-src 'none';")
            continue
        import base64

        (script,) = scripts
        allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy.startswith(f"script-src 'sha256-{allowed}';")
        assert "</script" not in script and "innerHTML" not in script


def test_what_a_node_page_says(shop: tuple[LoadedProject, list[Build]], read: dict[str, Page]) -> None:
    loaded, builds = shop
    page = read["nodes/customers_history.html"]
    program = builds[0].bundle.programs["customers_history"]
    for said in (f"{program.summary}.", *program.rules, "ref('customers_history')", "specs/shop.yml:41", "Data Team",
                 '["service", "finance"]',
                 "history.customers_history_quarantine", "history.customers_history_as_of(at)",
                 "history.customers_history_changes(from, to)",
                 "erase_customers_history", "0 3 * * *", "C360.dw_history.customers_history", "The latest address only."):  # fmt: skip
        assert said in page.text, said
    header = next(f.text for f in builds[0].files if f.path == "procedures/run_customers_history.sql").partition("CREATE")[0]
    assert set(re.findall(r"ZC\d{3}", header)) <= set(re.findall(r"ZC\d{3}", page.text))
    assert "c.country, sum(o.amount) as amount\nfrom {{ ref('orders') }} o" in read["nodes/revenue.html"].text
    beside = [e.text for e in page.all("li") if "orders_point_in_time" in e.text]
    assert beside == ["its view orders_point_in_time marts.orders"]
    assert "foreign_key: countries (code)" in read["nodes/revenue.html"].text
    for said in ("check: amount >= 0", "unique (id, ordered_at)", "unique_combination_of_columns (customer_id, ordered_at)"):
        assert said in read["nodes/orders.html"].text
    assert (
        "3 more are in its file" in read["nodes/countries.html"].text
        and "WW" not in read["nodes/countries.html"].text.split("Generated")[0]
    )
    assert len(loaded.resolved.nodes) == 6


def test_what_the_other_pages_say(read: dict[str, Page]) -> None:
    source = read["sources/raw.customers.html"].text
    for said in ("12 hours", "2 days", "id > 0", "fivetran", "personal", "expression_is_true: updated_at IS NOT NULL"):
        assert said in source, said
    orders = read["sources/raw.orders.html"].text
    assert "relationships: raw.customers.id, where id > 7" in orders and "test, warns" in orders and "accepted_values: open, paid" in orders
    exposure = read["exposures/revenue_dashboard.html"]
    assert {"dashboard", "high", "tableau", "board"} <= {e.text.strip() for e in exposure.all("dd")}
    assert {"https://bi.example.com/d/revenue?a=1&b=2", "mailto:data@example.com"} <= {*exposure.links}
    (body,) = exposure.all("tbody")
    assert [a for a in body.text.split() if "." in a] == [
        "marts.top", "marts.revenue_by_country", "ref.countries", "history.customers_history", "marts.orders",
        "raw.customers", "raw.orders",
    ]  # fmt: skip
    (steps,) = read["schedules/nightly.html"].all("tbody")
    assert [a for a in steps.text.split() if "." in a and a[-1] != "."] == ["history.customers_history", "marts.orders"]


def test_the_record_names_every_file(texts: dict[str, str]) -> None:
    content = json.loads(texts[site.RECORD])
    assert {f["path"]: f["sha256"] for f in content["files"]} == {
        p: hashlib.sha256(t.encode()).hexdigest() for p, t in texts.items() if p != site.RECORD
    }  # fmt: skip


def test_templates_only_go_through_what_they_are_given() -> None:
    """Loops and what is left out where it is empty: nothing is decided, counted or looked up in a template."""
    for path in TEMPLATES.glob("*.j2"):
        text = path.read_text(encoding="utf-8")
        for tag in re.findall(r"\{%-?\s*(.*?)\s*-?%\}", text):
            assert re.fullmatch(
                r"(el)?if [\w.]+|else|endif|for \w+(, \w+)? in [\w.]+|endfor|macro \w+\([\w, ]*\)|endmacro|from .* import .*", tag
            ), (path.name, tag)
        assert "safe" not in text


def test_names_of_files() -> None:
    found = file_names(["raw.orders", "Raw.Orders", "..", "../../etc/passwd", "con", "größe", "", "x" * 300, "a b", "a/b", "<b>"])
    assert found["raw.orders"] == "raw.orders"
    assert len({*found.values()}) == len(found)
    for name in found.values():
        assert re.fullmatch(r"[a-z0-9_.-]{1,110}", name) and not name.startswith("..") and name != "con", name


def test_which_addresses_become_links() -> None:
    for good in ("https://a.b/c?d=e&f#g", "HTTP://a", "mailto:a@b.c"):
        assert outside(good) == good
    for bad in ("javascript:alert(1)", "java\nscript:alert(1)", " https://a", "https://a\n", "data:text/html,x", "//a", "file:///etc/passwd",
                "vbscript:x", "https:", "ftp://a", "a.b"):  # fmt: skip
        assert outside(bad) == ""
    assert mail("a.b+c@d-e.f") == "mailto:a.b+c@d-e.f"
    assert mail("a@b?bcc=c@d") == "" and mail("nobody") == ""


def test_words_for_values() -> None:
    assert [duration(n) for n in (1, 90, 3600, 259200)] == ["1 second", "90 seconds", "1 hour", "3 days"]
    assert [value(v) for v in ("a", True, [1, "ä"])] == ["a", "true", '[1, "ä"]']
