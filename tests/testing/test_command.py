"""`c360gen test` on DuckDB and on Postgres: scenarios that hold and that do not, data tests, exit codes, what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from c360gen.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
SPECS = """
version: 2
targets:
  duckdb: {dialect: duckdb}
  postgres: {dialect: postgres, owner: nobody_here, schema_prefix: dev_}
  snowflake: {dialect: snowflake, database: C360}
sources:
  - name: shop
    schema: raw
    tables:
      - name: customers
        identifier: "Customers of the 'shop'"
        columns:
          - {name: id, data_type: bigint, data_tests: [not_null, unique]}
          - {name: "E-mail", data_type: text}
          - {name: active, data_type: boolean}
          - {name: balance, data_type: "numeric(12,2)", data_tests: [expression_is_true: {expression: ">= 0", config: {severity: warn}}]}
          - {name: born, data_type: date}
          - {name: updated_at, data_type: timestamptz}
snapshots:
  - name: history
    relation: source('shop', 'customers')
    config: {schema: snap, unique_key: id, strategy: timestamp, updated_at: updated_at, hard_deletes: invalidate}
models:
  - name: names
    sql: select "E-mail", upper("E-mail") as loud from {{ ref('history') }} where valid_to is null
scenarios:
  - name: told
    steps:
      - as_of: 2026-01-02
        given:
          - input: source('shop', 'customers')
            rows:
              - {id: 1, E-mail: "it's 'a'", active: yes, balance: 1.5, born: 1990-02-03, updated_at: 2026-01-01 10:00}
              - {id: 2, E-mail: "null", updated_at: 2026-01-01T12:00:00+02:00}
        expect:
          - relation: ref('history')
            rows:
              - {id: 1, E-mail: "it's 'a'", active: true, balance: "1.50", born: 1990-02-03, valid_from: 2026-01-01 10:00, valid_to: null}
              - {id: 2, E-mail: "null", active: null, balance: null, born: null, valid_from: 2026-01-01 10:00, valid_to: null}
          - {relation: ref('names'), rows: [{loud: IT'S 'A'}, {loud: "NULL"}]}
      - as_of: 2026-01-03
        given: [{input: "source('shop', 'customers')", rows: "id, E-mail, updated_at\\n1, , 2026-01-02 10:00\\n"}]
        expect:
          - {relation: ref('names'), rows: [{loud: null}]}
          - {relation: ref('history'), as_of: 2026-01-02 11:00, rows: [{id: 1, E-mail: null}, {id: 2, E-mail: "null"}]}
      - as_of: 2026-01-04
        given: [{input: "source('shop', 'customers')", rows: []}]
        fails: [ZC004, empty]
"""


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "p.yml").write_text(SPECS, encoding="utf-8")
    return tmp_path / "specs"


@pytest.fixture(params=["duckdb", "postgres"])
def where(request: pytest.FixtureRequest) -> list[str]:
    """The arguments that name an engine for scenarios."""
    if request.param == "duckdb":
        return []
    return ["--target", "postgres", "--database", request.getfixturevalue("server")]


def test_(specs: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["test", "--specs", str(specs), *arguments])


test_.__test__ = False  # type: ignore[attr-defined]


def changed(specs: Path, *pairs: tuple[str, str]) -> Path:
    text = SPECS
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (specs / "p.yml").write_text(text, encoding="utf-8")
    return specs


def test_the_shipped_scenarios_hold(where: list[str]) -> None:
    ended = test_(ROOT / "specs", *where, *(["--scenario", "a_customer_moves_and_leaves"] if where else []))
    assert ended.exit_code == 0, ended.stderr


def test_every_kind_of_value_and_of_expectation(specs: Path, where: list[str]) -> None:
    ended = test_(specs, *where, "--scenario", "told")
    assert ended.exit_code == 0 and ended.stderr.endswith("1 passed\n"), ended.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("born: null, valid_from: 2026-01-01 10:00", "born: null, valid_from: 2026-01-01 12:00"),
         ["step 1", "- 2", "2026-01-01 12:00:00", "+ 2", "2026-01-01 10:00:00"]),
        (("rows: [{loud: null}]", "rows: []"), ["step 2", "names is not as expected", "+ null"]),
        (("[ZC004, empty]", "[ZC001]"), ["step 3", "failed without ZC001", "ZC004"]),
        (("rows: []}]", "rows: [{id: 1, updated_at: 2026-01-02 10:00}]}]"), ["step 3", "every run succeeded"]),
        (("rows: [{loud: IT'S 'A'}", "rows: [{loud: it's 'a'}"), ["- it's 'a'", "+ IT'S 'A'"]),
        (("fails: [ZC004, empty]", "expect: [{relation: ref('names'), rows: []}]"), ["the run of history failed: ", "ZC004"]),
        (("E-mail: null}, {id: 2", "E-mail: x}, {id: 2"), ["history as of 2026-01-02 11:00:00 is not as expected"]),
    ],
)  # fmt: skip
def test_what_is_said_where_it_does_not_hold(change: tuple[str, str], said: list[str], specs: Path) -> None:
    ended = test_(changed(specs, change))
    assert ended.exit_code == 1 and "error[C701]: scenario told: " in ended.stderr
    for part in said:
        assert part in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("relation: ref('names'), rows: [{loud: null}]", "relation: ref('nams'), rows: [{loud: null}]"), "did you mean 'names'?"),
        (("rows: [{loud: null}]", "rows: [{lout: null}]"), "did you mean 'loud'?"),
        (("input: source('shop', 'customers')", "input: source('shop', 'customer')"), "did you mean 'shop.customers'?"),
        (("as_of: 2026-01-03", "as_of: 2026-01-01"), "step 2 is not later than the one before it"),
        (("as_of: 2026-01-02 11:00, rows: [{id: 1, E-mail: null}, {id: 2, E-mail: \"null\"}]", "as_of: soon, rows: []"), "must be a date"),
        (("{relation: ref('names'), rows: [{loud: null}]}", "{relation: ref('names'), as_of: 2026-01-02, rows: []}"), "names is a view"),
        (("1, , 2026-01-02 10:00", "1, 2026-01-02 10:00"), "this line has 2 values, the header 3 columns"),
        (("id, E-mail, updated_at", "id, E_mail, updated_at"), "shop.customers has no column E_mail"),
        (("1, , 2026-01-02 10:00", "1, , soon"), "updated_at is timestamptz: 'soon' is not a time"),
        (("balance: 1.5,", "balance: many,"), "balance is numeric(12,2): 'many' is not a number"),
        (("1, , 2026-01-02 10:00", "1, a\\\"b, 2026-01-02 10:00"), "a quote stands in the middle of a field"),
        (("[{id: 1, E-mail: null}, {id: 2", "[{id: 1}, {id: 2"), "name the same columns in every row"),
        (("fails: [ZC004, empty]", "fails: [ZC004, empty]\n        run: nobody"), "'nobody' matches nothing"),
    ],
)  # fmt: skip
def test_a_scenario_that_cannot_be_is_a_mistake_in_the_specs(change: tuple[str, str], said: str, specs: Path) -> None:
    ended = CliRunner().invoke(cli, ["validate", "--specs", str(changed(specs, change))])
    assert ended.exit_code == 1 and said in ended.stderr, ended.stderr


def test_nothing_is_left_on_the_server(specs: Path, server: str) -> None:
    import psycopg

    def there() -> list[tuple[str]]:
        with psycopg.connect(server) as connection:
            return connection.execute("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1").fetchall()

    before = there()
    for change in ((), (("[ZC004, empty]", "[ZC001]"),), (("E-mail: null}, {id: 2", "E-mail: x}, {id: 2"),)):
        test_(changed(specs, *change), "--target", "postgres", "--database", server, "--scenario", "told")
    assert there() == before


def test_data_tests_fail_warn_and_pass(specs: Path, tmp_path: Path) -> None:
    import duckdb

    path = str(tmp_path / "x.duckdb")
    with duckdb.connect(path) as database:
        database.execute("CREATE SCHEMA raw")
        database.execute(
            """CREATE TABLE raw."Customers of the 'shop'" AS FROM (VALUES
            (1, 'a', true, 1.0, DATE '2000-01-01', now()), (1, 'b', true, -1.0, DATE '2000-01-01', now())
            ) AS t(id, "E-mail", active, balance, born, updated_at)"""
        )
    arguments = ["--target", "duckdb", "--database", path, "--select", "source:shop.customers"]
    ended = test_(specs, *arguments)
    assert ended.exit_code == 1
    assert ended.stderr.endswith("1 passed, 1 warned, 1 failed\n"), ended.stderr
    for part in ("error[C702]: data test unique_shop_customers_id: 2 rows", "id  failures", "1   2", "warning[C702]: data test expression"):
        assert part in ended.stderr, ended.stderr
    with duckdb.connect(path) as database:
        database.execute("""DELETE FROM raw."Customers of the 'shop'" WHERE "E-mail" = 'a'""")
    ended = test_(specs, *arguments)
    assert ended.exit_code == 0 and ended.stderr.endswith("2 passed, 1 warned\n"), ended.stderr
    junit = test_(specs, *arguments, "--format", "junit")
    assert junit.exit_code == 0 and '<testcase classname="c360gen" name="data test unique_shop_customers_id" />' in junit.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "tolt"], "did you mean 'told'?"),
        (["--target", "duckdbs"], "did you mean 'duckdb'?"),
        (["--target", "snowflake"], "cannot be run from here"),
        (["--database", "x.duckdb"], "--database needs --target"),
        (["--target", "duckdb", "--only", "data-tests"], "name a DuckDB file"),
    ],
)
def test_wrong_calls(arguments: list[str], said: str, specs: Path) -> None:
    ended = test_(specs, *arguments)
    assert ended.exit_code == 2 and said in ended.stderr


def test_freshness_is_a_data_test_of_a_source(tmp_path: Path) -> None:
    import duckdb

    (tmp_path / "p.yml").write_text(
        """
targets: {duckdb: {dialect: duckdb}}
sources:
  - name: shop
    schema: raw
    loaded_at_field: updated_at
    freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 2, period: day}}
    tables:
      - name: customers
        columns: [{name: id, data_type: bigint}, {name: updated_at, data_type: timestamptz}]
models:
  - {name: m, sql: "select id from {{ source('shop', 'customers') }}"}
""",
        encoding="utf-8",
    )
    path = str(tmp_path / "x.duckdb")
    with duckdb.connect(path) as database:
        database.execute("CREATE SCHEMA raw; CREATE TABLE raw.customers (id BIGINT, updated_at TIMESTAMPTZ)")
    for age, expected, code in ((None, "no row of shop.customers is younger than 2 days: there is none", 1),
                                ("3 days", "younger than 2 days: the newest is of", 1),
                                ("2 hours", "younger than 1 hour: the newest is of", 0), ("1 minute", "1 passed", 0)):  # fmt: skip
        if age:
            with duckdb.connect(path) as database:
                database.execute(f"INSERT INTO raw.customers VALUES (1, now() - INTERVAL '{age}')")
        ended = test_(tmp_path, "--target", "duckdb", "--database", path)
        assert (ended.exit_code, expected in ended.stderr) == (code, True), ended.stderr


def test_an_empty_text_in_a_csv_is_written_as_in_seeds(specs: Path) -> None:
    """Nothing between commas is NULL, "" is an empty text; blanks only make columns stand below each other."""
    text = SPECS.replace("1, , 2026-01-02 10:00", '1 , \\"\\" , 2026-01-02 10:00')
    text = text.replace("rows: [{loud: null}]", "rows: [{loud: ''}]").replace("E-mail: null}, {id: 2", "E-mail: ''}, {id: 2")
    (specs / "p.yml").write_text(text, encoding="utf-8")
    ended = test_(specs)
    assert ended.exit_code == 0, ended.stderr
