"""`c360gen docs`: what it writes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

from c360gen.docs import site
from tests.cli.conftest import said, shop

__all__ = ["shop"]


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_it_writes_a_site_and_nothing_else(shop: Path) -> None:
    before = below(shop)
    ended = said("docs")
    assert ended.exit_code == 0 and ended.stdout == "", ended.output
    made = below(shop / "site")
    assert below(shop) == before | {f"site/{path}": raw for path, raw in made.items()}
    assert ended.stderr == f"{len(made)} files, {len(made)} changed\nopen site/index.html\n"
    assert {"index.html", "style.css", "site.json", "nodes/customer_snapshot.html", "sources/raw_data.customers.html"} <= made.keys()
    assert said("docs").stderr.startswith(f"{len(made)} files, 0 changed\n")
    assert below(shop / "site") == made


def test_targets_are_chosen_as_by_build(shop: Path) -> None:
    assert said("docs", "--site", "one", "--dialect", "duckdb").exit_code == 0
    page = (shop / "one" / "nodes" / "customer_snapshot.html").read_text(encoding="utf-8")
    assert "scripts/run_customer_snapshot.sql" in page and "procedures/run_customer_snapshot.sql" not in page
    said("docs", "--site", "two", "--target", "postgres")
    page = (shop / "two" / "nodes" / "customer_snapshot.html").read_text(encoding="utf-8")
    assert "scripts/run_customer_snapshot.sql" not in page and "procedures/run_customer_snapshot.sql" in page
    ended = said("docs", "--target", "nowhere")
    assert ended.exit_code == 1 and "error[C403]" in ended.stderr and not (shop / "site").exists()


def test_it_shows_what_build_writes(shop: Path) -> None:
    """Of a released target too: specs that moved away from what is released are refused here as there."""
    assert said("migrate", "--name", "baseline", "--target", "duckdb").exit_code == 0
    assert said("docs", "--target", "duckdb").exit_code == 0
    specs = shop / "specs" / "project.yml"
    specs.write_text(specs.read_text(encoding="utf-8").replace("name: email", "name: mail"), encoding="utf-8")
    for command in ("build", "docs"):
        ended = said(command, "--target", "duckdb")
        assert ended.exit_code == 1 and "error[" in ended.stderr, ended.output


def test_mistakes_in_the_specs_leave_the_site_as_it_is(shop: Path) -> None:
    said("docs")
    before = below(shop / "site")
    (shop / "specs" / "more.yml").write_text("version: 2\nmodels: [{name: m, sql: select nothing}]\n", encoding="utf-8")
    ended = said("docs", "--format", "json")
    assert ended.exit_code == 1 and json.loads(ended.stdout)["errors"] == 1
    assert below(shop / "site") == before


def test_stale_pages_go_and_files_of_others_stay(shop: Path) -> None:
    more = shop / "specs" / "more.yml"
    more.write_text("version: 2\nmodels: [{name: m, sql: select 1 as id}, {name: n, sql: select 1 as id}]\n", encoding="utf-8")
    assert said("docs").exit_code == 0
    root = shop / "site"
    (root / "nodes" / "m.html").write_text("<p>mine now</p>", encoding="utf-8")
    (root / "CNAME").write_text("docs.example.com\n", encoding="utf-8")
    (root / ".nojekyll").write_text("", encoding="utf-8")
    more.unlink()
    ended = said("docs")
    assert ended.exit_code == 0 and ", 1 removed\n" in ended.stderr, ended.output
    assert "left alone: 2 files that c360gen docs did not write, such as CNAME\n" in ended.stderr
    assert not (root / "nodes" / "n.html").exists()
    assert (root / "nodes" / "m.html").read_text(encoding="utf-8") == "<p>mine now</p>"
    assert (root / "CNAME").exists() and (root / ".nojekyll").exists()


def test_a_record_that_somebody_edited_removes_nothing_of_theirs(shop: Path) -> None:
    said("docs")
    root = shop / "site"
    (root / "notes.html").write_text("<p>mine</p>", encoding="utf-8")
    content = json.loads((root / site.RECORD).read_text(encoding="utf-8"))
    content["files"] += [{"path": path, "sha256": ""} for path in ("notes.html", "../specs/project.yml")]
    (root / site.RECORD).write_text(json.dumps(content, indent=2), encoding="utf-8")
    assert said("docs").exit_code == 0
    assert (root / "notes.html").exists() and (shop / "specs" / "project.yml").exists()


def refused(*arguments: str) -> str:
    before = below(Path())
    ended = said("docs", *arguments)
    assert ended.exit_code == 1 and "error[C504]: " in ended.stderr and "  help: name another folder with --site" in ended.stderr, (
        ended.output
    )
    assert below(Path()) == before
    return ended.stderr


def test_a_folder_of_others_is_refused(shop: Path) -> None:
    """Also one with a manifest, whose files are those of a build and none of ours."""
    said("build")
    assert "specs holds what c360gen docs did not write, such as " in refused("--site", "specs")
    refused("--site", "generated/postgres")
    refused("--site", ".")
    refused("--site", "specs/project.yml")


def test_a_file_of_others_in_the_way_is_refused(shop: Path) -> None:
    said("docs")
    (shop / "site" / "index.html").write_text("<p>mine</p>", encoding="utf-8")
    assert "site holds what c360gen docs did not write, such as index.html" in refused()
    (shop / "site" / "index.html").unlink()
    (shop / "site" / "index.html").mkdir()
    assert "such as index.html" in refused()


def test_what_a_crash_has_left_is_written_over(shop: Path) -> None:
    """The record comes last: pages without it are known by their mark."""
    said("docs")
    (shop / "site" / site.RECORD).unlink()
    assert said("docs").exit_code == 0
    (shop / "site" / site.RECORD).unlink()
    (shop / "site" / "CNAME").write_text("docs.example.com\n", encoding="utf-8")
    assert "such as CNAME" in refused()


def test_a_description_that_claims_to_be_ours_is_none(tmp_path: Path) -> None:
    """The mark counts where we write it, not wherever a text says it."""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html>\n<html>\n<!-- {site.MARK} -->\n", encoding="utf-8")
    assert not site.ours(page)
    page.write_text(f"<!doctype html>\n<!-- {site.MARK} -->\n<html>\n", encoding="utf-8")
    assert site.ours(page) and not site.ours(tmp_path) and not site.ours(tmp_path / "nowhere.html")
