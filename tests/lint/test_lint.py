"""What fires beyond the examples of the pages, and what does not; levels, exceptions, exit codes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen import pipeline
from c360gen.cli.main import cli
from c360gen.lint.project import creation_word, is_audit
from c360gen.spec.models import Schedule
from c360gen.terms import cron

ROOT = Path(__file__).resolve().parents[2]
TODAY = dt.date(2026, 11, 25)
SOURCES = """
sources:
  - name: shop
    tables:
      - name: customers
        columns:
          - {name: customer_id, data_type: bigint, data_tests: [not_null, unique]}
          - {name: email, data_type: text}
          - {name: updated_at, data_type: timestamptz}
      - name: orders
        columns:
          - {name: order_id, data_type: bigint, data_tests: [not_null, unique]}
          - {name: customer_id, data_type: bigint}
          - {name: ordered_at, data_type: timestamptz}
          - {name: updated_at, data_type: timestamptz}
      - name: lines
        columns:
          - {name: order_id, data_type: bigint}
          - {name: line, data_type: bigint}
"""
HISTORY = """
snapshots:
  - name: history
    relation: source('shop', 'customers')
    config: {unique_key: customer_id, strategy: timestamp, updated_at: updated_at, hard_deletes: invalidate}
"""


def linted(folder: Path, text: str) -> list[str]:
    (folder / "p.yml").write_text(text, encoding="utf-8")
    return [d.code for d in pipeline.lint(pipeline.load_project(folder), TODAY)]


def model(sql: str, config: str = "{materialized: table, unique_key: order_id}", more: str = "") -> str:
    lines = "".join(f"      {line}\n" for line in sql.strip().splitlines())
    return f"{SOURCES}{HISTORY}\nmodels:\n  - name: orders\n    config: {config}\n    sql: |\n{lines}{more}"


ORDERS, CUSTOMERS, HISTORIES = "{{ source('shop', 'orders') }}", "{{ source('shop', 'customers') }}", "{{ ref('history') }}"
JOINS = {
    "a source that is unique by the key of the join": (f"select o.order_id from {ORDERS} o join {CUSTOMERS} c using (customer_id)", []),
    "a side of which nothing is known": (
        f"select o.order_id from {ORDERS} o join {{{{ source('shop', 'lines') }}}} l on l.order_id = o.order_id", []),
    "orders of a customer, where the key is of the orders": (
        f"select o.order_id from {CUSTOMERS} c join {ORDERS} o on o.customer_id = c.customer_id", []),
    "orders of a customer, where the key is of the customers": (
        f"select c.customer_id as order_id from {CUSTOMERS} c join {ORDERS} o on o.customer_id = c.customer_id", ["L206"]),
    "aggregated": (
        f"select c.customer_id as order_id, count(*)::bigint as n from {CUSTOMERS} c join {ORDERS} o on o.customer_id = c.customer_id "
        "group by c.customer_id", []),
    "aggregated first": (
        f"select c.customer_id as order_id from {CUSTOMERS} c left join (select customer_id, max(order_id) as last from {ORDERS} "
        "group by customer_id) o on o.customer_id = c.customer_id", []),
    "aggregated first, by more": (
        f"select c.customer_id as order_id from {CUSTOMERS} c left join (select customer_id, ordered_at, max(order_id) as last "
        f"from {ORDERS} group by customer_id, ordered_at) o on o.customer_id = c.customer_id", ["L206"]),
    "the latest by ROW_NUMBER": (
        f"with last as (select customer_id, row_number() over (partition by customer_id order by ordered_at desc) as n from {ORDERS}) "
        "select c.customer_id as order_id "
        f"from {CUSTOMERS} c left join last l on l.customer_id = c.customer_id and l.n = 1", []),
    "every one by ROW_NUMBER": (
        f"with last as (select customer_id, row_number() over (partition by customer_id order by ordered_at desc) as n from {ORDERS}) "
        f"select c.customer_id as order_id from {CUSTOMERS} c left join last l on l.customer_id = c.customer_id", ["L206"]),
    "open versions in a CTE": (
        f"with h as (select * from {HISTORIES} where valid_to is null) "
        f"select o.order_id from {ORDERS} o left join h on h.customer_id = o.customer_id", []),
    "the version of a time": (
        f"select o.order_id from {ORDERS} o left join {HISTORIES} h on h.customer_id = o.customer_id "
        "and h.valid_from <= o.ordered_at and (h.valid_to > o.ordered_at or h.valid_to is null)", []),
    "a cross join": (f"select o.order_id from {ORDERS} o cross join {CUSTOMERS} c", ["L206"]),
}  # fmt: skip


@pytest.mark.parametrize("what", JOINS)
def test_a_join_is_reported_only_where_it_is_proven(what: str, tmp_path: Path) -> None:
    sql, expected = JOINS[what]
    columns = "    columns: [{name: n, data_type: bigint}]\n" if " as n from" in sql and "count" in sql else ""
    assert linted(tmp_path, model(sql, more=columns)) == expected


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("created_at", "creation"), ("inserted_ts", "creation"), ("signup_date", "creation"), ("order_date", "business"),
        ("ordered_at", "business"), ("occurred_at", "business"), ("event_time", "business"), ("date", "business"),
        ("updated_at", None), ("_fivetran_synced", None), ("created_or_updated_at", None), ("lsn", None), ("at", None),
        ("modified_date", None), ("candidate", None), ("recreation_hours", None),
    ],
)  # fmt: skip
def test_words_of_times(name: str, word: str | None) -> None:
    assert creation_word(name) == word


@pytest.mark.parametrize("name", ["_fivetran_synced", "_airbyte_emitted_at", "loaded_at", "etl_run_id", "_file_name", "batch_id"])
def test_columns_of_loaders(name: str) -> None:
    assert is_audit(name)


@pytest.mark.parametrize("name", ["status", "loaded", "order_id", "run_rate", "job_title", "files", "date"])
def test_columns_of_the_business(name: str) -> None:
    assert not is_audit(name)


def test_the_origin_of_a_cursor_counts(tmp_path: Path) -> None:
    """A cursor that is renamed on its way is still what it was."""
    staged = f"""{SOURCES}
models:
  - name: stg_orders
    sql: select order_id, ordered_at as changed from {ORDERS}
  - name: orders
    config: {{materialized: incremental, unique_key: order_id, cursor: changed, lookback: 1 day}}
    sql: select order_id, changed from {{{{ ref('stg_orders') }}}}
"""
    assert linted(tmp_path, staged) == ["L201"]
    assert linted(tmp_path, staged.replace("ordered_at as", "updated_at as")) == []


VERSIONS = "{materialized: incremental, unique_key: [customer_id, valid_from], cursor: CURSOR, lookback: 1 day}"


@pytest.mark.parametrize(
    ("cursor", "columns", "expected"),
    [
        ("valid_from", "valid_from, valid_to", ["L208"]),
        ("updated_at", "valid_from, valid_to as until, updated_at", ["L208"]),
        ("changed_at", "valid_from, valid_to, coalesce(valid_to, valid_from) as changed_at", []),
        ("valid_from", "valid_from", []),
    ],
)
@pytest.mark.parametrize("through", ["history", "stg", "kept"])
def test_how_versions_end_is_read(through: str, cursor: str, columns: str, expected: list[str], tmp_path: Path) -> None:
    """Whatever lies between the history and the incremental; where no end is kept, none is missed."""
    text = f"""{SOURCES}{HISTORY}
models:
  - name: stg
    sql: select customer_id, updated_at, valid_from, valid_to from {HISTORIES}
  - name: kept
    config: {{materialized: table, unique_key: [customer_id, valid_from]}}
    sql: select customer_id, updated_at, valid_from, valid_to from {HISTORIES}
  - name: versions
    config: {VERSIONS.replace("CURSOR", cursor)}
    columns: [{{name: {cursor}, data_type: timestamptz}}]
    sql: select customer_id, {columns} from {{{{ ref('{through}') }}}}
"""
    assert linted(tmp_path, text) == expected


def test_the_help_knows_what_open_means(tmp_path: Path) -> None:
    text = model(f"select customer_id, valid_from, valid_to from {HISTORIES}", VERSIONS.replace("CURSOR", "valid_from"))
    (tmp_path / "p.yml").write_text(text.replace("updated_at: updated_at,", "updated_at: updated_at, dbt_valid_to_current: '9999-12-31',"))
    (found,) = pipeline.lint(pipeline.load_project(tmp_path), TODAY)
    assert found.help == "let the cursor be when a version changed last: coalesce(nullif(valid_to, '9999-12-31'), valid_from)"


def test_a_row_that_is_dated_by_a_history_is_no_version(tmp_path: Path) -> None:
    """An order with the end of the version that held then: nobody promises that it moves."""
    sql = (
        f"select o.order_id, o.updated_at, h.valid_to from {ORDERS} o join {HISTORIES} h "
        "on h.customer_id = o.customer_id and h.valid_from <= o.ordered_at and coalesce(h.valid_to, '9999-12-31') > o.ordered_at"
    )
    assert "L208" not in linted(
        tmp_path, model(sql, "{materialized: incremental, unique_key: order_id, cursor: updated_at, lookback: 1 day}")
    )


@pytest.mark.parametrize(
    ("key", "tests", "expected"),
    [
        ("order_id", "[{unique_combination_of_columns: {arguments: {combination_of_columns: [order_id, line]}}}]", ["L207"]),
        ("[order_id, line]", "[{unique_combination_of_columns: {arguments: {combination_of_columns: [order_id, line]}}}]", []),
        ("order_id", "[]", []),
    ],
)
def test_a_key_whose_rows_move_one_by_one(key: str, tests: str, expected: list[str], tmp_path: Path) -> None:
    """Reported only where it is known that the key has several rows."""
    columns = "          - {{name: {}, data_type: {}, data_tests: [not_null]}}\n"
    listed = "".join(columns.format(*c) for c in (("order_id", "bigint"), ("line", "bigint"), ("loaded_at", "timestamptz")))
    source = SOURCES.partition("      - name: lines\n")[0] + f"      - name: lines\n        columns:\n{listed}        data_tests: {tests}\n"
    text = (
        source
        + f"""
models:
  - name: lines
    config: {{materialized: incremental, incremental_strategy: delete+insert, unique_key: {key}, cursor: loaded_at, lookback: 1 day}}
    sql: select order_id, line, loaded_at from {{{{ source('shop', 'lines') }}}}
"""
    )
    assert linted(tmp_path, text) == expected


def test_append_may_read_by_a_creation_date(tmp_path: Path) -> None:
    text = model(f"select order_id, ordered_at from {ORDERS}", "{materialized: incremental, cursor: ordered_at}")
    assert linted(tmp_path, text) == []


def test_levels_of_the_project_and_of_a_path(tmp_path: Path) -> None:
    wrong = HISTORY.replace(", hard_deletes: invalidate", "")
    assert linted(tmp_path, SOURCES + wrong) == ["L104"]
    assert linted(tmp_path, "lint: {rules: {L104: off}}" + SOURCES + wrong) == []
    levels = f"lint:\n  rules: {{L104: off}}\n  paths: [{{path: '{tmp_path.name}', rules: {{L104: error}}}}]\n"
    (tmp_path / "p.yml").write_text(levels + SOURCES + wrong, encoding="utf-8")
    assert [d.severity for d in pipeline.lint(pipeline.load_project(tmp_path), TODAY)] == ["error"]


def test_an_exception_in_sql_until_its_end(tmp_path: Path) -> None:
    join = (
        "select o.order_id from {orders} o\nleft join {histories} h -- noqa: L206 until {until}: one version each, so far\n"
        "on h.customer_id = o.customer_id"
    )
    for until, expected in (("2026-11-25", []), ("2026-11-24", ["L002", "L206"]), ("yesterday", ["L001", "L206"])):
        assert sorted(linted(tmp_path, model(join.format(orders=ORDERS, histories=HISTORIES, until=until)))) == expected


def test_what_is_not_enabled_is_not_looked_at(tmp_path: Path) -> None:
    table = "      - {name: gone, config: {enabled: false}, columns: [{name: at, data_type: timestamp}]}\n"
    assert linted(tmp_path, SOURCES + table + HISTORY) == []


def test_a_word_that_looks_like_an_exception_is_none(tmp_path: Path) -> None:
    assert linted(tmp_path, SOURCES + HISTORY.replace("- name: history", "- name: history\n    description: says noqa nowhere")) == []


def test_two_schedules_meet_or_not() -> None:
    def at(cron_: str, zone: str = "UTC") -> Schedule:
        return Schedule(name="s", cron=cron_, timezone=zone, select="x")

    assert cron.together(at("0 0 * * *"), at("0 */6 * * *"))
    assert not cron.together(at("0 0 * * *"), at("30 */6 * * *"))
    assert not cron.together(at("0 0 * * 1"), at("0 0 * * 2"))
    assert cron.together(at("0 0 13 * 5"), at("0 0 * * 5")), "either field counts where both are set"
    assert cron.together(at("0 23 * * *"), at("0 0 * * *", "Europe/Berlin"))
    assert not cron.together(at("0 12 * * *"), at("0 0 * * *", "Europe/Berlin"))


def test_the_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(cli, ["lint", "--specs", str(ROOT / "specs")]).exit_code == 0
    (tmp_path / "p.yml").write_text(SOURCES + HISTORY.replace(", hard_deletes: invalidate", ""), encoding="utf-8")
    found = run(cli, ["lint", "--specs", str(tmp_path)])
    assert found.exit_code == 1 and "warning[L104]" in found.stderr and "c360gen explain L104" in found.stderr
    sarif = run(cli, ["lint", "--specs", str(tmp_path), "--format", "sarif"])
    assert sarif.exit_code == 1 and '"L104"' in sarif.stdout
